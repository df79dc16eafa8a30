import gzip
from pathlib import Path

import numpy as np
import pytest

from firstlight.data.files.idx import read_idx
from helpers.generate import write_idx

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
HEADER = 16


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_idx(tmp_path / "images", IMAGES)
    return tmp_path / "images"


def test_a_plain_file_is_read(path: Path) -> None:
    assert np.array_equal(read_idx(path), IMAGES)
    assert read_idx(path).dtype == np.uint8


def test_a_gzip_file_is_read(path: Path) -> None:
    packed = path.with_suffix(".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert np.array_equal(read_idx(packed), IMAGES)


def test_an_array_of_one_dimension_is_read(tmp_path: Path) -> None:
    write_idx(tmp_path / "labels", np.array([3, 1, 2]))
    assert read_idx(tmp_path / "labels").tolist() == [3, 1, 2]


@pytest.mark.parametrize("length", range(HEADER + IMAGES.size))
def test_a_truncated_file_raises_an_error(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=str(path)):
        read_idx(path)


def test_a_file_longer_than_its_header_says_raises_an_error(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\x00")
    with pytest.raises(ValueError, match=rf"{path}: cannot read \(it has 41 bytes, but its header says 40"):
        read_idx(path)


@pytest.mark.parametrize("magic", [b"\x00\x00\x0d\x03", b"\x1f\x8b\x08\x00", b"<htm", b"\x00\x01\x08\x03"])
def test_a_wrong_magic_number_raises_an_error(path: Path, magic: bytes) -> None:
    path.write_bytes(magic + path.read_bytes()[4:])
    with pytest.raises(ValueError, match=rf"{path}: cannot read \(it is not an IDX file of bytes"):
        read_idx(path)


@pytest.mark.parametrize("length", [1, 5, 15, 30])
def test_a_truncated_gzip_file_raises_an_error(path: Path, length: int) -> None:
    packed = path.with_suffix(".gz")
    packed.write_bytes(gzip.compress(path.read_bytes())[:length])
    with pytest.raises(ValueError, match=rf"{packed}: cannot read \("):
        read_idx(packed)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_a_file_that_is_not_gzip_raises_an_error(tmp_path: Path, content: bytes) -> None:
    packed = tmp_path / "images.gz"
    packed.write_bytes(content)
    with pytest.raises(ValueError, match=str(packed)):
        read_idx(packed)


def test_an_altered_gzip_file_raises_an_error(path: Path) -> None:
    packed = path.with_suffix(".gz")
    content = bytearray(gzip.compress(path.read_bytes()))
    content[-6] ^= 1  # in the checksum
    packed.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{packed}: cannot read \("):
        read_idx(packed)


def test_sizes_whose_product_overflows_raise_an_error(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(b"\x00\x00\x08\x04" + (2**16).to_bytes(4, "big") * 4)
    with pytest.raises(ValueError, match=str(path)):
        read_idx(path)
