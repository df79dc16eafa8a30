"""How an image file becomes an image of the stored shape, and how masks and boxes follow it."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from firstlight.spec import IGNORED, MIN_VISIBLE, NO_OBJECT, Size

_SIDEWAYS = {
    Image.Transpose.TRANSPOSE,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_270,
}


@runtime_checkable
class Target(Protocol):
    """The target of an image file, as a value that depends on how the image is fitted."""

    def fitted(self, frame: "Frame") -> np.ndarray:
        """Return the target in the pixels of the stored image.

        Raises:
            ValueError: it cannot be read, or does not fit to its image.
        """


class Layout(NamedTuple):
    """The part of an upright image that is stored, and the place that it fills.

    Attributes:
        part: left, top, right and bottom of the part, in pixels of the upright image.
        place: left, top, width and height of the place, in pixels of the stored image.
    """

    part: tuple[float, float, float, float]
    place: tuple[int, int, int, int]


def layout(size: tuple[int, int], stored: Size, fit: str) -> Layout:
    """Return how an upright image is stored.

    Args:
        size: width and height of the upright image.
        stored: height and width of the stored image.
        fit: see `read_image`.
    """
    height, width = stored
    if fit == "pad":
        scale = min(width / size[0], height / size[1])
        inner = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
        return Layout((0, 0, *size), ((width - inner[0]) // 2, (height - inner[1]) // 2, *inner))
    if fit == "stretch":
        return Layout((0, 0, *size), (0, 0, width, height))
    ratio = width / height
    is_wide = size[0] / size[1] >= ratio
    part = (ratio * size[1], float(size[1])) if is_wide else (float(size[0]), size[0] / ratio)
    if size[0] / size[1] == ratio:
        part = (float(size[0]), float(size[1]))
    left, top = (size[0] - part[0]) * 0.5, (size[1] - part[1]) * 0.5
    return Layout((left, top, left + part[0], top + part[1]), (0, 0, width, height))


@dataclass(frozen=True)
class Frame:
    """How one image was fitted.

    Attributes:
        size: width and height of the image in its file.
        turn: how it was turned upright by its EXIF orientation; None if it is upright.
        stored: height and width of the stored image.
        fit: see `read_image`.
    """

    size: tuple[int, int]
    turn: Image.Transpose | None
    stored: Size
    fit: str

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height of the upright image."""
        return self.size[::-1] if self.turn in _SIDEWAYS else self.size

    def is_turned(self, size: tuple[int, int]) -> bool:
        """Return whether places in an image of this width and height must be turned as the image was.

        Programs that show photos upright note places in the upright image; its width and height then differ from those
        in the file.
        """
        return self.turn is not None and (size == self.size or size != self.upright)

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """Return the class of each pixel of the stored image; pixels beside the image are `IGNORED`.

        Args:
            mask: (height, width), uint8, as large as the image in its file or as the upright image.
        """
        image = Image.fromarray(mask)
        if self.turn is not None and self.is_turned(image.size):
            image = image.transpose(self.turn)
        part, (left, top, width, height) = layout(self.upright, self.stored, self.fit)
        found = np.full(self.stored, IGNORED, np.uint8)
        resized = image.resize((width, height), Image.Resampling.NEAREST, box=part)
        found[top : top + height, left : left + width] = np.asarray(resized)
        return found

    def boxes(self, boxes: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
        """Return boxes in the pixels of the stored image.

        They are cut at its edges. Boxes of which less than a quarter is inside are empty, see `Split`.

        Args:
            boxes: (objects, 5), float32, see `Split`, in pixels of the image in its file or of the upright image.
            size: width and height of the image in which the places were noted; None for that in its file.
        """
        edges = boxes[:, :4].astype(np.float64)
        if self.turn is not None and self.is_turned(size or self.size):
            edges = _turned(edges, self.turn, self.size)
        part, (left, top, width, height) = layout(self.upright, self.stored, self.fit)
        scale = np.array([width / (part[2] - part[0]), height / (part[3] - part[1])] * 2)
        edges = (edges - np.array(part[:2] * 2)) * scale
        cut = edges.clip(0, np.array([width, height] * 2))
        visible = _areas(cut) >= MIN_VISIBLE * _areas(edges)
        kept = np.column_stack([cut + np.array([left, top] * 2), boxes[:, 4]]).astype(np.float32)
        has_area = (kept[:, 2:4] > kept[:, :2]).all(1)
        empty = np.array([0, 0, 0, 0, NO_OBJECT], np.float32)
        return np.where((visible & has_area & (boxes[:, 4] != NO_OBJECT))[:, None], kept, empty)


def _areas(edges: np.ndarray) -> np.ndarray:
    return np.prod(edges[:, 2:] - edges[:, :2], axis=1)


def _turned(edges: np.ndarray, turn: Image.Transpose, size: tuple[int, int]) -> np.ndarray:
    """Return edges (objects, 4) in an image that Pillow has transposed; `size` is its width and height before."""
    width, height = size
    x, y = edges[:, [0, 2]], edges[:, [1, 3]]
    across, down = {
        Image.Transpose.FLIP_LEFT_RIGHT: (width - x, y),
        Image.Transpose.FLIP_TOP_BOTTOM: (x, height - y),
        Image.Transpose.ROTATE_180: (width - x, height - y),
        Image.Transpose.ROTATE_90: (y, width - x),
        Image.Transpose.ROTATE_270: (height - y, x),
        Image.Transpose.TRANSPOSE: (y, x),
        Image.Transpose.TRANSVERSE: (height - y, width - x),
    }[turn]
    return np.column_stack([across.min(1), down.min(1), across.max(1), down.max(1)])
