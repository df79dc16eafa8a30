import importlib
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from firstlight.config import RunConfig
from firstlight.data import MNIST, Source, Split
from firstlight.data.store import Arrays
from firstlight.tasks.build import build_source


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


def arrays(*shape: int, dtype: str = "uint8") -> np.ndarray:
    return np.ones(shape, dtype)


CLASSES = np.array([0, 1])
TOKENS = np.array([[0, 1], [1, 1]])


class Own(Source):
    """Only `read` is defined."""

    def __init__(self, dir: str, result: Any) -> None:
        super().__init__(dir, val_fraction=0.5)
        self.result = result

    def read(self) -> Any:
        return self.result


@pytest.mark.parametrize(
    ("labels", "splits", "kinds"),
    [
        (("a", "b"), {"train": (arrays(4, 1, 3, 3), [0, 1, 1, 0])}, ("images", "classes")),
        (
            ["a", "b"],
            {"train": (torch.ones(4, 2, dtype=torch.float64), torch.tensor([0, 1, 1, 0]))},
            ("numbers", "classes"),
        ),
        (("y",), {"train": (arrays(4, 2, dtype="float16"), [1.0, 2, 3, 4])}, ("numbers", "numbers")),
        (("y", "z"), {"train": (arrays(4, 1, 2, 2), arrays(4, 2, dtype="float64"))}, ("images", "numbers")),
        (("a", "b"), {"train": (np.tile(TOKENS, (2, 1)), np.tile(TOKENS, (2, 1)))}, ("tokens", "tokens")),
    ],
)
def test_a_source_needs_nothing_but_read(tmp_path: Path, labels: Any, splits: Any, kinds: tuple[str, str]) -> None:
    source = Own(str(tmp_path), (labels, splits | {"test": splits["train"]}))
    store, found = source.splits(seed=1)
    assert (store.spec.kind, store.spec.targets) == kinds
    assert [len(found[name]) for name in ("train", "val", "test")] == [2, 2, 4]
    assert [path.name.split("-")[0] for path in stores(tmp_path)] == ["own"]


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ((("a", "b"), {"train": (arrays(2, 1, 3, 3), [0])}), "a target for each input: train has 2 and 1"),
        (
            (("a", "b"), {"train": (arrays(2, 1, 3, 3, dtype="float32"), CLASSES)}),
            r"\(2, 1, 3, 3\) of float32; they must be images .* uint8",
        ),
        ((("a", "b"), {"train": (arrays(2, 3, 3), CLASSES)}), r"inputs \(2, 3, 3\) of uint8; they must be images"),
        ((("a", "b"), {"train": (np.array([[1.0], [np.nan]]), CLASSES)}), "train inputs with NaN .* in sample 1"),
        ((("y",), {"train": (arrays(2, 1, dtype="float32"), [1.0, np.inf])}), "train targets with NaN or infinite"),
        (
            (("a",), {"train": (arrays(2, 1, 3, 3), CLASSES)}),
            "train classes with the number 1; with 1 labels they must be 0 to 0",
        ),
        ((("a", "b"), {"train": (arrays(2, 1, 3, 3), [0, -1])}), "train classes with the number -1"),
        ((("a", "b"), {"train": (arrays(2, 1, 3, 3), [0.0, 1.0])}), "1 targets for each sample, but 2 labels"),
        ((("a", "b"), {"train": (arrays(0, 1, 3, 3), [])}), "must return samples for train, and it is empty"),
        (
            (("a", "b"), {"train": (arrays(2, 1, 3, 3), CLASSES), "test": (arrays(0, 1, 3, 3), [])}),
            "samples for test, and",
        ),
        (
            (("a", "b"), {"train": (arrays(2, 1, 3, 3), CLASSES), "test": (arrays(2, 1, 4, 3), CLASSES)}),
            "shape of samples in test as in train",
        ),
        ((("a", "b"), {"train": (TOKENS, TOKENS), "val": (TOKENS + 1, TOKENS)}), "val tokens with the number 2"),
        ((("a", "b"), {"train": (TOKENS, CLASSES)}), "which are tokens, and targets"),
        ((("a", "b"), {"training": (TOKENS, TOKENS)}), "unknown split 'training', did you mean 'train'"),
        ((("a", "b"), {"test": (TOKENS, TOKENS)}), "the split 'train', and returns only test"),
        ((("a", "b"), {"train": TOKENS[0, 0]}), "a pair of inputs and targets for train"),
        (("ab", {"train": (TOKENS, TOKENS)}), "the labels as texts"),
        (((1, 2), {"train": (TOKENS, TOKENS)}), "the labels as texts"),
    ],
)
def test_a_contract_that_is_broken_is_named(tmp_path: Path, result: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^data: Own.*{message}"):
        Own(str(tmp_path), result).splits(seed=1)
    assert not stores(tmp_path)


def test_a_wrong_describe_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = ("a", "b"), {"train": (arrays(9, 1, 3, 3), [0, 1, 0, 1, 0, 1, 0, 1, 0])}
    spec = Own(str(tmp_path / "one"), result).store().spec
    monkeypatch.setattr(Own, "describe", lambda *_: spec.resized(4, 4))
    with pytest.raises(ValueError, match=r"Own\.describe must return the shape \(1, 3, 3\), and returns \(1, 4, 4\)"):
        Own(str(tmp_path / "two"), result).store()


def test_changed_code_of_an_own_class_builds_the_store_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import numpy as np\nfrom firstlight.data import Source\nclass Mine(Source):\n    def read(self):\n"
    code += "        inputs, targets = np.full((9, 1, 2, 2), 1, np.uint8), np.arange(9) % 2\n"
    code += "        return ('a', 'b'), {'train': (inputs, targets)}\n"
    path = tmp_path / "own_source.py"
    monkeypatch.syspath_prepend(str(tmp_path))
    for value in (1, 2):
        path.write_text(code.replace(", 1, np", f", {value}, np"))
        monkeypatch.delitem(sys.modules, "own_source", raising=False)
        importlib.invalidate_caches()
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        module = importlib.import_module("own_source")
        assert int(module.Mine(str(tmp_path)).store().splits["train"].inputs.max()) == value
    monkeypatch.delitem(sys.modules, "own_source")


def test_numbers_without_a_test_split_need_one_class_only(tmp_path: Path) -> None:
    result = ("y", "z"), {"train": (arrays(10, 1, dtype="float32"), arrays(10, 2, dtype="float32"))}
    _, splits = Own(str(tmp_path), result).splits(seed=1)
    assert len(splits["test"]) == 2


def test_a_config_that_names_another_class_is_answered_with_the_way(tmp_path: Path) -> None:
    node = {"_target_": "torchvision.datasets.FakeData", "size": 3}
    config = RunConfig.from_overrides(f"data.dir={tmp_path}")
    with pytest.raises(ValueError, match=r"must be a subclass .*, and FakeData is not\..*data=dataset data\.train="):
        build_source(replace(config, data=node))
