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
    """Where torch.hub keeps its files, for this test."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


def test_a_file_arrives_in_the_folder_of_torch_hub_once(site: Site, folder: Path) -> None:
    assert fetch(site.url + NAME) == fetch(site.url + NAME) == folder / NAME
    assert (folder / NAME).read_bytes() == CONTENT
    assert site.asked == [NAME]


def test_a_file_that_is_there_needs_no_network(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(CONTENT)
    assert fetch(f"http://127.0.0.1:1/{NAME}") == folder / NAME


def test_an_altered_byte_is_refused_and_nothing_is_left(site: Site, folder: Path) -> None:
    site.content[NAME] = b"W" + CONTENT[1:]
    with pytest.raises(ValueError, match=r"is another file, or half of it(?s:.*)Without a network: model=efficientnet"):
        fetch(site.url + NAME)
    assert list(folder.iterdir()) == []


def test_a_damaged_file_that_is_there_is_told_and_kept(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(CONTENT[:-1])
    with pytest.raises(ValueError, match=rf"{NAME}: damaged, .*Delete it"):
        fetch(f"http://127.0.0.1:1/{NAME}")
    assert (folder / NAME).exists()


def test_without_a_network_it_says_within_seconds_what_works(folder: Path) -> None:
    began = time.perf_counter()
    with pytest.raises(ValueError, match=r"cannot be reached(?s:.*)Without a network: model=efficientnet_lite0"):
        fetch(f"http://127.0.0.1:1/{NAME}")
    assert time.perf_counter() - began < 6
    assert not folder.exists()


def test_a_name_without_a_checksum_is_refused() -> None:
    with pytest.raises(ValueError, match=r"net\.pth: no checksum in its name"):
        fetch("http://127.0.0.1:1/net.pth")
