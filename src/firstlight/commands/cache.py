"""The command `cache`."""

import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from firstlight.checks import unknown
from firstlight.commands.jobs import run_command
from firstlight.config.checking.config import check_arguments
from firstlight.files import user_path
from firstlight.log import aligned

_FOLDER = ".firstlight"  # the folder of stores beside the original files, see `data.source.Source`
_MARK = "spec.json"  # a file that every store holds, those of older versions too
_UNITS = ("B", "kB", "MB", "GB", "TB")


def main() -> None:
    """Entry point of scripts/cache.py: list or delete the stores."""
    run_command("cache", _job)


def _job(config: dict[str, Any]) -> dict[str, Any]:
    check_arguments("firstlight.commands.cache.cache", config)
    cache(**config)
    return {}


@dataclass(frozen=True)
class _Entry:
    """A store on the disk, or what is left of one whose building was stopped."""

    path: Path

    @property
    def is_complete(self) -> bool:
        return not self.path.name.startswith(".")

    @property
    def name(self) -> str:
        """The name of the folder; that of the store that was to be built if the building was stopped."""
        return self.path.name if self.is_complete else self.path.name[1:].rpartition(".")[0]

    @property
    def data_set(self) -> str:
        return self.name.rpartition("-")[0]

    @property
    def num_bytes(self) -> int:
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())

    @property
    def seconds(self) -> float:
        """The time since the store was built."""
        return time.time() - (self.path / _MARK).stat().st_mtime  # the folder changes when a split is selected


def cache(clear: str | None = None, data: dict[str, Any] | None = None) -> list[Path]:
    """List the stores, or delete some of them.

    Args:
        clear: the name of a store or of a data set, or "all"; None to list the stores.
        data: `{"dir": ...}`, the folder of a data set, or of several data sets; by default that of
            FIRSTLIGHT_DATA, or `data`.

    Returns:
        The paths of the stores that are listed or deleted.

    Raises:
        ValueError: no store has the name.
    """
    data_dir = (data or {}).get("dir")
    folders = _folders(
        user_path(os.environ.get("FIRSTLIGHT_DATA", "data") if data_dir is None else data_dir, "data.dir")
    )
    entries = [entry for folder in folders for entry in _entries(folder)]
    if clear is None:
        print(_table(entries) if entries else f"no stores in {', '.join(map(str, folders))}")
        return [entry.path for entry in entries]
    chosen = [entry for entry in entries if clear in ("all", entry.name, entry.data_set)]
    if not chosen and clear != "all":
        names = dict.fromkeys(name for entry in entries for name in (entry.data_set, entry.name))
        raise unknown("clear", clear, ["all", *names], "store")
    return [entry.path for entry in chosen if _delete(entry)]


def _folders(data_dir: Path) -> list[Path]:
    """Return the folders of stores: in the data folder, in the folders in it, and in the user's cache directory."""
    import pooch  # takes a tenth of a second to import

    places = [data_dir, *(sorted(path for path in data_dir.iterdir() if path.is_dir()) if data_dir.is_dir() else ())]
    found = [place / _FOLDER for place in places if (place / _FOLDER).is_dir()]
    return [*(found or [data_dir / _FOLDER]), Path(pooch.os_cache("firstlight"))]


def _entries(folder: Path) -> list[_Entry]:
    """Return the stores in a folder. Other folders are not ours, and stay."""
    paths = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    unfinished = [path for path in paths if path.name.startswith(".") and "-" in path.name]
    return [_Entry(path) for path in paths if (path / _MARK).is_file() or path in unfinished]


def _delete(entry: _Entry) -> bool:
    """Delete a store unless another process builds it. It disappears at once, so that no process reads half of it."""
    lock = entry.path.with_name(f"{entry.name}.lock")
    try:
        with FileLock(lock, timeout=0):
            gone = entry.path.with_name(f".{entry.name}.deleted")
            if entry.path != gone:
                entry.path.rename(gone)
            shutil.rmtree(gone)
            with suppress(OSError):  # Windows does not delete files that are open elsewhere
                lock.unlink()
    except (OSError, Timeout) as error:
        why = "another process builds it" if isinstance(error, Timeout) else str(error)
        print(f"kept     {entry.path} ({why})")
        return False
    print(f"deleted  {entry.path}")
    return True


def _table(entries: list[_Entry]) -> str:
    header = ("data set", "size", "built", "path")
    rows = [(entry.data_set, _size(entry.num_bytes), _age(entry), str(entry.path)) for entry in entries]
    return aligned([header, *rows])


def _size(num_bytes: float) -> str:
    for unit in _UNITS:
        if num_bytes < 1000 or unit == _UNITS[-1]:
            break
        num_bytes /= 1000
    return f"{num_bytes:.3g} {unit}"


def _age(entry: _Entry) -> str:
    if not entry.is_complete:
        return "unfinished"
    for unit, seconds in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if entry.seconds >= 2 * seconds:
            return f"{entry.seconds / seconds:.0f} {unit} ago"
    return "just now"
