import multiprocessing
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock, Timeout

from firstlight.data.store import Arrays, Split, content_key, open_store
from firstlight.spec import DataSpec

SPEC = DataSpec((3, 4, 5), 2, ("no", "yes"), (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))


def two_splits() -> tuple[DataSpec, dict[str, Arrays]]:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (30, 3, 4, 5), dtype=np.uint8)
    targets = random.integers(0, 2, 30)
    return SPEC, {"train": Arrays(images[:20], targets[:20]), "test": Arrays(images[20:], targets[20:])}


def never() -> tuple[DataSpec, dict[str, Arrays]]:
    pytest.fail("the store was built again")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def open_with_the_others(folder: Path, barrier: Barrier) -> None:
    def slow_read() -> tuple[DataSpec, dict[str, Arrays]]:
        (folder / f"{secrets.token_hex(4)}.built").touch()
        time.sleep(0.5)  # until the other process waits for the lock
        return two_splits()

    barrier.wait()
    train = open_store(folder / "digits", slow_read).splits["train"]
    assert np.array_equal(train.inputs.numpy(), two_splits()[1]["train"].inputs)


def test_a_store_contains_the_arrays(tmp_path: Path) -> None:
    store = open_store(tmp_path / "digits", two_splits)
    for name, arrays in two_splits()[1].items():
        assert np.array_equal(store.splits[name].inputs.numpy(), arrays.inputs)
        assert np.array_equal(store.splits[name].targets.numpy(), arrays.targets)
    assert list(store.splits) == ["test", "train"]
    assert (store.splits["train"].inputs.dtype, store.splits["train"].targets.dtype) == (torch.uint8, torch.int64)


def test_a_store_keeps_its_spec(tmp_path: Path) -> None:
    assert open_store(tmp_path / "digits", two_splits).spec == open_store(tmp_path / "digits", never).spec == SPEC


def test_a_store_keeps_its_remarks(tmp_path: Path) -> None:
    remarks: list[str] = []

    def read() -> tuple[DataSpec, dict[str, Arrays]]:
        remarks.append("train 20 in 2 classes")
        return two_splits()

    open_store(tmp_path / "digits", read, remarks)
    assert open_store(tmp_path / "digits", never).remarks == ("train 20 in 2 classes",)


def test_an_existing_store_is_not_built_again(tmp_path: Path) -> None:
    built = open_store(tmp_path / "digits", two_splits)
    opened = open_store(tmp_path / "digits", never)
    assert opened.spec == built.spec
    assert torch.equal(opened.splits["test"].inputs, built.splits["test"].inputs)


