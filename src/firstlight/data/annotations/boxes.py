"""The boxes of an image file, which follow it when it is fitted."""

from dataclasses import dataclass

import numpy as np

from firstlight.data.images.frame import Frame
from firstlight.files import cannot_read
from firstlight.spec import NO_OBJECT


@dataclass(frozen=True, eq=False)
class Boxes:
    """The boxes of an image file.

    Args:
        boxes: (objects, 5), float32, see `Split`, in pixels of the file.
        size: width and height of the image in which they were noted; None for that in its file.
        origin: the file that notes them, for messages.
    """

    boxes: np.ndarray
    size: tuple[int, int] | None
    origin: str

    def fitted(self, frame: Frame) -> np.ndarray:
        """Return the boxes in pixels of the stored image, (objects, 5), float32.

        Raises:
            ValueError: the image has another size than the annotation says.
        """
        if self.size not in (None, frame.size, frame.upright):
            noted, found = (" x ".join(map(str, size)) for size in (self.size or (), frame.size))
            why = f"it is for an image of {noted} pixels, and its image has {found}"
            raise cannot_read(self.origin, why, "correct the size, and scale the boxes if the image was resized.")
        return frame.boxes(self.boxes, self.size)


def with_rows(boxes: np.ndarray, number: int) -> np.ndarray:
    """Return boxes (objects, 5) with empty rows after them: (number, 5), float32."""
    rows = np.full((number, 5), (0, 0, 0, 0, NO_OBJECT), np.float32)
    rows[: len(boxes)] = boxes
    return rows
