"""Downloads that are checked, shown, tried again, and whole or not there."""

import os
import threading
from pathlib import Path
from typing import Any

import pooch
import requests

# Seconds until a download that cannot work is given up: well below the ten in which the user is told.
PATIENCE = 5


def download(names_and_hashes: dict[str, str], url: str, into: Path, offline_hint: str) -> None:
    """Fetch files from below `url` into the folder `into`.

    Each goes to a temporary file first and is renamed when its checksum is right; a broken transfer is tried twice.

    Args:
        names_and_hashes: file names with their checksums, as `md5:...` or `sha256:...`; the first digits are enough.
        url: the address of the folder that holds them, with a slash at its end.
        into: made where it is missing.
        offline_hint: what to do without a network, as a sentence.

    Raises:
        ValueError: no connection, or what came is not the file; files that arrived whole stay for the next try.
    """
    missing = [name for name in names_and_hashes if not (into / name).exists()]
    if not missing:
        return
    problem = unreachable(url + missing[0])
    if problem:
        raise ValueError(f"{url} cannot be reached ({problem}).\n{offline_hint}")
    fetcher = pooch.create(into, url, registry=dict.fromkeys(missing), retry_if_failed=1)
    try:
        for name in missing:
            fetcher.fetch(name, downloader=_Checked(names_and_hashes[name]))
    except (OSError, ValueError, requests.RequestException) as error:
        raise ValueError(f"{error}\n{offline_hint}") from error


def is_whole(path: Path, checksum: str) -> bool:
    """Whether a file has a checksum that begins so: `md5:...` or `sha256:...`."""
    algorithm, digits = checksum.split(":")
    return pooch.file_hash(path, algorithm).startswith(digits)


class _Checked(pooch.HTTPDownloader):
    """Refuses what has another checksum; pooch itself would want to know all of its digits."""

    def __init__(self, checksum: str) -> None:
        super().__init__(progressbar=os.isatty(2), chunk_size=2**20, timeout=30)
        self.checksum = checksum

    def __call__(self, url: str, output_file: str, pooch: Any, **kwargs: Any) -> None:
        super().__call__(url, output_file, pooch, **kwargs)
        if not is_whole(Path(output_file), self.checksum):
            raise ValueError(f"What {url} gives is another file, or half of it: its checksum is not {self.checksum}.")


def unreachable(url: str) -> str | None:
    """Why nothing comes from `url`; None where something does.

    In a thread, because looking up a name has no timeout of its own.
    """
    answer: list[str | None] = []

    def ask() -> None:
        try:
            requests.head(url, timeout=PATIENCE, allow_redirects=True)
            answer.append(None)
        except requests.RequestException as error:
            answer.append(type(error).__name__)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return answer[0] if answer else f"no answer in {PATIENCE} s"
