"""Bound the memory of decoding images: what one may take, and what all threads together may take at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from firstlight.data.files.formats import UnreadableError

MAX_PIXELS = 500_000_000  # larger than the photographs of today's cameras
# Images of this size are always decoded, and always at full size, unless they are JPEGs.
SAFE_PIXELS = 89_478_485  # Pillow's own limit
_BYTES_AT_A_TIME = 1 << 30
_PREDICT = " (predictions: predict.max_pixels)"
# Bytes per pixel of decoders that keep copies of their own beside Pillow's image.
_COPIES = {"WEBP": 12, "AVIF": 8, "HEIF": 8, "JPEG2000": 16}
_SMALL_MODES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}


def decoding_bytes(image: Image.Image, size: tuple[int, int], mode: str, max_pixels: int) -> int:
    """Return the bytes that decoding takes.

    Args:
        image: the image before it is decoded; JPEGs may have been set to a reduced size.
        size: width and height in the file.
        mode: the mode that the image is converted to.
        max_pixels: see `check_pixels`.

    Raises:
        UnreadableError: the image has more than `max_pixels`, or is large and takes more than two bytes for each pixel
            of `max_pixels`: it may be a decompression bomb.
    """
    check_pixels(size[0] * size[1], max_pixels)
    decoded = image.width * image.height
    used = decoded * (_SMALL_MODES.get(image.mode, 4) + _COPIES.get(image.format or "", 0))
    if decoded <= SAFE_PIXELS and image.mode != mode:
        used += decoded * _SMALL_MODES.get(mode, 4)
    if image.info.get("progressive"):  # libjpeg keeps the coefficients of the image at its full size
        used += size[0] * size[1] * 2 * len(image.getbands())
    if size[0] * size[1] > SAFE_PIXELS and used > 2 * max_pixels:
        why = f"its {size[0] * size[1]:,} pixels take {used / 1e9:.1f} GB in memory, which may be a decompression bomb"
        raise UnreadableError(why, f"make it smaller, or set data.max_pixels={used // 2 + 1}{_PREDICT}.")
    return used


def check_pixels(pixels: int, max_pixels: int) -> None:
    """Check the number of pixels of an image.

    Raises:
        UnreadableError: it is larger than `max_pixels`.
    """
    if pixels > max_pixels:
        why = f"its {pixels:,} pixels are more than max_pixels={max_pixels:,}: it may be a decompression bomb"
        raise UnreadableError(why, f"make it smaller, or set data.max_pixels={pixels}{_PREDICT}.")


class Budget:
    """Memory that several threads use: a thread waits while the others use so much that its own part does not fit.

    Args:
        limit: bytes in all; a part that is larger than this waits until it is alone.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._changed = threading.Condition()

    @contextmanager
    def take(self, part: int) -> Iterator[None]:
        """Use `part` bytes in the block."""
        with self._changed:
            self._changed.wait_for(lambda: not self.used or self.used + part <= self.limit)
            self.used += part
        try:
            yield
        finally:
            with self._changed:
                self.used -= part
                self._changed.notify_all()


BUDGET = Budget(_BYTES_AT_A_TIME)
