import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from firstlight.files import atomic_write, output_file, read_text, write_json, write_text


def write_half(path: Path) -> None:
    with atomic_write(path) as file:
        file.write(b"half of the ne")
        raise RuntimeError("the power went")


def test_an_atomic_write_writes_the_content_and_leaves_no_other_file(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "file") as file:
        file.write(b"\x00new")
    assert (tmp_path / "file").read_bytes() == b"\x00new"
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_the_folder_of_an_output_file_is_created(tmp_path: Path) -> None:
    with output_file("output", tmp_path / "new" / "file"):
        write_text(tmp_path / "new" / "file", "text")
    assert (tmp_path / "new" / "file").read_text() == "text"


def test_a_file_that_cannot_be_written_raises_an_error_that_names_its_key(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "below"
    with (
        pytest.raises(ValueError, match=r"^output=.*file/below: must be a writable path"),
        output_file("output", place),
    ):
        raise AssertionError("there is no folder to write to")


def test_a_text_is_read_in_its_encoding_and_a_damaged_one_raises_an_error(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_bytes("\ufefffür".encode())
    assert read_text(tmp_path / "good.txt") == "für"
    (tmp_path / "windows.txt").write_bytes("für".encode("latin-1"))
    assert read_text(tmp_path / "windows.txt") == "für"
    (tmp_path / "bad.txt").write_bytes("für über".encode() + b" f\xfcr")
    with pytest.raises(ValueError, match=r"bad\.txt: cannot read \(byte 12 is 0xfc, which is not UTF-8"):
        read_text(tmp_path / "bad.txt")


def test_an_error_leaves_the_old_file_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="the power went"):
        write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_no_new_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="the power went"):
        write_half(tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_the_old_file_exists_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_concurrent_writes_leave_one_complete_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    texts = [str(digit) * 10_000 for digit in range(10)]
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda text: write_text(path, text), texts))
    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_written_as_utf_8_without_changed_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "é\n数\r\n")
    assert (tmp_path / "file").read_bytes() == "é\n数\r\n".encode()


def test_written_json_can_be_read(tmp_path: Path) -> None:
    values = {"val/loss": 0.1, "labels": ["é", "b"], "nothing": None}
    write_json(tmp_path / "file", values)
    assert json.loads((tmp_path / "file").read_text()) == values


def test_values_that_json_cannot_represent_leave_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(TypeError):
        write_json(path, {"path": path})
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\xff\xd8\xff\xe1\xe2\xe3", "a JPEG image"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"GIF89a", "a GIF image"),
        (b"II*\0\x08\0\0\0", "a TIFF image"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "a WebP image"),
        (b"\0\0\0\x18ftypheic", "a video, or a HEIC or AVIF image"),
        (b"%PDF-1.7\nplain letters", "a PDF file"),
        (b"7z\xbc\xaf'\x1c", "a 7z archive"),
        (b"Rar!\x1a\x07\x01", "a RAR archive"),
        (b"name.txt".ljust(257, b"\0") + b"ustar", "a tar archive"),
        (b"letters \0 and \xe9", "byte 8 is NUL"),
        (b"letters \0 alone", "byte 8 is NUL"),
    ],
)
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_binary_file_is_not_read_as_text(content: bytes, what: str, is_packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "mail.txt"
    path.write_bytes(gzip.compress(content) if is_packed else content)
    with pytest.raises(ValueError, match=f"mail.txt: cannot read .it is binary: {what}.*To fix: name a text file"):
        read_text(path)


@pytest.mark.parametrize(
    "text", ["RIFF or WEBP?", "The ftype", "GIF images", "PK, see you", "x" * 257 + "ustar", "%PDF"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_text_on_files_is_not_taken_for_one(text: str, encoding: str, tmp_path: Path) -> None:
    (tmp_path / "mail.txt").write_bytes(text.encode(encoding))
    assert read_text(tmp_path / "mail.txt") == text
