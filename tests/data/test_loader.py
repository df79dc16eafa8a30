import itertools
import json

import pytest
import torch

from firstlight.data import BatchLoader, Split

Numbers = list[list[int]]


def numbers(num_samples: int) -> Split:
    """Return a split in which the target and all pixels of sample i are i."""
    targets = torch.arange(num_samples)
    return Split(targets.to(torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2), targets)


def batches(loader: BatchLoader) -> Numbers:
    found = []
    for inputs, targets in loader:
        assert torch.equal(inputs[:, 0, 0, 0].long(), targets)
        found.append(targets.tolist())
    return found


def flat(lists: Numbers) -> list[int]:
    return [number for numbers in lists for number in numbers]


def test_every_sample_occurs_once_per_epoch() -> None:
    loader = BatchLoader(numbers(50), 8, seed=1)
    for epoch in range(3):
        loader.set_epoch(epoch)
        assert sorted(flat(batches(loader))) == list(range(50))


def test_the_last_batch_has_the_remaining_samples() -> None:
    loader = BatchLoader(numbers(50), 8, seed=1)
    assert [len(batch) for batch in batches(loader)] == [8, 8, 8, 8, 8, 8, 2]
    assert len(loader) == 7


def test_a_batch_of_all_samples_has_a_part_for_each_rank() -> None:
    assert batches(BatchLoader(numbers(5), "all")) == [[0, 1, 2, 3, 4]]
    parts = [flat(batches(BatchLoader(numbers(5), "all", rank=rank, world_size=2))) for rank in range(2)]
    assert parts == [[0, 1, 2], [3, 4]]


def test_the_samples_of_several_batches_are_counted_to_the_end_of_the_epoch() -> None:
    loader = BatchLoader(numbers(50), 8, seed=1)
    assert [loader.num_samples_between(*between) for between in ((0, 4), (4, 7), (6, 7))] == [32, 18, 2]


def test_a_batch_size_above_the_number_of_samples_gives_one_batch() -> None:
    assert batches(BatchLoader(numbers(3), 8)) == [[0, 1, 2]]


def test_the_order_depends_on_the_seed_and_the_epoch_alone() -> None:
    def order(seed: int, epoch: int, draws: int = 0) -> list[int]:
        torch.rand(draws)
        loader = BatchLoader(numbers(50), 8, seed=seed)
        for earlier in range(draws):
            loader.set_epoch(earlier)
            batches(loader)
        loader.set_epoch(epoch)
        return flat(batches(loader))

    assert order(1, 4) == order(1, 4, draws=3)
    assert order(1, 4) != order(1, 5)
    assert order(1, 4) != order(2, 4)


def test_the_order_does_not_depend_on_the_batch_size() -> None:
    assert flat(batches(BatchLoader(numbers(50), 8, seed=1))) == flat(batches(BatchLoader(numbers(50), 3, seed=1)))


