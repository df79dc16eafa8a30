"""The confusion matrix of an epoch, drawn in about a millisecond."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from firstlight.checks import printable

MAX_CLASSES = 200
_SIDE = 480  # pixels of the matrix at most
_CELLS = (4, 24)  # smallest and largest cell in pixels
_MAX_NAMED = 48  # classes up to which the rows and columns have names
_LONGEST = 16  # characters of a name
_MARGIN = 18
_DARK = np.array([8, 48, 107], np.float32)


def confusion_image(counts: Tensor, labels: Sequence[str]) -> Image.Image | None:
    """Return the confusion matrix as an image: rows are true classes, columns predicted ones.

    A cell is the darker, the larger its fraction of the row is; on the scale of the square root, so that few mistakes
    are visible.

    Args:
        counts: (classes, classes), samples.
        labels: the names of the classes.

    Returns:
        The image; None for more than 200 classes.
    """
    size = len(counts)
    if size > MAX_CLASSES:
        return None
    numbers = counts.cpu().numpy().astype(np.float32)
    fractions = np.sqrt(numbers / np.maximum(numbers.sum(1, keepdims=True), 1))[..., None]
    cells = (255 + fractions * (_DARK - 255)).round().astype(np.uint8)
    cell = min(max(_SIDE // size, _CELLS[0]), _CELLS[1])
    frame, left = _frame(tuple(labels), size, cell)
    sheet = frame.copy()
    sheet.paste(Image.fromarray(cells).resize((size * cell, size * cell), Image.Resampling.NEAREST), (left, _MARGIN))
    return sheet


@lru_cache(maxsize=4)
def _frame(labels: tuple[str, ...], size: int, cell: int) -> tuple[Image.Image, int]:
    """Return the image without its cells, and the left edge of the cells."""
    names = [printable(label, _LONGEST) for label in labels] if size <= _MAX_NAMED else []
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    longest = max([draw.textlength(name) for name in names], default=0)
    left = _MARGIN + int(longest)
    is_narrow = longest > cell - 2  # names below the columns would overlap
    sheet = Image.new("RGB", (max(left + size * cell + 4, 150), 2 * _MARGIN + size * cell), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((4, 2), "true class (rows)", "black")
    for index, name in enumerate(names):
        draw.text((left - 4, _MARGIN + (index + 0.5) * cell), name, "black", anchor="rm")
        if not is_narrow:
            place = left + (index + 0.5) * cell, _MARGIN + size * cell + 2
            draw.text(place, name, "black", anchor="ma")
    if is_narrow or not names:
        draw.text((4, _MARGIN + size * cell + 2), "predicted class (columns)", "black")
    return sheet, left
