"""Where a study is stored: a journal file, or a database."""

import contextlib
import importlib.util
import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from firstlight.checks import printable

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

_TRIES, _SECONDS = 5, 0.2
_EXISTS = ("already exists", "duplicate key", "Duplicate entry", "UNIQUE constraint")  # of tables and of their rows


def open_storage(place: str) -> "BaseStorage":
    """Return the storage at a place.

    Args:
        place: the URL of a database, such as postgresql://host/name, or the path of a journal file.

    Raises:
        ValueError: the database cannot be reached, or its driver is not installed.
    """
    import optuna

    logging.getLogger("alembic").setLevel(logging.WARNING)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if "://" not in place:
        return _journal(place)
    try:
        return _database(_with_driver(place))
    except ImportError as error:
        extra = ' To fix: pip install "firstlight[postgresql]"' if place.startswith("postgresql") else ""
        raise ValueError(f"sweep.storage={without_password(place)}: cannot open ({error}).{extra}") from error
    except Exception as error:  # of SQLAlchemy, or of the driver
        cause = printable((str(error).splitlines() or [type(error).__name__])[0], 300)
        raise ValueError(f"sweep.storage={without_password(place)}: cannot open ({cause}).") from error


def _database(url: str) -> "BaseStorage":
    """Open a database. If another process creates the tables at the same time, which makes this one fail, try again."""
    from optuna.storages import RDBStorage

    for _ in range(_TRIES):
        try:
            return RDBStorage(url)
        except Exception as error:
            if not any(text in str(error) for text in _EXISTS):
                raise
            time.sleep(_SECONDS)
    return RDBStorage(url)


def claiming(place: str) -> AbstractContextManager[object]:
    """Return a context in which one process at a time claims a trial; all storages but SQLite see to it themselves."""
    if not place.startswith("sqlite:///"):
        return contextlib.nullcontext()
    return FileLock(f"{place.removeprefix('sqlite:///')}.lock")


def without_password(place: str) -> str:
    """Return a place as it may be printed and written to a file."""
    scheme, separator, rest = place.partition("://")
    user, at, host = rest.rpartition("@")
    return f"{scheme}{separator}{user.partition(':')[0]}{at}{host}" if separator else place


class _Lock:
    """A lock that the system releases if its process is killed; that of Optuna would stay for half a minute."""

    def __init__(self, path: str) -> None:
        self._lock = FileLock(path)

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def _journal(path: str) -> "BaseStorage":
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    lock: Any = _Lock(f"{path}.lock")  # has the methods of Optuna's base class, which is not public
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return JournalStorage(JournalFileBackend(path, lock_obj=lock))
    except OSError as error:
        raise ValueError(f"sweep.storage={path}: cannot write ({error.strerror}).") from error


def _with_driver(url: str) -> str:
    """Return a URL with the driver that is installed; psycopg2, which SQLAlchemy prefers, is the old one."""
    prefix, is_postgresql, rest = url.partition("://")
    if prefix in ("postgresql", "postgres") and importlib.util.find_spec("psycopg2") is None:
        return f"postgresql+psycopg{is_postgresql}{rest}"
    return url


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Silence the warnings of Optuna about parts of it that may change."""
    import warnings

    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
