import multiprocessing
import secrets
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest
import torch

from firstlight.data.store import Arrays, Split, channel_statistics, open_store

LABELS = ("no", "yes")


def two_splits() -> tuple[tuple[str, ...], dict[str, Arrays]]:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (30, 3, 4, 5), dtype=np.uint8)
    targets = random.integers(0, 2, 30)
    return LABELS, {"train": Arrays(images[:20], targets[:20]), "test": Arrays(images[20:], targets[20:])}


def never() -> tuple[tuple[str, ...], dict[str, Arrays]]:
    pytest.fail("the store was built again")


def without_locks(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def open_with_the_others(folder: Path, barrier: Barrier) -> None:
    def slow_read() -> tuple[tuple[str, ...], dict[str, Arrays]]:
        (folder / f"{secrets.token_hex(4)}.built").touch()
        time.sleep(0.5)  # the others are at the door by now
        return two_splits()

    barrier.wait()
    train = open_store(folder / "digits", slow_read).splits["train"]
    assert np.array_equal(train.inputs.numpy(), two_splits()[1]["train"].inputs)


def test_a_store_holds_what_was_read(tmp_path: Path) -> None:
    store = open_store(tmp_path / "digits", two_splits)
    for name, arrays in two_splits()[1].items():
        assert np.array_equal(store.splits[name].inputs.numpy(), arrays.inputs)
        assert np.array_equal(store.splits[name].targets.numpy(), arrays.targets)
    assert list(store.splits) == ["test", "train"]
    assert (store.splits["train"].inputs.dtype, store.splits["train"].targets.dtype) == (torch.uint8, torch.int64)


def test_the_spec_tells_of_the_training_split(tmp_path: Path) -> None:
    spec = open_store(tmp_path / "digits", two_splits).spec
    assert (spec.input_shape, spec.num_outputs, spec.labels) == ((3, 4, 5), 2, LABELS)
    train = two_splits()[1]["train"].inputs / 255
    assert spec.mean == pytest.approx(train.mean((0, 2, 3)), abs=1e-12)


def test_a_store_that_is_there_is_not_built_again(tmp_path: Path) -> None:
    built = open_store(tmp_path / "digits", two_splits)
    opened = open_store(tmp_path / "digits", never)
    assert opened.spec == built.spec
    assert torch.equal(opened.splits["test"].inputs, built.splits["test"].inputs)


def test_two_processes_build_one_store_and_leave_nothing_half_built(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    processes = [context.Process(target=open_with_the_others, args=(tmp_path, barrier)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(list(tmp_path.glob("*.built"))) == 1
    assert [name for name in without_locks(tmp_path) if not name.endswith(".built")] == ["digits"]


def test_an_error_in_reading_leaves_nothing_behind_and_the_next_try_builds(tmp_path: Path) -> None:
    def fail() -> tuple[tuple[str, ...], dict[str, Arrays]]:
        raise ValueError("a broken file")

    with pytest.raises(ValueError, match="a broken file"):
        open_store(tmp_path / "digits", fail)
    assert without_locks(tmp_path) == []
    assert len(open_store(tmp_path / "digits", two_splits).splits["train"]) == 20


def test_an_error_in_writing_leaves_nothing_behind(tmp_path: Path) -> None:
    def no_training_split() -> tuple[tuple[str, ...], dict[str, Arrays]]:
        labels, splits = two_splits()
        return labels, {"test": splits["test"]}

    with pytest.raises(KeyError):
        open_store(tmp_path / "digits", no_training_split)
    assert without_locks(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what is mapped")
def test_the_arrays_are_mapped_into_memory(tmp_path: Path) -> None:
    store = open_store(tmp_path / "digits", two_splits)
    maps = Path("/proc/self/maps").read_text()
    assert all(str(tmp_path / "digits" / f"{name}.inputs.npy") in maps for name in store.splits)


def test_a_write_to_the_arrays_does_not_reach_the_store(tmp_path: Path) -> None:
    open_store(tmp_path / "digits", two_splits).splits["train"].inputs.fill_(7)
    train = open_store(tmp_path / "digits", never).splits["train"]
    assert np.array_equal(train.inputs.numpy(), two_splits()[1]["train"].inputs)


def test_channel_statistics_are_those_of_numpy() -> None:
    images = np.random.default_rng(1).integers(0, 256, (50, 3, 7, 9), dtype=np.uint8)
    mean, std = channel_statistics(images)
    assert mean == pytest.approx((images / 255).mean((0, 2, 3)), rel=1e-12)
    assert std == pytest.approx((images / 255).std((0, 2, 3)), rel=1e-12)


def test_a_constant_channel_has_a_deviation_that_can_be_divided_by() -> None:
    mean, std = channel_statistics(np.full((4, 1, 3, 3), 51, dtype=np.uint8))
    assert mean == pytest.approx((0.2,))
    assert std == (1 / 255,)


def test_a_part_shares_the_arrays_and_a_part_of_a_part_counts_in_the_part() -> None:
    split = Split(torch.arange(10, dtype=torch.uint8).reshape(10, 1, 1, 1), torch.arange(10))
    part = split.part(torch.tensor([9, 5, 3, 1])).part(torch.tensor([0, 2]))
    assert len(part) == 2
    assert part.inputs.data_ptr() == split.inputs.data_ptr()
    inputs, targets = part.take(torch.tensor([1, 0]))
    assert (inputs.flatten().tolist(), targets.tolist()) == ([3, 9], [3, 9])


def test_what_is_taken_is_a_copy() -> None:
    split = Split(torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64))
    inputs, targets = split.take(torch.arange(4))
    inputs += 1
    targets += 1
    assert int(split.inputs.sum()) == int(split.targets.sum()) == 0


def test_a_part_moves_with_no_more_than_its_rows() -> None:
    split = Split(torch.arange(10, dtype=torch.uint8).reshape(10, 1, 1, 1), torch.arange(10))
    moved = split.part(torch.tensor([2, 7])).to(torch.device("cpu"))
    assert (moved.inputs.flatten().tolist(), moved.targets.tolist(), len(moved)) == ([2, 7], [2, 7], 2)
    assert moved.indices is None