def test_without_a_seed_the_order_is_that_of_the_split() -> None:
    loader = BatchLoader(numbers(10), 4)
    for epoch in range(2):
        loader.set_epoch(epoch)
        assert batches(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_part_of_a_split_gives_its_own_samples() -> None:
    part = numbers(20).part(torch.tensor([3, 17, 5, 11]))
    assert batches(BatchLoader(part, 3)) == [[3, 17, 5], [11]]
    assert sorted(flat(batches(BatchLoader(part, 3, seed=1)))) == [3, 5, 11, 17]


@pytest.mark.parametrize("num_yielded", range(8))
def test_a_restored_loader_continues_at_the_next_batch(num_yielded: int) -> None:
    whole = BatchLoader(numbers(50), 8, seed=1)
    whole.set_epoch(2)
    expected = batches(whole)

    stopped = BatchLoader(numbers(50), 8, seed=1)
    stopped.set_epoch(2)
    place = iter(stopped)
    before = [next(place)[1].tolist() for _ in range(num_yielded)]
    restored = BatchLoader(numbers(50), 8, seed=1)
    restored.load_state_dict(json.loads(json.dumps(stopped.state_dict())))
    restored.set_epoch(2)
    after = batches(restored) if num_yielded < 7 else []
    assert before + after == expected

    stopped.set_epoch(3)
    restored.set_epoch(3)
    assert batches(restored) == batches(stopped)
    assert len(flat(batches(restored))) == 50


def test_a_finished_epoch_can_be_repeated() -> None:
    loader = BatchLoader(numbers(10), 4, seed=1)
    assert batches(loader) == batches(loader)


@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
@pytest.mark.parametrize("num_samples", [47, 48])
def test_the_parts_of_the_ranks_form_the_batches_of_one_process(world_size: int, num_samples: int) -> None:
    alone = batches(BatchLoader(numbers(num_samples), 12, seed=1))
    parts = [
        batches(BatchLoader(numbers(num_samples), 12, seed=1, rank=rank, world_size=world_size))
        for rank in range(world_size)
    ]
    together = [flat([part[number] for part in parts]) for number in range(len(alone))]
    assert together[:-1] == alone[:-1]
    assert together[-1] == alone[-1][: len(alone[-1]) - num_samples % world_size]
    assert len(set(flat(together))) == num_samples - num_samples % world_size


@pytest.mark.parametrize("num_samples", range(12, 25))
def test_in_training_all_ranks_have_equally_many_samples_in_every_batch(num_samples: int) -> None:
    parts = [batches(BatchLoader(numbers(num_samples), 8, seed=1, rank=rank, world_size=4)) for rank in range(4)]
    sizes = [[len(batch) for batch in part] for part in parts]
    assert sizes.count(sizes[0]) == 4
    assert 0 not in sizes[0]


@pytest.mark.parametrize("num_samples", [9, 15, 16, 17])
def test_without_a_seed_the_ranks_omit_no_sample(num_samples: int) -> None:
    loaders = [BatchLoader(numbers(num_samples), 8, rank=rank, world_size=4) for rank in range(4)]
    parts = [batches(loader) for loader in loaders]
    assert sorted(flat([flat(part) for part in parts])) == list(range(num_samples))
    assert {len(part) for part in parts} == {len(loaders[0])}


def test_a_batch_size_that_is_not_a_multiple_of_the_ranks_raises_an_error() -> None:
    with pytest.raises(ValueError, match=r"data\.batch_size=10: must be a multiple of 4"):
        BatchLoader(numbers(20), 10, world_size=4)


def test_a_batch_is_a_copy() -> None:
    split = numbers(4)
    for _, targets in BatchLoader(split, 2):
        targets += 100
    assert split.targets.tolist() == [0, 1, 2, 3]


def windows(num_samples: int) -> Split:
    rows = torch.arange(num_samples, dtype=torch.int32)[:, None]
    return Split(rows, rows, consecutive=True)


@pytest.mark.parametrize("num_samples", [1, 3, 8, 20, 23])
@pytest.mark.parametrize("seed", [None, 1])
def test_streams_continue_from_batch_to_batch(num_samples: int, seed: int | None) -> None:
    batches = [inputs[:, 0].tolist() for inputs, _ in BatchLoader(windows(num_samples), 4, seed=seed)]
    assert sorted(itertools.chain(*batches)) == list(range(num_samples))
    for batch, following in itertools.pairwise(batches):
        assert following == [(number + 1) % num_samples for number in batch[: len(following)]]


def test_the_streams_begin_at_another_sample_in_another_epoch() -> None:
    loader = BatchLoader(windows(50), 4, seed=1)
    first = [batch[0].tolist() for batch in loader]
    loader.set_epoch(1)
    assert [batch[0].tolist() for batch in loader] != first


def test_each_rank_keeps_its_own_streams() -> None:
    ranks = [BatchLoader(windows(23), 4, rank=rank, world_size=2) for rank in range(2)]
    parts = [[inputs[:, 0].tolist() for inputs, _ in rank] for rank in ranks]
    alone = [inputs[:, 0].tolist() for inputs, _ in BatchLoader(windows(23), 4)]
    assert [left + right for left, right in zip(*parts, strict=True)] == alone
    assert all(b == [n + 1 for n in a[: len(b)]] for part in parts for a, b in itertools.pairwise(part))


def test_in_training_every_rank_has_samples_in_every_batch_of_streams() -> None:
    ranks = [BatchLoader(windows(23), 4, seed=1, rank=rank, world_size=2) for rank in range(2)]
    assert [[len(inputs) for inputs, _ in rank] for rank in ranks] == [[2] * 5, [2] * 5]
