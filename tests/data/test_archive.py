import gzip
import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from firstlight.data.archive import tar_files, zip_files, zip_names

FILES = {"a.txt": b"first" * 300, "./folder/b.txt": b"", "folder/c.txt": b"third"}
OUTSIDE = ["../x", "folder/../../x", "/x", "//x", "..\\x", "\\x", "C:\\x", "C:x"]


def tar(members: dict[str, bytes], *others: tarfile.TarInfo) -> bytes:
    """A tar, not compressed."""
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


def refused(path: Path) -> str:
    """What is said of a tar or a zip."""
    with pytest.raises(ValueError, match=f"^{path}: not an archive that can be read") as caught:
        list(tar_files(path) if path.suffix == ".gz" else zip_files(path, zip_names(path)))
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "files.tar.gz"


def test_the_files_of_a_tar_come_in_their_order(path: Path) -> None:
    folder = tarfile.TarInfo("folder")
    folder.type = tarfile.DIRTYPE
    path.write_bytes(gzip.compress(tar(FILES, folder)))
    names = ["a.txt", "folder/b.txt", "folder/c.txt"]
    assert list(tar_files(path)) == list(zip(names, FILES.values(), strict=True))


def test_a_tar_that_is_cut_anywhere_is_refused(path: Path) -> None:
    whole = gzip.compress(tar(FILES))
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refused(path)


def test_a_tar_with_an_altered_byte_is_refused_wherever_it_is(path: Path) -> None:
    whole = gzip.compress(tar(FILES), compresslevel=0)
    for place in range(24, len(whole), 7):  # behind the headers of gzip and of its first block
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        refused(path)


def test_an_altered_byte_behind_the_end_marker_is_refused(path: Path) -> None:
    whole = gzip.compress(tar(FILES), compresslevel=0)
    assert whole[-1000:-8] == bytes(992)  # tar fills up with zeros, then comes the checksum
    path.write_bytes(whole[:-500] + b"x" + whole[-499:])
    assert "CRC check failed" in refused(path)


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_member_that_points_outside_is_refused(path: Path, name: str) -> None:
    path.write_bytes(gzip.compress(tar(FILES | {name: b"harm"})))
    assert f"its member {name} points outside of it" in refused(path)
    assert f"its member {name} points outside of it" in refused(write_zip(path.with_name("files.zip"), {name: b"harm"}))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_in_a_tar_are_refused(path: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("link")
    member.type, member.linkname = kind, "a.txt"
    path.write_bytes(gzip.compress(tar(FILES, member)))
    assert "its member link is a link or a device" in refused(path)


def test_a_number_that_tar_cannot_hold_is_refused(path: Path) -> None:
    member = tarfile.TarInfo("far")
    header = bytearray(member.tobuf())
    header[124:136] = b"\x80" + b"\x7f" * 11  # its size, in base 256
    header[148:156] = b"%06o\0 " % sum(header[:148] + b" " * 8 + header[156:])
    path.write_bytes(gzip.compress(bytes(header)))
    refused(path)


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html>", b"PK\x03\x04"])
def test_what_is_no_archive_is_refused(path: Path, content: bytes) -> None:
    for place in (path, path.with_name("files.zip")):
        place.write_bytes(content)
        refused(place)


def test_a_zip_gives_the_files_that_are_asked_for(path: Path) -> None:
    members = {"a.txt": b"first", "b.txt": b"second"}
    write_zip(path, members)
    assert zip_names(path) == ["a.txt", "b.txt"]
    assert zip_files(path, ["b.txt"]) == [b"second"]


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "files.zip", "w") as archive:
        archive.writestr(link, "../outside")
    assert "its member link is a link" in refused(tmp_path / "files.zip")


def test_a_zip_that_is_cut_or_altered_is_refused(tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "files.zip", {"a.txt": bytes(range(256)) * 9}).read_bytes()
    for length in range(len(whole)):
        (tmp_path / "files.zip").write_bytes(whole[:length])
        refused(tmp_path / "files.zip")
    for place in range(40, 200, 3):  # in what is compressed
        (tmp_path / "files.zip").write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
        refused(tmp_path / "files.zip")
