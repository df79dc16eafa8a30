import gzip
import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firstlight.data import MNIST
from firstlight.data.files.download import download
from helpers.generate import write_mnist
from helpers.served import Site, served

HINT = "To fix: copy the files to the folder."
CONTENT = {"images.gz": b"images" * 1000, "labels.gz": b"labels" * 100}
HASHES = {
    "images.gz": f"md5:{hashlib.md5(CONTENT['images.gz']).hexdigest()}",
    "labels.gz": f"sha256:{hashlib.sha256(CONTENT['labels.gz']).hexdigest()}",
}


@pytest.fixture
def site() -> Iterator[Site]:
    with served(dict(CONTENT)) as site:
        yield site


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_missing_files_are_downloaded(site: Site, tmp_path: Path) -> None:
    into = tmp_path / "new" / "raw"
    download(HASHES, site.url, into, HINT)
    assert {name: (into / name).read_bytes() for name in names(into)} == CONTENT


def test_existing_files_are_not_downloaded_again(site: Site, tmp_path: Path) -> None:
    (tmp_path / "images.gz").write_bytes(CONTENT["images.gz"])
    download(HASHES, site.url, tmp_path, HINT)
    assert site.asked == ["labels.gz"]


def test_no_request_is_sent_if_all_files_exist(tmp_path: Path) -> None:
    for name, content in CONTENT.items():
        (tmp_path / name).write_bytes(content)
    download(HASHES, "http://127.0.0.1:1/", tmp_path, HINT)
    assert names(tmp_path) == sorted(CONTENT)


def test_a_wrong_checksum_raises_an_error_and_leaves_no_file(site: Site, tmp_path: Path) -> None:
    site.content["images.gz"] = b"P" + CONTENT["images.gz"][1:]
    with pytest.raises(ValueError, match=r"(?s)images\.gz.*To fix: copy the files"):
        download(HASHES, site.url, tmp_path, HINT)
    assert names(tmp_path) == []


def test_two_broken_transfers_raise_an_error_and_leave_no_file(site: Site, tmp_path: Path) -> None:
    site.missing_bytes = 8000
    with pytest.raises(ValueError, match=HINT):
        download(HASHES, site.url, tmp_path, HINT)
    assert site.asked == ["images.gz", "images.gz"]
    assert names(tmp_path) == []


def test_a_broken_transfer_is_tried_a_second_time(site: Site, tmp_path: Path) -> None:
    class TruncatedOnce(dict[str, bytes]):
        def get(self, name: str, default: Any = None) -> Any:
            return self[name][:10] if site.asked.count(name) == 1 else self[name]

    site.content = TruncatedOnce(CONTENT)
    download(HASHES, site.url, tmp_path, HINT)
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == CONTENT


def test_the_first_digits_of_a_checksum_are_enough(site: Site, tmp_path: Path) -> None:
    first = {name: checksum[:15] for name, checksum in HASHES.items()}
    download(first, site.url, tmp_path, HINT)
    assert names(tmp_path) == sorted(CONTENT)
    site.content["images.gz"] = site.content["labels.gz"]
    with pytest.raises(ValueError, match=rf"the checksum of {site.url}images\.gz is not {first['images.gz']}"):
        download(first, site.url, tmp_path / "again", HINT)


def test_a_file_missing_on_the_server_raises_an_error(site: Site, tmp_path: Path) -> None:
    del site.content["labels.gz"]
    with pytest.raises(ValueError, match=r"(?s)404.*labels\.gz.*To fix: copy the files"):
        download(HASHES, site.url, tmp_path, HINT)
    assert "labels.gz" not in names(tmp_path)


def test_a_closed_port_raises_an_error_with_the_hint(tmp_path: Path) -> None:
    with socket.socket() as reserved:  # bound but not listening, so that connections to it are refused
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/files/"
        with pytest.raises(ValueError, match=rf"{url}: cannot be reached \(ConnectionError\)\. {HINT}"):
            download(HASHES, url, tmp_path / "raw", HINT)
    assert not (tmp_path / "raw").exists()


def test_a_server_that_never_answers_raises_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firstlight.data.files.download.PATIENCE", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/files/"
        with pytest.raises(ValueError, match=f"{url}: cannot be reached"):
            download(HASHES, url, tmp_path / "raw", HINT)


def test_mnist_is_downloaded_and_read(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mnist(tmp_path / "official")
    for name in MNIST.hashes:
        plain = tmp_path / "official" / "MNIST" / "raw" / name.removesuffix(".gz")
        site.content[name] = gzip.compress(plain.read_bytes())
    hashes = {name: f"md5:{hashlib.md5(site.content[name]).hexdigest()}" for name in MNIST.hashes}
    monkeypatch.setattr(MNIST, "hashes", hashes)
    monkeypatch.setattr(MNIST, "url", site.url)
    assert len(MNIST(str(tmp_path / "data")).store().splits["train"]) == 200
    assert names(tmp_path / "data" / "MNIST" / "raw") == sorted(MNIST.hashes)


def test_mnist_without_a_network_says_where_to_put_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MNIST, "url", "http://127.0.0.1:1/")
    with pytest.raises(ValueError, match=r"(?s)cannot be reached.*train-images-idx3-ubyte\.gz.*data\.dir=") as caught:
        MNIST(str(tmp_path / "data")).store()
    assert str(tmp_path / "data" / "MNIST" / "raw") in str(caught.value)
    assert names(tmp_path) == []
