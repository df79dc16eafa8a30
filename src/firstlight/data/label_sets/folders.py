"""Images with several labels in folders: the folder of each of its labels contains a copy of the image."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from firstlight.data.files.layout import Classes


def without_copies(classes: Mapping[str, list[Path]]) -> dict[Path, set[str]]:
    """Return the labels of each image of a split. Files with equal content, links included, are one image.

    Args:
        classes: the files in the folder of each class, see `Layout`.
    """
    first: dict[bytes, Path] = {}
    labels: dict[Path, set[str]] = {}
    for name, paths in classes.items():
        for path in paths:
            image = first.setdefault(hashlib.blake2b(path.read_bytes(), digest_size=16).digest(), path)
            labels.setdefault(image, set()).add(name)
    return labels


def all_paths(splits: Mapping[str, Classes]) -> list[Path]:
    """Return the files of all splits and classes."""
    return [path for classes in splits.values() for paths in classes.values() for path in paths]
