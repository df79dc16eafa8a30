import torch

from firstlight.data import BatchLoader, Split
from firstlight.data.texts.lengths import by_length, lengths_of


def texts(number: int = 1000, longest: int = 40) -> Split:
    """Return texts of random lengths; each token is the number of its text."""
    lengths = torch.randint(1, longest + 1, (number,), generator=torch.Generator().manual_seed(0))
    numbers = torch.arange(number, dtype=torch.int32)[:, None].expand(-1, longest)
    inputs = torch.where(torch.arange(longest) < lengths[:, None], numbers, -1)
    return Split(inputs, torch.arange(number) % 2, has_ends=True)


def test_the_length_of_a_text_ends_before_the_first_minus_one() -> None:
    split = texts(3).part(torch.tensor([2, 0]))
    split.inputs[0] = torch.tensor([5, 0, *[-1] * 38])
    split.inputs[2] = 7
    assert lengths_of(split).tolist() == [40, 2]


def test_batches_have_texts_of_like_length_and_are_as_long_as_their_longest_text() -> None:
    split = texts()
    loader = BatchLoader(split, 10, seed=1)
    batches = [inputs for inputs, _ in loader]
    assert sorted(int(text[0]) for batch in batches for text in batch) == list(range(1000))
    spans = []
    for batch in batches:
        lengths = (batch >= 0).sum(1)
        assert batch.shape[1] == lengths.max()
        spans.append(int(lengths.max() - lengths.min()))
    assert sum(spans) / len(spans) < 4  # of 39; without the sorting 32
    longest = [batch.shape[1] for batch in batches]
    assert longest != sorted(longest)


def test_epochs_differ_and_a_loader_continues_within_an_epoch() -> None:
    loader, other = BatchLoader(texts(), 10, seed=1), BatchLoader(texts(), 10, seed=1)
    first = [inputs for inputs, _ in loader]
    loader.set_epoch(1)
    second = [inputs for inputs, _ in loader]
    assert not all(torch.equal(one, two) for one, two in zip(first, second, strict=True))
    other.load_state_dict({"epoch": 1, "batch": 60})
    rest = [inputs for inputs, _ in other]
    assert len(rest) == 40
    assert all(torch.equal(one, two) for one, two in zip(second[60:], rest, strict=True))


def test_ranks_divide_the_batches_of_one_process() -> None:
    def targets(batches: BatchLoader) -> list[list[int]]:
        return [inputs[:, 0].tolist() for inputs, _ in batches]

    alone = targets(BatchLoader(texts(), 10, seed=1))
    ranks = [targets(BatchLoader(texts(), 10, seed=1, rank=rank, world_size=2)) for rank in (0, 1)]
    assert alone == [first + second for first, second in zip(*ranks, strict=True)]


def test_without_a_seed_the_order_is_that_of_the_split() -> None:
    read = torch.cat([inputs[:, 0] for inputs, _ in BatchLoader(texts(), 7)])
    assert read.tolist() == list(range(1000))


def test_a_small_last_batch_stays_the_last() -> None:
    lengths = torch.arange(25)
    order = by_length(torch.randperm(25), lengths, 10, torch.Generator().manual_seed(0))
    assert order[20:].tolist() == [20, 21, 22, 23, 24]
    assert sorted(order.tolist()) == list(range(25))
