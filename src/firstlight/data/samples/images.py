"""Images of any form as uint8 of one shape: Pillow's, arrays and tensors, whole numbers and floats."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from firstlight.data.images.reading import fit_image

_COLOURS = (1, 3, 4)  # channels of usual images
_GREY = ("1", "L", "LA", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
_CLOSE = 0.01  # of a step of 1/255: what float32 loses


class OtherShapeError(Exception):
    """An image has another size or number of channels than the images before it."""


@dataclass
class ImageForm:
    """How images become arrays of one shape.

    Attributes:
        channels: number of channels of the array.
        size: height and width of the array.
        fit: see `read_image`; None if all images have this size.
        value_range: the values of black and white in images that are not uint8; None for 0 and 1 in floats, 0 and 255
            in whole numbers, and 0 and 65535 in uint16.
        rounded: whether a float image had other values than 256 steps.
    """

    channels: int
    size: tuple[int, int]
    fit: str | None
    value_range: Sequence[float] | None
    rounded: bool = field(default=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of an array: (channels, height, width)."""
        return (self.channels, *self.size)

    def convert(self, place: str, image: Any) -> np.ndarray:
        """Return an image as uint8 of `shape`.

        Args:
            place: the key and the number of the sample, for messages.
            image: a Pillow image, or an array of (channels, height, width), (height, width, channels) or
                (height, width).

        Raises:
            ValueError: its values lie out of the range of black and white.
            OtherShapeError: its size or channels differ, and `fit` is None.
        """
        if isinstance(image, Image.Image):
            if self.fit is None and (image.height, image.width) != self.size:
                raise OtherShapeError
            return fit_image(image, self.shape, fit=self.fit or "crop")
        pixels = self._to_uint8(place, channels_first(image))
        if self.fit is None and pixels.shape[1:] != self.size:
            raise OtherShapeError
        if pixels.shape == self.shape:
            return pixels
        if len(pixels) not in (1, 3) or self.channels not in (1, 3):
            raise ValueError(f"{place}: must have the shape {self.shape}, and has {pixels.shape}.")
        opened = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
        return fit_image(opened, self.shape, fit=self.fit or "crop")

    def _to_uint8(self, place: str, values: np.ndarray) -> np.ndarray:
        if values.dtype == np.uint8 and self.value_range is None:
            return values
        low, high = self.value_range or _usual_range(values.dtype)
        scaled = (values.astype(np.float64) - low) * (255 / (high - low))
        if not (scaled.min() > -_CLOSE and scaled.max() < 255 + _CLOSE):  # not, because NaN is in no range
            raise ValueError(
                f"{place}: must have pixels from {low:g} to {high:g}, and has {values.min():g} to {values.max():g}."
                " To fix: leave out Normalize, because images are standardised later; or name black and white by"
                " data.value_range=[-1,1]"
            )
        steps = np.rint(scaled)
        self.rounded |= bool(np.abs(scaled - steps).max() > _CLOSE)
        return steps.clip(0, 255).astype(np.uint8)


def _usual_range(dtype: np.dtype) -> tuple[float, float]:
    if dtype == np.bool_ or np.issubdtype(dtype, np.floating):
        return 0, 1
    return (0, 65535) if dtype == np.uint16 else (0, 255)


def channels_first(array: np.ndarray) -> np.ndarray:
    """Return an image (height, width), (height, width, channels) or (channels, height, width) in the last form.

    The axis of the channels is the first or the last, whichever has 1, 3 or 4 entries; else the shorter one.
    """
    if array.ndim == 2:
        return array[None]
    first, last = array.shape[0], array.shape[2]
    is_first = first <= last if (first in _COLOURS) == (last in _COLOURS) else first in _COLOURS
    return array if is_first else array.transpose(2, 0, 1)


def size_of(image: Any) -> tuple[int, int]:
    """Return the height and width of a Pillow image or an array."""
    return (image.height, image.width) if isinstance(image, Image.Image) else channels_first(image).shape[1:]


def channels_of(image: Any) -> int:
    """Return the number of channels of a Pillow image or an array; transparency of Pillow's images does not count."""
    if isinstance(image, Image.Image):
        return 1 if image.mode in _GREY else 3
    return channels_first(image).shape[0]
