import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from firstlight.data import MNIST, Source, Split
from firstlight.data.store import Arrays


class Numbers(Source):
    """A data set in which the pixel of sample i is i."""

    name = "numbers"

    def __init__(self, dir: str, *, official_val: bool = False, num_train: int = 100, **kwargs: Any) -> None:
        super().__init__(dir, **kwargs)
        self.options = {"official_val": official_val, "num_train": num_train}

    def files(self) -> list[Path]:
        return [self.dir / "numbers.txt"]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        numbers = np.arange(150, dtype=np.uint8).reshape(-1, 1, 1, 1)
        bounds = {"train": (0, self.options["num_train"]), "test": (100, 130)}
        if self.options["official_val"]:
            bounds["val"] = (130, 150)
        return ("even", "odd"), {
            name: Arrays(numbers[start:end], np.arange(start, end) % 2) for name, (start, end) in bounds.items()
        }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "official").mkdir()
    (tmp_path / "official" / "numbers.txt").write_text("0 to 149")
    return tmp_path / "official"


def members(split: Split) -> list[int]:
    return split.take(torch.arange(len(split)))[0].flatten().tolist()


def stores(folder: Path) -> list[Path]:
    return [path for path in (folder / ".firstlight").glob("*") if path.is_dir()]


def test_the_official_training_split_is_divided_into_train_and_val(folder: Path) -> None:
    _, splits = Numbers(str(folder), val_fraction=0.25).splits(seed=1)
    train, val = members(splits["train"]), members(splits["val"])
    assert (len(train), len(val)) == (75, 25)
    assert sorted(train + val) == list(range(100))
    assert members(splits["test"]) == list(range(100, 130))


def test_val_depends_on_the_seed_alone(folder: Path) -> None:
    def val(seed: int) -> list[int]:
        torch.rand(seed)
        return members(Numbers(str(folder)).splits(seed)[1]["val"])

    assert val(1) == val(1)
    assert val(1) != val(2)


def test_an_official_val_is_kept(folder: Path) -> None:
    _, splits = Numbers(str(folder), official_val=True).splits(seed=1)
    assert members(splits["val"]) == list(range(130, 150))
    assert members(splits["train"]) == list(range(100))


def test_splitting_does_not_change_the_store(folder: Path) -> None:
    store, _ = Numbers(str(folder)).splits(seed=1)
    assert members(store.splits["train"]) == list(range(100))
    assert "val" not in store.splits


def test_the_same_files_and_options_give_one_store(folder: Path) -> None:
    Numbers(str(folder)).store()
    Numbers(str(folder), batch_size=7, val_fraction=0.5).store()
    assert len(stores(folder)) == 1


def test_a_file_of_another_size_gives_another_store(folder: Path) -> None:
    Numbers(str(folder)).store()
    file, stat = folder / "numbers.txt", (folder / "numbers.txt").stat()
    file.write_text("0 to 149, and more")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    Numbers(str(folder)).store()
    assert len(stores(folder)) == 2


def test_a_file_of_another_time_gives_another_store(folder: Path) -> None:
    Numbers(str(folder)).store()
    os.utime(folder / "numbers.txt", ns=(1, 1))
    Numbers(str(folder)).store()
    assert len(stores(folder)) == 2


def test_another_option_gives_another_store(folder: Path) -> None:
    Numbers(str(folder)).store()
    assert "val" in Numbers(str(folder), official_val=True).store().splits
    assert len(stores(folder)) == 2


def test_a_moved_folder_keeps_its_store(folder: Path) -> None:
    Numbers(str(folder)).store()
    moved = folder.rename(folder.with_name("moved"))
    Numbers(str(moved)).store()
    assert len(stores(moved)) == 1


def test_a_file_moved_within_the_folder_gives_another_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Numbers(str(folder)).store()
    (folder / "deeper").mkdir()
    moved = (folder / "numbers.txt").rename(folder / "deeper" / "numbers.txt")
    monkeypatch.setattr(Numbers, "files", lambda self: [moved])
    Numbers(str(folder)).store()
    assert len(stores(folder)) == 2


def test_a_file_is_searched_in_the_working_directory_and_then_in_dir(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = Numbers(str(folder))
    assert source._locate("numbers.txt") == folder / "numbers.txt"
    assert source._locate(str(folder / "numbers.txt")) == folder / "numbers.txt"
    (tmp_path / "numbers.txt").touch()
    assert source._locate("numbers.txt") == tmp_path / "numbers.txt"
    with pytest.raises(
        ValueError,
        match=rf"data\.file=letters\.txt: must be an existing file\. Searched in the .* and in {folder}",
    ):
        source._locate("letters.txt")


def test_a_tilde_is_the_home_directory(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    source = Numbers("~/official")
    assert source.dir == folder
    assert source._locate("~/official/numbers.txt") == folder / "numbers.txt"


def test_a_store_of_a_read_only_folder_is_in_the_cache_directory(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "cache"))
    folder.chmod(0o555)
    if os.access(folder, os.W_OK):  # root can write to every folder
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert len(Numbers(str(folder)).store().splits["train"]) == 100
    folder.chmod(0o755)
    assert [path.name for path in folder.iterdir()] == ["numbers.txt"]
    assert len(list((tmp_path / "cache").rglob("numbers-*/spec.json"))) == 1


@pytest.mark.parametrize("value", [0, -1])
def test_a_batch_size_below_one_raises_an_error(value: int) -> None:
    with pytest.raises(ValueError, match=rf"data\.batch_size={value}: must be at least 1"):
        Numbers("anywhere", batch_size=value)


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, float("nan")])
def test_a_val_fraction_out_of_range_raises_an_error(value: float) -> None:
    with pytest.raises(ValueError, match=rf"data\.val_fraction={value}: must be above 0 and below 1"):
        Numbers("anywhere", val_fraction=value)


@pytest.mark.parametrize(("num_train", "fraction"), [(1, 0.5), (1, 0.01), (2, 0.99), (10, 0.99)])
def test_a_val_fraction_that_leaves_no_training_samples_raises_an_error(
    folder: Path, num_train: int, fraction: float
) -> None:
    with pytest.raises(ValueError, match=f"must leave samples for training; the training split has {num_train}"):
        Numbers(str(folder), num_train=num_train, val_fraction=fraction).splits(seed=1)


@pytest.mark.parametrize("stratified", [False, True])
@pytest.mark.parametrize("num_train", [2, 4, 10])
def test_a_small_training_split_gives_one_sample_to_val(
    folder: Path, monkeypatch: pytest.MonkeyPatch, num_train: int, stratified: bool
) -> None:
    monkeypatch.setattr(Numbers, "stratified", stratified)
    _, splits = Numbers(str(folder), num_train=num_train, val_fraction=0.01).splits(seed=1)
    assert (len(splits["train"]), len(splits["val"])) == (num_train - 1, 1)
    assert sorted(members(splits["train"]) + members(splits["val"])) == list(range(num_train))


def test_a_store_is_built_beside_the_official_files(mnist_dir: Path) -> None:
    MNIST(str(mnist_dir)).store()
    assert [path.name.split("-")[0] for path in stores(mnist_dir)] == ["mnist"]


def test_val_has_the_same_fraction_of_every_class(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Numbers, "stratified", True)
    for seed in range(5):
        _, splits = Numbers(str(folder), val_fraction=0.2).splits(seed)
        classes = splits["val"].take(torch.arange(20))[1]
        assert classes.bincount().tolist() == [10, 10]
