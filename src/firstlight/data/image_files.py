"""Base class of data sets that consist of image files."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from firstlight.checks import check_range, choose
from firstlight.data.decode import decode
from firstlight.data.source import Source
from firstlight.data.statistics import describe
from firstlight.data.store import Arrays
from firstlight.spec import DataSpec


class ImageFiles(Source):
    """Images of any size, stored as squares: the short side is resized, and the centre is cropped.

    Stored images have a margin of `image_size` // 14 pixels on every side, which random crops and shifts use: 64
    pixels are stored as 72, and 224 as 256.

    Args:
        dir: see `Source`.
        image_size: height and width of a network's input.
        channels: 3 for colour, 1 for grey.
        on_corrupt: "error" raises an error for an image that cannot be read; "skip" leaves it out and logs a warning,
            but raises an error if more than 1 % of the images cannot be read.
        kwargs: see `Source`.

    Raises:
        ValueError: an argument is out of its range.
    """

    stratified = True

    def __init__(
        self, dir: str, *, image_size: int = 64, channels: int = 3, on_corrupt: str = "error", **kwargs: Any
    ) -> None:
        super().__init__(dir, **kwargs)
        check_range("data.image_size", image_size, at_least=1)
        if channels not in (1, 3):
            raise ValueError(f"data.channels={channels}: must be 3 (colour) or 1 (grey).")
        self.image_size = image_size
        self.channels = channels
        self.on_corrupt = choose("data.on_corrupt", on_corrupt, ("error", "skip"), "way to treat damaged images")
        self.margin = image_size // 14
        self.options = {"image_size": image_size, "channels": channels, "on_corrupt": on_corrupt}

    def describe(self, labels: tuple[str, ...], train: Arrays) -> DataSpec:
        return describe(labels, train, margin=self.margin)

    def _decode(
        self,
        splits: Mapping[str, Sequence[tuple[Path, int]]],
        contents: Iterable[tuple[Path, bytes]] | None = None,
    ) -> dict[str, Arrays]:
        side = self.image_size + 2 * self.margin
        shape = (self.channels, side, side)
        return decode(splits, shape, self.cache_dir, on_corrupt=self.on_corrupt, contents=contents)
