import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from firstlight.data.files.archive import tar_files, zip_files, zip_names

FILES = {"a.txt": b"first" * 300, "./folder/b.txt": b"", "folder/c.txt": b"third"}


def tar(members: dict[str, bytes], *others: tarfile.TarInfo) -> bytes:
    """Return an uncompressed tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in others:
            archive.addfile(member)
    return buffer.getvalue()


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def error_for(path: Path) -> str:
    """Return the error message for a damaged tar or zip."""
    with pytest.raises(ValueError, match=rf"^{path}: cannot read \(") as caught:
        list(tar_files(path) if path.suffix == ".gz" else zip_files(path, zip_names(path)))
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "files.tar.gz"


def test_the_files_of_a_tar_keep_their_order(path: Path) -> None:
    folder = tarfile.TarInfo("folder")
    folder.type = tarfile.DIRTYPE
    path.write_bytes(gzip.compress(tar(FILES, folder)))
    names = ["a.txt", "folder/b.txt", "folder/c.txt"]
    assert list(tar_files(path)) == list(zip(names, FILES.values(), strict=True))


def test_a_tar_that_is_truncated_anywhere_raises_an_error(path: Path) -> None:
    whole = gzip.compress(tar(FILES))
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        error_for(path)


def test_a_tar_with_any_altered_byte_raises_an_error(path: Path) -> None:
    whole = gzip.compress(tar(FILES), compresslevel=0)
    for place in range(24, len(whole), 7):  # after the headers of gzip and of its first block
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        error_for(path)


def test_an_altered_byte_after_the_end_marker_raises_an_error(path: Path) -> None:
    whole = gzip.compress(tar(FILES), compresslevel=0)
    assert whole[-1000:-8] == bytes(992)  # zeros that pad the tar, before the checksum
    path.write_bytes(whole[:-500] + b"x" + whole[-499:])
    assert "CRC check failed" in error_for(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tar_are_skipped(path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("link")
    member.type, member.linkname = kind, "a.txt"
    path.write_bytes(gzip.compress(tar(FILES, member)))
    assert [name for name, _ in tar_files(path)] == ["a.txt", "folder/b.txt", "folder/c.txt"]


def test_a_file_size_that_overflows_raises_an_error(path: Path) -> None:
    member = tarfile.TarInfo("far")
    header = bytearray(member.tobuf())
    header[124:136] = b"\x80" + b"\x7f" * 11  # its size, in base 256
    header[148:156] = b"%06o\0 " % sum(header[:148] + b" " * 8 + header[156:])
    path.write_bytes(gzip.compress(bytes(header)))
    error_for(path)


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html>", b"PK\x03\x04"])
def test_a_file_that_is_not_an_archive_raises_an_error(path: Path, content: bytes) -> None:
    for place in (path, path.with_name("files.zip")):
        place.write_bytes(content)
        error_for(place)


def test_the_named_files_of_a_zip_are_read(path: Path) -> None:
    members = {"a.txt": b"first", "b.txt": b"second"}
    write_zip(path, members)
    assert zip_names(path) == ["a.txt", "b.txt"]
    assert zip_files(path, ["b.txt"]) == [b"second"]


def test_a_zip_that_is_truncated_or_altered_raises_an_error(tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "files.zip", {"a.txt": bytes(range(256)) * 9}).read_bytes()
    for length in range(len(whole)):
        (tmp_path / "files.zip").write_bytes(whole[:length])
        error_for(tmp_path / "files.zip")
    for place in range(40, 200, 3):  # in the compressed data
        (tmp_path / "files.zip").write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        error_for(tmp_path / "files.zip")
