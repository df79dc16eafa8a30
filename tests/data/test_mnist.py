import gzip
from pathlib import Path

import numpy as np
import pytest

from firstlight.data import MNIST
from firstlight.data.store import Store
from helpers.generate import write_idx

NAMES = [name.removesuffix(".gz") for name in MNIST.hashes]


def stores(folder: Path) -> list[Path]:
    return [path for path in (folder / ".firstlight").glob("*") if path.is_dir()]


def is_tiny_mnist(store: Store) -> bool:
    return (len(store.splits["train"]), len(store.splits["test"]), store.spec.input_shape) == (200, 50, (1, 28, 28))


def error_for(folder: Path, name: str) -> str:
    """Return the error message for the file, and check that there is no store."""
    with pytest.raises(ValueError, match=name) as caught:
        MNIST(str(folder)).store()
    assert stores(folder) == []
    return str(caught.value)


def test_the_folder_of_torchvision_is_read(mnist_dir: Path) -> None:
    store = MNIST(str(mnist_dir)).store()
    assert is_tiny_mnist(store)
    assert store.splits["train"].targets.tolist() == [number % 10 for number in range(200)]
    assert (store.spec.num_outputs, store.spec.labels) == (10, tuple("0123456789"))


def test_files_in_dir_are_read(mnist_dir: Path) -> None:
    assert is_tiny_mnist(MNIST(str(mnist_dir / "MNIST" / "raw")).store())


def test_gzip_files_give_the_same_images(mnist_dir: Path) -> None:
    raw = mnist_dir / "MNIST" / "raw"
    plain = MNIST(str(mnist_dir)).read()[1]
    for name in NAMES:
        (raw / f"{name}.gz").write_bytes(gzip.compress((raw / name).read_bytes()))
        (raw / name).unlink()
    for folder in (mnist_dir, raw):
        packed = MNIST(str(folder)).read()[1]
        assert np.array_equal(packed["train"].inputs, plain["train"].inputs)
        assert np.array_equal(packed["test"].targets, plain["test"].targets)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [0, 6, -1])
def test_a_truncated_file_raises_an_error(mnist_dir: Path, name: str, length: int) -> None:
    path = mnist_dir / "MNIST" / "raw" / name
    path.write_bytes(path.read_bytes()[:length])
    assert "delete this file and get it again" in error_for(mnist_dir, str(path))


@pytest.mark.parametrize("name", NAMES)
def test_a_web_page_instead_of_a_file_raises_an_error(mnist_dir: Path, name: str) -> None:
    path = mnist_dir / "MNIST" / "raw" / name
    path.write_text("<!DOCTYPE html><title>Not Found</title>")
    assert "not an IDX file" in error_for(mnist_dir, str(path))


def test_a_truncated_gzip_file_raises_an_error(mnist_dir: Path) -> None:
    plain = mnist_dir / "MNIST" / "raw" / NAMES[0]
    packed = plain.with_name(f"{plain.name}.gz")
    packed.write_bytes(gzip.compress(plain.read_bytes())[:-100])
    plain.unlink()
    assert "cannot read" in error_for(mnist_dir, str(packed))


def test_a_label_out_of_range_raises_an_error(mnist_dir: Path) -> None:
    path = mnist_dir / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    labels = np.arange(50) % 10
    labels[31] = 10
    write_idx(path, labels)
    assert "sample 31 has the label 10" in error_for(mnist_dir, str(path))


def test_fewer_labels_than_images_raise_an_error(mnist_dir: Path) -> None:
    path = mnist_dir / "MNIST" / "raw" / "train-labels-idx1-ubyte"
    write_idx(path, np.zeros(199))
    assert "labels (199,) do not match the images (200, 28, 28)" in error_for(mnist_dir, str(path))


def test_images_instead_of_labels_raise_an_error(mnist_dir: Path) -> None:
    raw = mnist_dir / "MNIST" / "raw"
    (raw / "train-labels-idx1-ubyte").write_bytes((raw / "train-images-idx3-ubyte").read_bytes())
    error_for(mnist_dir, str(raw / "train-labels-idx1-ubyte"))


def test_splits_with_different_image_sizes_raise_an_error(mnist_dir: Path) -> None:
    path = mnist_dir / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    write_idx(path, np.zeros((50, 20, 24)))
    assert "its images have (20, 24) pixels" in error_for(mnist_dir, str(path))


def test_a_training_split_without_images_raises_an_error(mnist_dir: Path) -> None:
    raw = mnist_dir / "MNIST" / "raw"
    write_idx(raw / "train-images-idx3-ubyte", np.zeros((0, 28, 28)))
    write_idx(raw / "train-labels-idx1-ubyte", np.zeros(0))
    error_for(mnist_dir, str(raw / "train-images-idx3-ubyte"))


def test_a_repaired_file_is_read(mnist_dir: Path) -> None:
    path = mnist_dir / "MNIST" / "raw" / NAMES[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    error_for(mnist_dir, str(path))
    path.write_bytes(whole)
    assert is_tiny_mnist(MNIST(str(mnist_dir)).store())
