"""Downloads with a checksum, a progress bar and a second attempt; a file is replaced completely or not at all.

pooch and requests are imported by the functions that need them: most runs download nothing.
"""

import io
import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

# Seconds to wait for a server's answer. The user gets an error within ten seconds.
PATIENCE = 5
_MAX_BYTES = 2**31  # of one file; the largest of the data sets and weights has 800 MB


def download(names_and_hashes: dict[str, str], url: str, into: Path, offline_hint: str) -> None:
    """Download the files that are missing in the folder `into`.

    Each file is downloaded to a temporary file, which is renamed if its checksum is right. A transfer that breaks is
    tried a second time. Files that are complete stay in the folder if a later one fails.

    Args:
        names_and_hashes: file names with their checksums, as `md5:...` or `sha256:...`; the first digits are enough.
        url: address of the folder that contains the files, with a slash at its end.
        into: the folder; created if missing.
        offline_hint: how to get the files without a network, for the error message.

    Raises:
        ValueError: the server cannot be reached, lacks a file, or sends a file with another checksum.
    """
    missing = [name for name in names_and_hashes if not (into / name).exists()]
    if not missing:
        return
    import pooch
    import requests

    problem = unreachable(url + missing[0])
    if problem:
        raise ValueError(f"{url}: cannot be reached ({problem}). {offline_hint}")
    fetcher = pooch.create(into, url, registry=dict.fromkeys(missing), retry_if_failed=1)
    try:
        for name in missing:
            fetcher.fetch(name, downloader=partial(_download_checked, checksum=names_and_hashes[name]))
    except (OSError, ValueError, requests.RequestException) as error:
        raise ValueError(f"{url}: cannot be downloaded ({error}). {offline_hint}") from error


def is_whole(path: Path, checksum: str) -> bool:
    """Return whether the checksum of a file begins with `checksum`, as `md5:...` or `sha256:...`."""
    import pooch

    algorithm, digits = checksum.split(":")
    return pooch.file_hash(path, algorithm).startswith(digits)


def _download_checked(url: str, output_file: str, pooch: Any, checksum: str) -> None:
    """Download a file and check its checksum; pooch itself can compare complete checksums only."""
    from pooch import HTTPDownloader

    with _BoundedFile(io.FileIO(output_file, "w")) as file:
        HTTPDownloader(progressbar=os.isatty(2), chunk_size=2**20, timeout=30)(url, file, pooch)
    if not is_whole(Path(output_file), checksum):
        raise ValueError(f"the checksum of {url} is not {checksum}")


class _BoundedFile(io.BufferedWriter):
    """Raises an error if a server sends more than any file has."""

    _num_bytes = 0

    def write(self, content: Any) -> int:
        self._num_bytes += len(content)
        if self._num_bytes > _MAX_BYTES:
            raise ValueError(f"the server sends more than {_MAX_BYTES:,} bytes")
        return super().write(content)


def unreachable(url: str) -> str | None:
    """Return why `url` cannot be reached, or None if it can be reached.

    The request runs in a thread, because the look-up of a host name has no timeout.
    """
    import requests

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
