"""Annotations of COCO: one JSON file for all images of a split (Lin et al. 2014), read as pycocotools reads it."""

from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from firstlight.data.annotations.objects import Annotated
from firstlight.files import cannot_read, read_json

_MAX_BYTES = 2**31  # the official file of 118,287 images has 450 MB
_FIX = "write it as COCO does, with the lists images, annotations and categories."


def read_coco(path: Path, remarks: list[str]) -> tuple[tuple[str, ...], dict[str, Annotated]]:
    """Return the names of the categories, in the order of their ids, and the objects of each image by its file name.

    A `bbox` is left, top, width and height in pixels from 0. Ids may have gaps. Images without annotations have no
    objects. Annotations with `iscrowd` enclose many objects, so they are left out with a remark.

    Raises:
        ValueError: the file has another form, or refers to an unknown image or category.
    """
    content = read_json(path, _MAX_BYTES, _FIX)
    try:
        return _parse(path, content, remarks)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise cannot_read(path, f"an entry is missing or has another type: {error}", _FIX) from error


def _parse(path: Path, content: Any, remarks: list[str]) -> tuple[tuple[str, ...], dict[str, Annotated]]:
    names = {entry["id"]: str(entry["name"]) for entry in sorted(content["categories"], key=lambda entry: entry["id"])}
    images = {entry["id"]: entry for entry in content["images"]}
    _check_unique(path, "category", Counter(names.values()))
    _check_unique(path, "image", Counter(entry["file_name"] for entry in content["images"]))
    objects: dict[Any, list[tuple[str, list[float]]]] = defaultdict(list)
    crowds = 0
    for number, entry in enumerate(content.get("annotations", ()), start=1):
        for key, known in (("image_id", images), ("category_id", names)):
            if entry[key] not in known:
                raise cannot_read(path, f"{key} {entry[key]} of annotation {number:,} is unknown", "correct the id.")
        if entry.get("iscrowd"):
            crowds += 1
            continue
        edges = _edges(path, number, entry["bbox"])
        objects[entry["image_id"]].append((names[entry["category_id"]], edges))
    if crowds:
        remarks.append(f"left out: {crowds:,} annotations of crowds in {path.name}")
    return tuple(names.values()), {
        _file_name(path, entry): _annotated(path, entry, objects[number]) for number, entry in images.items()
    }


def _edges(path: Path, number: int, box: Any) -> list[float]:
    """Return left, top, right and bottom of the `bbox` of an annotation."""
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(value, int | float) for value in box):
        why = f"the bbox of annotation {number:,} is not left, top, width and height: {box!r:.60}"
        raise cannot_read(path, why, "correct it.")
    left, top, width, height = map(float, box)
    return [left, top, left + width, top + height]


def _annotated(path: Path, image: dict[str, Any], objects: list[tuple[str, list[float]]]) -> Annotated:
    size = int(image.get("width") or 0), int(image.get("height") or 0)
    edges = np.array([edges for _, edges in objects], np.float64).reshape(-1, 4)
    origin = f"{path}, {image['file_name']}"
    return Annotated(origin, size if min(size) > 0 else None, tuple(name for name, _ in objects), edges)


def _file_name(path: Path, image: dict[str, Any]) -> str:
    name = PurePosixPath(str(image["file_name"]).replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts:
        raise cannot_read(path, f"the file name {name} leads out of the folder", "use names inside of it.")
    return str(name)


def _check_unique(path: Path, what: str, counts: Counter[str]) -> None:
    if repeated := [name for name, number in counts.items() if number > 1]:
        raise cannot_read(path, f"it has the {what} {repeated[0]} twice", "keep one of them.")