@pytest.mark.slow
def test_two_processes_build_one_store(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    processes = [context.Process(target=open_with_the_others, args=(tmp_path, barrier)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(list(tmp_path.glob("*.built"))) == 1
    assert [name for name in names(tmp_path) if not name.endswith(".built")] == ["digits"]


def test_only_one_thread_at_a_time_builds_although_each_deletes_the_lock_file(tmp_path: Path) -> None:
    inside: list[int] = []

    def fail() -> tuple[DataSpec, dict[str, Arrays]]:
        inside.append(threading.get_ident())
        time.sleep(0.001)
        alone = inside == [threading.get_ident()]
        inside.remove(threading.get_ident())
        raise ValueError(f"alone: {alone}")

    def build(_: int) -> str:
        with pytest.raises(ValueError, match="alone") as caught:
            open_store(tmp_path / "digits", fail)
        return str(caught.value)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(build, range(200))) == {"alone: True"}
    assert names(tmp_path) == []


def test_the_lock_file_is_deleted_while_the_lock_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remove, removed = Path.unlink, []

    def watched(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".lock":
            removed.append(path.name)
            with pytest.raises(Timeout):
                FileLock(path).acquire(timeout=0)
        remove(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", watched)
    open_store(tmp_path / "digits", two_splits)
    assert removed == ["digits.lock"]
    assert names(tmp_path) == ["digits"]


def test_an_error_in_reading_leaves_no_files_and_the_store_can_be_built_later(tmp_path: Path) -> None:
    def fail() -> tuple[DataSpec, dict[str, Arrays]]:
        raise ValueError("a broken file")

    with pytest.raises(ValueError, match="a broken file"):
        open_store(tmp_path / "digits", fail)
    assert names(tmp_path) == []
    assert len(open_store(tmp_path / "digits", two_splits).splits["train"]) == 20


def test_an_error_in_writing_leaves_no_files(tmp_path: Path) -> None:
    def objects() -> tuple[DataSpec, dict[str, Arrays]]:
        return SPEC, two_splits()[1] | {"val": Arrays(np.zeros((2, 3, 4, 5)), np.zeros(2, dtype=np.int64))}

    with pytest.raises(AssertionError):
        open_store(tmp_path / "digits", objects)
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="requires Linux")
def test_the_arrays_are_memory_mapped(tmp_path: Path) -> None:
    store = open_store(tmp_path / "digits", two_splits)
    mapped = Path("/proc/self/smaps").read_text()
    assert all(str(tmp_path / "digits" / f"{name}.inputs.npy") in mapped for name in store.splits)


def test_a_write_to_the_arrays_does_not_change_the_store(tmp_path: Path) -> None:
    open_store(tmp_path / "digits", two_splits).splits["train"].inputs.fill_(7)
    train = open_store(tmp_path / "digits", never).splits["train"]
    assert np.array_equal(train.inputs.numpy(), two_splits()[1]["train"].inputs)


def test_a_part_uses_the_same_arrays_and_can_be_divided_again() -> None:
    split = Split(torch.arange(10, dtype=torch.uint8).reshape(10, 1, 1, 1), torch.arange(10))
    part = split.part(torch.tensor([9, 5, 3, 1])).part(torch.tensor([0, 2]))
    assert len(part) == 2
    assert (split.own_targets.tolist(), part.own_targets.tolist()) == (list(range(10)), [9, 3])
    assert part.inputs.data_ptr() == split.inputs.data_ptr()
    inputs, targets = part.take(torch.tensor([1, 0]))
    assert (inputs.flatten().tolist(), targets.tolist()) == ([3, 9], [3, 9])


def test_taken_samples_are_copies() -> None:
    split = Split(torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64))
    inputs, targets = split.take(torch.arange(4))
    inputs += 1
    targets += 1
    assert int(split.inputs.sum()) == int(split.targets.sum()) == 0


def test_a_part_is_copied_to_a_device_without_other_rows() -> None:
    split = Split(torch.arange(10, dtype=torch.uint8).reshape(10, 1, 1, 1), torch.arange(10))
    moved = split.part(torch.tensor([2, 7])).to(torch.device("cpu"))
    assert (moved.inputs.flatten().tolist(), moved.targets.tolist(), len(moved)) == ([2, 7], [2, 7], 2)
    assert moved.indices is None


def test_a_damaged_store_raises_an_error_that_names_it(tmp_path: Path) -> None:
    arrays = {name: Arrays(np.zeros((4, 2), np.float32), np.arange(4)) for name in ("train", "test")}
    spec = DataSpec((2,), 4, tuple("abcd"), (0.0, 0.0), (1.0, 1.0))
    open_store(tmp_path / "store", lambda: (spec, arrays))
    path = tmp_path / "store" / "train.inputs.npy"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"store: cannot read .*To fix: delete this folder"):
        open_store(tmp_path / "store", lambda: (spec, arrays))


def test_a_content_key_depends_on_every_part_and_not_on_the_order_of_keys() -> None:
    key = content_key(1, "features", {"a": 1, "b": [2]})
    assert key == content_key(1, "features", {"b": [2], "a": 1}) == "716bda88a18d12e7"
    others = [(2, "features", {"a": 1, "b": [2]}), (1, "views", {"a": 1, "b": [2]}), (1, "features", {"a": 1})]
    assert len({key, *(content_key(*parts) for parts in others)}) == 4
