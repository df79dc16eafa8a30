"""Where the pets of Oxford-IIIT Pet are in their images: official trimaps, and boxes around heads."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from firstlight.data.annotations.boxes import Boxes
from firstlight.data.annotations.objects import Annotated, Boxer, targets
from firstlight.data.annotations.voc import read_voc
from firstlight.data.images.masks import MaskFile
from firstlight.spec import IGNORED

TRIMAP_LABELS = {"ignore": ("background", "pet"), "class": ("background", "pet", "border")}
_CLASSES = {
    "ignore": {1: 1, 2: 0, 3: IGNORED},
    "class": {1: 1, 2: 0, 3: 2},
}  # official numbers: pet, background, border
FOLDERS = {"trimap": ("trimaps", ".png"), "head": ("xmls", ".xml")}


def annotation_of(image: Path, lists: Path, target: str) -> Path:
    """Return the path of the annotation of an image, in the folder or archive of the lists."""
    folder, suffix = FOLDERS[target]
    return lists / "annotations" / folder / f"{image.stem}{suffix}"


def trimaps(files: Mapping[Path, Path], contents: Mapping[Path, bytes], border: str) -> dict[Path, MaskFile]:
    """Return the mask of each image.

    Args:
        files: the trimap of each image.
        contents: contents of the trimaps, if they lie in an archive.
        border: "ignore" or "class", see `Dogs`.
    """
    known = "1 (pet), 2 (background) or 3 (border)"
    return {image: MaskFile(path, _CLASSES[border], known, contents.get(path)) for image, path in files.items()}


def heads(
    files: Mapping[Path, Path],
    contents: Mapping[Path, bytes],
    labels: Mapping[Path, str],
    names: Iterable[str],
    remarks: list[str],
) -> dict[Path, Boxes]:
    """Return the boxes around the head of the pet in each image.

    Args:
        files: the XML file of each image.
        contents: contents of these files, if they lie in an archive.
        labels: the class of each image.
        names: names of the classes.
        remarks: list that receives lines about boxes that were changed.
    """
    boxer = Boxer(tuple(names))
    found = {image: _of(read_voc(path, contents.get(path)), labels[image]) for image, path in files.items()}
    boxes: dict[Path, np.ndarray] = {image: boxer.boxes(annotated, None) for image, annotated in found.items()}
    remarks += boxer.remarks()
    return targets(boxes, found)


def _of(found: Annotated, label: str) -> Annotated:
    return Annotated(found.origin, found.size, (label,) * len(found.names), found.edges)
