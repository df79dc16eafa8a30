"""Base class of data sets that consist of image files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from firstlight.checks import check_range, choose
from firstlight.data.files.formats import check_plugins
from firstlight.data.images.cropped import cropped
from firstlight.data.images.decode import MAX_CORRUPT, AnyTarget, decode
from firstlight.data.images.memory import MAX_PIXELS
from firstlight.data.images.reading import FITS
from firstlight.data.source import Source
from firstlight.data.statistics import describe
from firstlight.data.store import Arrays
from firstlight.spec import DataSpec


class ImageFiles(Source):
    """Images of any size, stored as squares.

    Cropped images are stored with a margin of `image_size` // 14 pixels on every side, which random crops and shifts
    use: 64 pixels are stored as 72, and 224 as 256. The other fits show the complete image, so they have no margin.

    Args:
        dir: see `Source`.
        image_size: height and width of a network's input.
        channels: 3 for colour, 1 for grey.
        fit: "crop" resizes the short side and crops the centre; "pad" resizes the long side and puts black beside the
            image; "stretch" resizes both sides. Predictions use the same.
        on_corrupt: "error" raises an error for an image that cannot be read; "skip" leaves it out and logs a warning,
            but raises an error if more than `max_corrupt` images cannot be read.
        max_corrupt: below 1 a fraction of the images, which allows at least five; from 1 on a number of images.
        max_pixels: an image with more pixels is not read, because it may be a decompression bomb.
        kwargs: see `Source`.

    Raises:
        ValueError: an argument is out of its range.
    """

    stratified = True

    def __init__(
        self,
        dir: str,
        *,
        image_size: int = 64,
        channels: int = 3,
        fit: str = "crop",
        on_corrupt: str = "error",
        max_corrupt: float = MAX_CORRUPT,
        max_pixels: int = MAX_PIXELS,
        **kwargs: Any,
    ) -> None:
        super().__init__(dir, **kwargs)
        check_range("data.image_size", image_size, at_least=1)
        if channels not in (1, 3):
            raise ValueError(f"data.channels={channels}: must be 3 (colour) or 1 (grey).")
        check_range("data.max_corrupt", max_corrupt, at_least=0)
        check_range("data.max_pixels", max_pixels, at_least=1)
        self.image_size = image_size
        self.channels = channels
        self.on_corrupt = choose("data.on_corrupt", on_corrupt, ("error", "skip"), "way to treat damaged images")
        self.fit = choose("data.fit", fit, FITS, "way to fit images")
        self.max_corrupt = max_corrupt
        self.max_pixels = max_pixels
        self.margin = image_size // 14 if fit == "crop" else 0
        self.options = {"image_size": image_size, "channels": channels, "on_corrupt": on_corrupt}
        self.options |= {"fit": fit, "max_pixels": max_pixels}

    def describe(self, labels: tuple[str, ...], train: Arrays) -> DataSpec:
        return replace(describe(labels, train, margin=self.margin), fit=self.fit)

    def _decode(
        self,
        splits: Mapping[str, Sequence[tuple[Path, AnyTarget]]],
        contents: Iterable[tuple[Path, bytes]] | None = None,
    ) -> dict[str, Arrays]:
        side = self.image_size + 2 * self.margin
        shape = (self.channels, side, side)
        paths = [path for images in splits.values() for path, _ in images]
        check_plugins(paths)
        if self.fit == "crop" and contents is None:
            self.remarks += cropped(paths)
        return decode(
            splits,
            shape,
            self.cache_dir,
            on_corrupt=self.on_corrupt,
            max_corrupt=self.max_corrupt,
            fit=self.fit,
            max_pixels=self.max_pixels,
            contents=contents,
            remarks=self.remarks,
        )
