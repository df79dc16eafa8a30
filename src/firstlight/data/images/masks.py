"""Mask files: the class of each pixel of an image, as a grey or palette image."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from firstlight.data.files.formats import open_image
from firstlight.data.images.frame import Frame
from firstlight.files import cannot_read

_MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L", "I;16N")


@dataclass(frozen=True)
class MaskFile:
    """The mask of an image file.

    Args:
        path: path of the mask.
        classes: class of each number that the pixels may have.
        known: the numbers for a message, such as "0 to 10, or 255 for pixels that are ignored".
        content: content of the file, for a mask in an archive; None reads the file.
    """

    path: Path
    classes: Mapping[int, int]
    known: str
    content: bytes | None = None

    def fitted(self, frame: Frame) -> np.ndarray:
        """Return the class of each pixel of the stored image (height, width), uint8.

        Raises:
            ValueError: the mask is damaged, has colours or another size than its image, or contains an unknown number.
        """
        numbers = self._numbers(frame)
        table = np.full(max(int(numbers.max()), *self.classes) + 1, -1, np.int16)
        table[list(self.classes)] = list(self.classes.values())
        classes = table[numbers]
        if (classes < 0).any():
            row, column = (int(place) for place in np.argwhere(classes < 0)[0])
            why = f"its pixel in row {row}, column {column} is {numbers[row, column]}, and must be {self.known}"
            raise cannot_read(self.path, why, "change the mask, or name all classes.")
        return frame.mask(classes.astype(np.uint8))

    def _numbers(self, frame: Frame) -> np.ndarray:
        """Return the numbers of the pixels (height, width)."""
        try:
            with open_image(self.path, self.content) as mask:
                if mask.size not in (frame.size, frame.upright):
                    raise cannot_read(
                        self.path,
                        f"it has {_form(mask.size)} pixels, and its image {_form(frame.size)}",
                        "give the mask the size of its image.",
                    )
                if mask.mode not in _MODES:
                    why = f"it is an image of mode {mask.mode}, whose pixels are no numbers of classes"
                    raise cannot_read(self.path, why, "save it as a grey or palette PNG.")
                return _checked(self.path, np.asarray(mask))
        except FileNotFoundError as error:
            raise cannot_read(self.path, "it is missing", "add the mask.") from error
        except (OSError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
            raise cannot_read(self.path, str(error), "replace this mask.") from error


def _checked(path: Path, numbers: np.ndarray) -> np.ndarray:
    if numbers.min() < 0 or numbers.max() > 65535:
        raise cannot_read(path, "its pixels are no numbers of classes", "save it as a grey or palette PNG.")
    return numbers.astype(np.int64)


def _form(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
