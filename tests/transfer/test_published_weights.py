import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstlight.transfer.published_weights import fetch
from helpers.served import Site, served

CONTENT = b"weights" * 1000
NAME = f"net-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


@pytest.fixture
def site() -> Iterator[Site]:
    with served({NAME: CONTENT}) as site:
        yield site


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of torch.hub, for one test."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


def test_a_file_is_downloaded_once_into_the_cache_of_torch_hub(site: Site, folder: Path) -> None:
    assert fetch(site.url + NAME) == fetch(site.url + NAME) == folder / NAME
    assert (folder / NAME).read_bytes() == CONTENT
    assert site.asked == [NAME]


def test_a_cached_file_needs_no_network_connection(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(CONTENT)
    assert fetch(f"http://127.0.0.1:1/{NAME}") == folder / NAME


def test_a_download_with_a_wrong_checksum_raises_an_error_and_leaves_no_file(site: Site, folder: Path) -> None:
    site.content[NAME] = b"W" + CONTENT[1:]
    with pytest.raises(ValueError, match=r"checksum(?s:.*)Without a network connection: use model=efficientnet"):
        fetch(site.url + NAME)
    assert list(folder.iterdir()) == []


def test_a_cached_file_with_a_wrong_checksum_raises_an_error_and_is_kept(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(CONTENT[:-1])
    with pytest.raises(ValueError, match=rf"{NAME}: cannot read \(its checksum .*To fix: delete it"):
        fetch(f"http://127.0.0.1:1/{NAME}")
    assert (folder / NAME).exists()


def test_the_error_without_a_connection_comes_within_seconds(folder: Path) -> None:
    began = time.perf_counter()
    with pytest.raises(ValueError, match=r"Without a network connection: use model=efficientnet_lite0"):
        fetch(f"http://127.0.0.1:1/{NAME}")
    assert time.perf_counter() - began < 6
    assert not folder.exists()


def test_a_name_without_a_checksum_raises_an_error() -> None:
    with pytest.raises(ValueError, match=r"net\.pth: cannot read \(no checksum in its name\)"):
        fetch("http://127.0.0.1:1/net.pth")
