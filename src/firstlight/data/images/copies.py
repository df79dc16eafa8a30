"""Find images that occur several times: copies of training images in other splits make a network look too good."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from firstlight.data.files.left_out import counted
from firstlight.files import encodable


class Occurrence(NamedTuple):
    """Where an image occurs."""

    path: Path
    split: str
    target: int


def copies(images: Mapping[bytes, Sequence[Occurrence]]) -> list[str]:
    """Return lines that say which images occur several times, each with an example.

    Args:
        images: occurrences of each image, by a hash of its pixels.
    """
    several = [found for found in images.values() if len(found) > 1]
    pairs: dict[str, list[tuple[Occurrence, Occurrence]]] = defaultdict(list)
    for first, *others in several:
        for other in others:
            if other.split != first.split:
                kind = f"of {other.split} copied from {first.split}"
            elif other.target != first.target:
                kind = f"of {first.split} with two classes"
            else:
                kind = f"of {first.split} repeated, so that parts drawn from it overlap"
            pairs[kind].append((first, other))
    return [f"{counted(len(found))} {kind}, such as {_example(*found[0])}" for kind, found in pairs.items()]


def _example(first: Occurrence, other: Occurrence) -> str:
    root = Path(os.path.commonpath([first.path.parent, other.path.parent]))
    if first.path.parent == other.path.parent:
        root = root.parent
    return encodable(f"{os.path.relpath(other.path, root)} = {os.path.relpath(first.path, root)}")
