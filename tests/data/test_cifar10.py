import io
import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from firstlight.data import CIFAR10
from helpers.generate import CIFAR10_BATCHES, CIFAR10_SAMPLES, cifar10_batch, cifar10_binary, write_files


def pickled() -> dict[str, bytes]:
    """Return the six files of the Python version."""
    batches = {name: cifar10_batch(number) for number, name in enumerate(CIFAR10_BATCHES)}
    return {name: pickle.dumps({b"data": x, b"labels": y.tolist()}, protocol=2) for name, (x, y) in batches.items()}


def write_archive(path: Path, folder: str, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.fixture(params=["binary", "python", "binary archive", "python archive"])
def official(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with CIFAR-10 in one of its four official forms."""
    files = cifar10_binary() if "binary" in request.param else pickled()
    folder = "cifar-10-batches-bin" if "binary" in request.param else "cifar-10-batches-py"
    if "archive" in request.param:
        write_archive(tmp_path / f"cifar-10-{request.param.split()[0]}.tar.gz", folder, files)
    else:
        write_files(tmp_path / folder, files)
    return tmp_path


def test_every_official_form_gives_the_same_images(official: Path) -> None:
    store = CIFAR10(str(official)).store()
    assert store.spec.input_shape == (3, 32, 32)
    assert store.spec.labels[3] == "cat"
    for split, numbers in (("train", range(5)), ("test", [5])):
        pixels = np.concatenate([cifar10_batch(number)[0] for number in numbers]).reshape(-1, 3, 32, 32)
        assert np.array_equal(store.splits[split].inputs.numpy(), pixels)
        assert store.splits[split].targets.tolist() == [
            y for number in numbers for y in cifar10_batch(number)[1].tolist()
        ]


@pytest.mark.parametrize("length", [0, 1, 3072, 3073 * CIFAR10_SAMPLES - 1])
def test_a_truncated_binary_file_raises_an_error(tmp_path: Path, length: int) -> None:
    folder = write_files(tmp_path / "cifar-10-batches-bin", cifar10_binary())
    path = folder / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"data_batch_3\.bin: cannot read \([\d,]+ bytes are not a multiple of 3,073"):
        CIFAR10(str(tmp_path)).store()
    assert not list(tmp_path.rglob("*.npy"))


@pytest.mark.parametrize("length", [0, 10, 1000, 30_000])
def test_a_truncated_python_file_raises_an_error(tmp_path: Path, length: int) -> None:
    folder = write_files(tmp_path / "cifar-10-batches-py", pickled())
    path = folder / "test_batch"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"test_batch: cannot read \("):
        CIFAR10(str(tmp_path)).store()


@pytest.mark.parametrize("version", ["binary", "python"])
@pytest.mark.parametrize("cut", [-1, -4, -8, 50_000])
def test_a_truncated_archive_raises_an_error(tmp_path: Path, version: str, cut: int) -> None:
    path = tmp_path / f"cifar-10-{version}.tar.gz"
    write_archive(path, "cifar-10-batches", cifar10_binary() if version == "binary" else pickled())
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=f"{path}: cannot read"):
        CIFAR10(str(tmp_path)).store()
    assert not list(tmp_path.rglob("*.npy"))


def test_an_archive_with_an_altered_byte_raises_an_error(tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-binary.tar.gz"
    write_archive(path, "cifar-10-batches-bin", cifar10_binary())
    content = bytearray(path.read_bytes())
    content[100_000] ^= 1  # a pixel, because gzip stores noise without compression
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{path}: cannot read \(CRC check failed"):
        CIFAR10(str(tmp_path)).store()


def test_an_archive_without_the_files_raises_an_error(tmp_path: Path) -> None:
    write_archive(tmp_path / "cifar-10-binary.tar.gz", "photos", {"one.jpg": b"..."})
    with pytest.raises(ValueError, match=r"cannot read \(data_batch_1 is missing\)"):
        CIFAR10(str(tmp_path)).store()


def test_a_pickle_with_a_command_raises_an_error_and_runs_nothing(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, (f"touch {tmp_path}/harm",)

    files = pickled() | {"data_batch_1": pickle.dumps(Hostile())}
    write_files(tmp_path / "cifar-10-batches-py", files)
    with pytest.raises(ValueError, match=r"the pickle loads posix\.system"):
        CIFAR10(str(tmp_path)).store()
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 2], "cannot read"),
        ({b"data": [1, 2], b"labels": [0, 1]}, r".*contains int64 of \(2,\) with 2 classes"),
        ({b"data": b"pixels", b"labels": [0]}, r".*contains \|S6 of \(\)"),
        ({b"data": np.zeros((0, 3072), np.uint8), b"labels": []}, r".*contains uint8 of \(0, 3072\) with 0 classes"),
        ({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0]}, r".*contains uint8 of \(2, 3072\) with 1 classes"),
        ({b"data": np.zeros((1, 3072), np.uint8), b"labels": [10**30]}, "cannot read"),
    ],
)
def test_a_pickle_of_other_data_raises_an_error(tmp_path: Path, values: object, message: str) -> None:
    write_files(tmp_path / "cifar-10-batches-py", pickled() | {"data_batch_4": pickle.dumps(values)})
    with pytest.raises(ValueError, match=f"{tmp_path}/cifar-10-batches-py/data_batch_4: {message}") as caught:
        CIFAR10(str(tmp_path)).store()
    assert "get this file of CIFAR-10 again" in str(caught.value)
    assert not list(tmp_path.rglob("*.npy"))


def test_a_class_out_of_range_raises_an_error(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "cifar-10-batches-bin", cifar10_binary())
    content = bytearray((folder / "test_batch.bin").read_bytes())
    content[3073 * 7] = 10
    (folder / "test_batch.bin").write_bytes(content)
    with pytest.raises(ValueError, match=r"test_batch\.bin: cannot read \(image 7 has the class 10"):
        CIFAR10(str(tmp_path)).store()


def test_an_error_without_a_network_says_where_to_put_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:9/")
    with pytest.raises(ValueError, match=r"put cifar-10-binary\.tar\.gz or cifar-10-python\.tar\.gz into"):
        CIFAR10(str(tmp_path)).store()
