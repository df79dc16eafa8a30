"""Download the files of a data set of torchvision; without a network, say how to get them."""

import socket
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from firstlight.checks import printable
from firstlight.data.files.download import unreachable

_SECONDS = 10  # without an answer of the server, after which a download ends
_MAX_FILES = 6


def download(cls: Any, call: Callable[[], Any], root: Path) -> Any:
    """Return what `call` returns, which downloads missing files.

    Without a network, files that are complete are unpacked, and nothing is requested.

    Args:
        cls: the class of the data set.
        call: builds the data set with `download=True`.
        root: folder of the files.

    Raises:
        ValueError: the files are missing or damaged, and cannot be downloaded. The message says where they belong.
    """
    urls = addresses(cls)
    problem = unreachable(urls[0]) if urls else None
    try:
        with _bounded(problem):
            return call()
    except Exception as error:  # torchvision raises RuntimeError, URLError, OSError, HTTPError, EOFError, ...
        why = problem or printable(error, 100)
        raise ValueError(
            f"data.name={cls.__name__}: cannot be downloaded ({why}). {offline_way(cls, urls, root)}"
        ) from error


def offline_way(cls: Any, urls: list[str], root: Path) -> str:
    """Return the sentence that says how to get the files of a data set without a network."""
    names = (url.split("?")[0].rpartition("/")[2] for url in urls)
    files = [name for name in dict.fromkeys(names) if "." in name]
    named = f" ({', '.join(files[:_MAX_FILES])}{', ...' if len(files) > _MAX_FILES else ''})" if files else ""
    folder = root / cls.__name__ / "raw" if hasattr(cls, "raw_folder") else root
    return (
        f"To fix: put its official files{named} into {folder}, or call torchvision.datasets.{cls.__name__}(FOLDER, ...,"
        " download=True) where there is a network, copy FOLDER, and name it with data.dir="
    )


def addresses(cls: type) -> list[str]:
    """Return the addresses of the files: texts that begin with http in the class, a base class or the module."""
    for base in cls.__mro__:
        own = vars(base)
        if mirrors := list(_texts(own.get("mirrors", ()))):
            return [f"{mirrors[0]}{name}" for name, _ in own.get("resources", ())]
        if base is not object and (found := list(_texts(list(own.values())))):
            return list(dict.fromkeys(found))
    module = vars(sys.modules[cls.__module__]).items()
    return list(dict.fromkeys(_texts([value for name, value in module if not name.startswith("__")])))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("http"):
        yield value
    elif isinstance(value, list | tuple | set):
        for entry in value:
            yield from _texts(entry)
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))


class _Refusing(urllib.request.OpenerDirector):
    """Refuses every request at once."""

    def open(self, *_: Any, **__: Any) -> Any:
        raise OSError("there is no network")


@contextmanager
def _bounded(problem: str | None) -> Iterator[None]:
    """Bound the time that requests of urllib wait for an answer; refuse them if there is no network."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SECONDS)
    if problem:
        urllib.request.install_opener(_Refusing())
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
        if problem:
            urllib.request.install_opener(urllib.request.build_opener())
