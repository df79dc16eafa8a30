"""The user's own images with boxes around objects, in the formats of Pascal VOC or COCO."""

from pathlib import Path
from typing import Any

from firstlight.data.annotations.folders import annotation_files, find_annotated
from firstlight.data.annotations.objects import Annotated, Boxer, targets
from firstlight.data.files.formats import open_image
from firstlight.data.image_files import ImageFiles
from firstlight.data.images.reading import images_in
from firstlight.data.store import Arrays


class DetectionFolder(ImageFiles):
    """Images with objects: a class and a box for each.

    VOC: `dir`/Annotations/NAME.xml and `dir`/JPEGImages/NAME.jpg (or `images`), divided by folders train, val and test
    or by lists in ImageSets/Main. COCO: `dir`/annotations/*.json, such as instances_train2017.json, and the images in
    `dir`/images or in a folder of the split, such as train2017. Without a test split, `split_seed` selects one.

    Images without objects are kept. Boxes are cut at the edges of their image; boxes without area and those of crowds
    are left out. A remark counts them. Classes that only val or test has are refused.

    Args:
        dir: the folder.
        test_fraction: fraction of the images for testing, if there is no test split.
        split_seed: seed that selects these images.
        kwargs: see `ImageFiles` and `Source`.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "detection_folder"

    def __init__(self, dir: str, *, test_fraction: float = 0.2, split_seed: int = 0, **kwargs: Any) -> None:
        super().__init__(dir, **kwargs)
        self.test_fraction = test_fraction
        self.split_seed = split_seed

    def files(self) -> list[Path]:
        """Return the annotation files and all images; a large file is not read for that."""
        return [*annotation_files(self.dir), *(images_in(self.dir) if self.dir.is_dir() else [])]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Read the images of each split with their boxes.

        Raises:
            ValueError: an annotation is wrong, or an image is damaged.
        """
        found = find_annotated(self.dir, self.remarks)
        objects = {path: annotated for images in found.splits.values() for path, annotated in images.items()}
        boxer = Boxer(found.labels)
        boxes = {path: boxer.boxes(annotated, _size(path, annotated)) for path, annotated in objects.items()}
        self.remarks += boxer.remarks()
        if number := sum(not len(rows) for rows in boxes.values()):
            self.remarks.append(f"{number:,} of {len(boxes):,} images have no object")
        made = targets(boxes, objects)
        splits = {split: [(path, made[path]) for path in images] for split, images in found.splits.items()}
        return found.labels, self._decode(splits)


def _size(path: Path, annotated: Annotated) -> tuple[int, int] | None:
    """Return width and height of an image whose annotation does not say them; None if it is damaged."""
    if annotated.size is not None:
        return annotated.size
    try:
        with open_image(path) as image:
            return image.size
    except Exception:  # damaged files raise almost any exception, and are reported when they are decoded
        return None
