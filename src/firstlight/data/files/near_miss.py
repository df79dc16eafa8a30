"""Suggest files whose names are almost those of a data set's official files."""

import difflib
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from firstlight.data.files.litter import is_litter
from firstlight.files import cannot_read


def refuse_near_misses(folders: Iterable[Path], wanted: Collection[str]) -> None:
    """Raise an error if a folder contains a file that the user may have meant as one of the wanted files.

    A download would silently replace it by the official file, which may have another content.

    Raises:
        ValueError: there is such a file.
    """
    for folder in folders:
        names = [path.name for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
        for name in sorted(set(names) - set(wanted)):
            if (meant := _meant(name, wanted)) is not None and meant not in names:
                why = f"found {name}, wanted {meant}"
                raise cannot_read(
                    folder / name, why, f"rename it to {meant}, or move it away to get the official file."
                )


def _meant(name: str, wanted: Collection[str]) -> str | None:
    """Return the wanted name that a name resembles: the same numbers, and almost the same letters."""
    if is_litter(name):
        return None
    scored = [(difflib.SequenceMatcher(None, _letters(name), _letters(other)).ratio(), other) for other in wanted]
    alike = [(score, other) for score, other in scored if score >= 0.85 and _numbers(name) == _numbers(other)]
    return max(alike)[1] if alike else None


def _plain(name: str) -> str:
    """Return a name without what browsers and file managers add to copies, such as " (1)"."""
    return re.sub(r"( ?\(\d+\)| - copy| copy)", "", name.lower())


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", _plain(name).removesuffix(".gz"))


def _numbers(name: str) -> list[str]:
    return re.findall(r"\d+", _plain(name))
