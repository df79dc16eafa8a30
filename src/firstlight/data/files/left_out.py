"""Count what a folder contains beside the images that are used."""

import os
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from firstlight.data.files.formats import is_image_name
from firstlight.data.files.litter import is_litter, kind_of_litter
from firstlight.files import encodable

_CACHE = ".firstlight"
_MAX_KINDS = 8


def left_out(root: Path, used: Collection[Path]) -> str:
    """Return a line that counts the files in and below a folder that are not used, by kind; empty if there are none.

    Args:
        root: the folder.
        used: paths of the images that are used, in and below the folder.
    """
    kept, counts = set(map(str, used)), Counter[tuple[str, str]]()
    for place, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != _CACHE]
        links = [link for name in folders if (link := Path(place, name)).is_symlink()]
        counts["link", " to a folder"] += sum(not any(path.is_relative_to(link) for path in used) for link in links)
        inside = Path(place).relative_to(root).parts
        unused = [name for name in names if f"{place}{os.sep}{name}" not in kept]  # without Path, which is slow
        counts.update(_kind(Path(place, name), inside) for name in unused)
    kinds = [f"{counted(number, noun)}{rest}" for (noun, rest), number in counts.most_common() if number]
    if not kinds:
        return ""
    rest = f" and {len(kinds) - _MAX_KINDS} more kinds" if len(kinds) > _MAX_KINDS else ""
    return encodable(f"left out: {', '.join(kinds[:_MAX_KINDS])}{rest}")


def counted(number: int, noun: str = "image") -> str:
    """Return a number with a noun, which ends in "s" for several; a noun that is no word remains as it is."""
    return f"{number:,} {noun}{'s' if number != 1 and noun.replace(' ', '').isalpha() else ''}"


def _kind(path: Path, inside: tuple[str, ...]) -> tuple[str, str]:
    """Return the kind of a file that is left out, as a noun and what follows it.

    Args:
        path: path of the file.
        inside: the folders between the root and the file.
    """
    litter = next((folder for folder in inside if is_litter(folder)), None)
    if litter is not None:
        return "file", f" in {litter}"
    if is_litter(path.name):
        return kind_of_litter(path.name), ""
    if not path.is_file():
        return "device", ""
    if is_image_name(path.name):
        return "image", f" in {inside[0]}" if inside else " beside the folders"
    return (path.suffix.lower(), "") if path.suffix else ("file", " without a suffix")
