import gzip
import hashlib
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torchvision import datasets

from firstlight.config.compose import compose
from firstlight.data import TorchVision
from firstlight.runs.evaluate import evaluate
from firstlight.training.run import resume, train
from helpers.generate import write_classes, write_idx, write_mnist
from helpers.runs import TINY, forbid_network

FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def write_cifar100(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the pickles of CIFAR-100, and replace the checksums that torchvision demands of them."""
    base = folder / "cifar-100-python"
    base.mkdir(parents=True)
    names = [f"class_{number:03}" for number in range(100)]
    pixels = np.random.default_rng(0).integers(0, 256, (200, 3072), dtype=np.uint8)
    contents: dict[str, Any] = {
        "train": {"data": pixels, "fine_labels": [number % 100 for number in range(200)]},
        "test": {"data": pixels[:100], "fine_labels": list(range(100))},
        "meta": {"fine_label_names": names},
    }
    sums = {}
    for name, content in contents.items():
        (base / name).write_bytes(pickle.dumps(content))
        sums[name] = hashlib.md5((base / name).read_bytes()).hexdigest()
    monkeypatch.setattr(datasets.CIFAR100, "train_list", [["train", sums["train"]]])
    monkeypatch.setattr(datasets.CIFAR100, "test_list", [["test", sums["test"]]])
    monkeypatch.setattr(datasets.CIFAR100, "meta", datasets.CIFAR100.meta | {"md5": sums["meta"]})


def test_fashion_mnist_trains_resumes_and_evaluates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_network(monkeypatch)
    write_mnist(tmp_path, name="FashionMNIST")
    words = ["data=torchvision", f"data.dir={tmp_path}", *TINY]
    metrics = train(compose(*words), run_dir=tmp_path / "run")
    assert evaluate(tmp_path / "run")["test/accuracy"] == metrics["test/accuracy"]
    assert (tmp_path / "run" / "data.json").exists()
    resume(tmp_path / "run", max_epochs=3)
    write_idx(tmp_path / "FashionMNIST" / "raw" / "t10k-labels-idx1-ubyte", np.zeros(50, np.uint8))
    with pytest.raises(ValueError, match=r"other targets in test|class .* has"):
        evaluate(tmp_path / "run")


def test_labels_and_splits_are_the_official_ones(tmp_path: Path) -> None:
    write_mnist(tmp_path, name="FashionMNIST")
    store, splits = TorchVision(str(tmp_path)).splits(seed=1)
    assert store.spec.labels == FASHION
    assert [len(splits[name]) for name in ("train", "val", "test")] == [180, 20, 50]
    assert store.spec.input_shape == (1, 28, 28)


def test_cifar100_is_read_from_its_pickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar100(tmp_path, monkeypatch)
    store = TorchVision(str(tmp_path), name="CIFAR100").store()
    assert store.spec.labels == tuple(f"class_{number:03}" for number in range(100))
    pixels = np.random.default_rng(0).integers(0, 256, (200, 3072), dtype=np.uint8)
    assert (store.splits["train"].inputs.numpy().reshape(200, 3072) == pixels).all()


def test_emnist_letters_have_26_classes(tmp_path: Path) -> None:
    raw = tmp_path / "EMNIST" / "raw"
    raw.mkdir(parents=True)
    for split in ("train", "test"):
        labels = np.arange(52) % 26 + 1  # EMNIST counts letters from 1
        write_idx(raw / f"emnist-letters-{split}-images-idx3-ubyte", np.zeros((52, 28, 28)))
        write_idx(raw / f"emnist-letters-{split}-labels-idx1-ubyte", labels)
    store = TorchVision(str(tmp_path), name="EMNIST", options={"split": "letters"}).store()
    assert "".join(store.spec.labels) == "abcdefghijklmnopqrstuvwxyz"
    assert "classes without samples are left out: N/A" in store.remarks


def test_a_single_split_is_all_of_the_data(tmp_path: Path) -> None:
    write_mnist(tmp_path, name="KMNIST")
    _, splits = TorchVision(str(tmp_path), name="KMNIST", options={"train": False}).splits(seed=1)
    assert sum(map(len, splits.values())) == 50
    options = {"size": 60, "image_size": [3, 8, 8], "num_classes": 3}
    store, splits = TorchVision(str(tmp_path), name="FakeData", options=options).splits(seed=1)
    assert sum(map(len, splits.values())) == 60
    assert store.spec.input_shape == (3, 8, 8)


def test_image_folder_does_not_take_its_store_for_a_class(tmp_path: Path) -> None:
    write_classes(tmp_path / "photos", 8)
    for _ in range(2):
        store = TorchVision(str(tmp_path / "photos"), name="ImageFolder").store()
        assert store.spec.labels == ("cat", "dog")
    assert (tmp_path / ".firstlight").is_dir()


class _Split(datasets.VisionDataset):
    """A data set with an argument `split` that knows some values, as those of torchvision do."""

    known: tuple[str, ...] = ()
    classes = ("a", "b")

    def __init__(self, root: str, split: str = "train", transform: Any = None) -> None:
        datasets.utils.verify_str_arg(split, "split", self.known)
        super().__init__(root)

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index: int) -> tuple[Image.Image, int]:
        return Image.new("L", (4, 4), index), index % 2


@pytest.mark.parametrize(
    ("known", "sizes", "says"),
    [
        (("train", "val", "test"), [20, 20, 20], False),
        (("trainval", "test"), [18, 2, 20], False),
        (("train", "valid", "test"), [20, 20, 20], False),
        (("train", "val"), [18, 2, 20], True),
        (("train", "test", "extra", "unlabeled"), [18, 2, 20], False),
    ],
)
def test_splits_are_found_by_the_values_that_the_class_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: tuple[str, ...], sizes: list[int], says: bool
) -> None:
    monkeypatch.setattr(_Split, "known", known)
    monkeypatch.setattr(datasets, "DTD", _Split)
    store, splits = TorchVision(str(tmp_path), name="DTD").splits(seed=1)
    assert [len(splits[name]) for name in ("train", "val", "test")] == sizes
    assert any("val is used for testing" in line for line in store.remarks) == says


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"name": "FashonMNIST"},
            r"^data\.name=FashonMNIST: unknown data set of torchvision, did you mean 'FashionMNIST'",
        ),
        ({"name": "LSUN"}, r"^data\.name=LSUN: unknown data set"),
        (
            {"name": "EMNIST", "options": {"splitt": "letters"}},
            r"data\.options\.splitt: unknown .*'data\.options\.split'",
        ),
        (
            {"name": "EMNIST", "options": {"split": "words"}},
            r"^data\.options: EMNIST refuses them \(Unknown value 'words'",
        ),
        ({"name": "EMNIST"}, r"^data\.options: EMNIST refuses them .*'split'"),
        ({"options": {"root": "x"}}, r"^data\.options\.root: must be left out.*data\.dir="),
        ({"options": "letters"}, r"^data\.options=letters: must be arguments of FashionMNIST"),
        ({"name": "ImageFolder"}, r"cannot read \(.*as torchvision\.datasets\.ImageFolder expects them"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TorchVision(str(tmp_path), **options).store()


@pytest.mark.parametrize(
    ("name", "files", "place"),
    [
        ("KMNIST", "train-images-idx3-ubyte.gz, .*t10k-labels-idx1-ubyte.gz", "KMNIST/raw"),
        ("CIFAR100", r"\(cifar-100-python.tar.gz\)", ""),
        ("SVHN", "train_32x32.mat, test_32x32.mat", ""),
        ("Food101", "food-101.tar.gz", ""),
        ("EuroSAT", "", ""),
    ],
)
def test_without_a_network_the_error_names_the_files_and_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, files: str, place: str
) -> None:
    forbid_network(monkeypatch)
    start = time.monotonic()
    message = rf"^data\.name={name}: cannot be downloaded .*{files}.* into {tmp_path / place},.*data\.dir=$"
    with pytest.raises(ValueError, match=message):
        TorchVision(str(tmp_path), name=name).store()
    assert time.monotonic() - start < 10


def test_an_archive_is_unpacked_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_network(monkeypatch)
    write_mnist(tmp_path, name="KMNIST")
    raw = tmp_path / "KMNIST" / "raw"
    sums = []
    for path in sorted(raw.iterdir()):
        archive = raw / f"{path.name}.gz"
        archive.write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
        sums.append((archive.name, hashlib.md5(archive.read_bytes()).hexdigest()))
    monkeypatch.setattr(datasets.KMNIST, "resources", sums)
    assert len(TorchVision(str(tmp_path), name="KMNIST").store().splits["test"]) == 50
