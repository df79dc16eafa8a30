"""From a sketch pad to an image like those of the training: cropped, scaled and centred as they are."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from firstlight.data.ground import border
from firstlight.spec import DataSpec

_INK = 0.2  # difference from the ground, of the range from black to white, that counts as ink
_MNIST = 20 / 28  # LeCun et al. 1998, section III.A: the digit fits into a box of 20 pixels in an image of 28


@dataclass(frozen=True)
class Frame:
    """How drawings lie in the training images.

    Digits of MNIST fill a box of 20x20 pixels, whose centre of mass is the centre of the 28x28 pixels. A network that
    has seen only such digits does not recognize a small one in a corner, so a drawing is brought to this form. The size
    of the box is taken from samples; the bundled digits fill their whole image.

    Attributes:
        fraction: the longer side of the box around a drawing, as a fraction of the image.
    """

    fraction: float = _MNIST

    @classmethod
    def of(cls, images: np.ndarray) -> "Frame":
        """Return the frame of grey images (images, height, width), uint8; that of MNIST if there are none."""
        boxes = [_box(ink) for image in images if (ink := _ink_of(image)).max(initial=0) > _INK]
        if not boxes:
            return cls()
        height, width = images.shape[1:]
        sides = [max((bottom - top) / height, (right - left) / width) for top, bottom, left, right in boxes]
        return cls(float(np.median(sides)))

    def fit(self, sketch: np.ndarray, spec: DataSpec) -> np.ndarray:
        """Return a drawing as an image of the stored shape: (height, width), uint8, black on white.

        Args:
            sketch: (height, width), uint8, black on white.
            spec: the data that the network was trained on.

        Raises:
            ValueError: nothing is drawn.
        """
        ink = 1 - sketch.astype(np.float32) / 255
        if ink.max(initial=0) <= _INK:
            raise ValueError("The sketch pad is empty.")
        top, bottom, left, right = _box(ink)
        height, width = spec.image_size
        scale = self.fraction * min(height, width) / max(bottom - top, right - left)
        size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
        cut = Image.fromarray((255 * ink[top:bottom, left:right]).astype(np.uint8))
        small = np.asarray(cut.resize(size, Image.Resampling.BOX))
        inside = np.pad(_centred(small, height, width), spec.margin)
        return 255 - inside


def _ink_of(image: np.ndarray) -> np.ndarray:
    """Return how far each pixel of a grey image is from its ground, from 0 to 1."""
    return np.abs(image / 255 - np.median(border(image)) / 255)


def _box(ink: np.ndarray) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of the ink (height, width)."""
    rows, columns = (np.flatnonzero((ink > _INK).any(axis)) for axis in (1, 0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _centred(ink: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return ink in an empty image, with its centre of mass in the middle as far as all of it stays inside."""
    image = np.zeros((height, width), np.uint8)
    total = max(1.0, float(ink.sum()))
    places = []
    for axis, length in ((0, height), (1, width)):
        mass = float((ink.sum(1 - axis) * (np.arange(ink.shape[axis]) + 0.5)).sum()) / total
        places.append(int(np.clip(round(length / 2 - mass), 0, length - ink.shape[axis])))
    image[places[0] : places[0] + ink.shape[0], places[1] : places[1] + ink.shape[1]] = ink
    return image
