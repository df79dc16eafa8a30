from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from firstlight.data.annotations.boxes import Boxes
from firstlight.data.images.decode import decode
from firstlight.data.images.frame import Frame
from firstlight.data.images.masks import MaskFile
from firstlight.spec import IGNORED, NO_OBJECT

BOX = (30, 22, 70, 37)  # left, top, right and bottom of a bright rectangle in 100 x 60 pixels
SHAPE = (1, 48, 48)


def write_rectangle(folder: Path, orientation: int, *, upright: bool) -> tuple[Path, MaskFile, Boxes]:
    """Write a photo with a bright rectangle; its mask and box are those of the upright photo or of the file."""
    left, top, right, bottom = BOX
    pixels = np.zeros((60, 100), np.uint8)
    pixels[top:bottom, left:right] = 255
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path, mask = folder / "photo.png", folder / "mask.png"
    Image.fromarray(pixels).save(path, exif=exif)
    marked = Image.fromarray(pixels // 255)
    if upright:
        from PIL import ImageOps

        with Image.open(path) as photo:
            marked = ImageOps.exif_transpose(photo).point(lambda value: value // 255)
        rows, columns = (np.flatnonzero(np.asarray(marked).any(axis)) for axis in (1, 0))
        left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    marked.save(mask)
    boxes = np.array([(left, top, right, bottom, 0), (0, 0, 0, 0, NO_OBJECT)], np.float32)
    return path, MaskFile(mask, {0: 0, 1: 1}, "0 or 1"), Boxes(boxes, marked.size, str(mask))


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_mask_and_box_stay_together(tmp_path: Path, orientation: int, fit: str) -> None:
    for upright in {False, orientation > 4}:  # the sizes differ only if the photo lies on its side
        path, mask, boxes = write_rectangle(tmp_path, orientation, upright=upright)
        found, classes = (decode({"train": [(path, of)]}, SHAPE, tmp_path, fit=fit)["train"] for of in (boxes, mask))
        bright = found.inputs[0, 0] > 127
        rows, columns = (np.flatnonzero(bright.any(axis)) for axis in (1, 0))
        expected = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
        assert np.abs(found.targets[0, 0, :4] - expected).max() <= 0.6
        assert found.targets[0, :, 4].tolist() == [0, NO_OBJECT]
        is_object = classes.targets[0] == 1
        assert (is_object != bright).sum() <= 0.08 * bright.sum()  # pixels that the edge divides
        black_beside = 48 * (48 - 29) if fit == "pad" else 0
        assert (classes.targets[0] == IGNORED).sum() == black_beside


def test_boxes_outside_of_the_crop_are_cut_or_dropped() -> None:
    frame = Frame((100, 50), None, (50, 50), "crop")  # columns 25 to 75 are stored
    boxes = np.array([(0, 0, 30, 9, 0), (20, 10, 30, 30, 1), (60, 10, 100, 30, 2), (0, 0, 0, 0, NO_OBJECT)], np.float32)
    empty = [0, 0, 0, 0, NO_OBJECT]
    assert frame.boxes(boxes).tolist() == [empty, [0, 10, 5, 30, 1], [35, 10, 50, 30, 2], empty]


def test_a_box_of_another_size_of_image_is_refused() -> None:
    boxes = Boxes(np.zeros((0, 5), np.float32), (60, 40), "photo.xml")
    with pytest.raises(
        ValueError, match=r"photo\.xml: cannot read \(it is for an image of 60 x 40 pixels, and its .* 60 x 30"
    ):
        boxes.fitted(Frame((60, 30), None, (8, 8), "crop"))
