"""What data sets of image files of any size have in common."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from firstlight.data.decode import decode
from firstlight.data.source import Source
from firstlight.data.statistics import describe
from firstlight.data.store import Arrays
from firstlight.spec import DataSpec


class ImageFiles(Source):
    """Images in files of any size, stored as squares: the short side resized, the centre kept.

    A network sees `image_size`. The store has a fourteenth more on every side, so that crops and shifts find some
    (64 in 72, 224 in 256).

    Args:
        dir: as for every source.
        image_size: height and width that a network sees.
        channels: 3 for colour, 1 for grey.
        on_corrupt: what an image that cannot be read is: an "error", or something to "skip", which says so and
            gives up where it is more than 1 % of the images.

    Raises:
        ValueError: an argument is out of its range.
    """

    stratified = True

    def __init__(
        self, dir: str, *, image_size: int = 64, channels: int = 3, on_corrupt: str = "error", **kwargs: Any
    ) -> None:
        super().__init__(dir, **kwargs)
        if image_size < 1:
            raise ValueError(f"data.image_size={image_size}: an image has one pixel or more.")
        if channels not in (1, 3):
            raise ValueError(f"data.channels={channels}: 3 for colour or 1 for grey.")
        if on_corrupt not in ("error", "skip"):
            raise ValueError(f"data.on_corrupt={on_corrupt}: error or skip.")
        self.image_size = image_size
        self.channels = channels
        self.on_corrupt = on_corrupt
        self.margin = image_size // 14
        self.options = {"image_size": image_size, "channels": channels, "on_corrupt": on_corrupt}

    def describe(self, labels: tuple[str, ...], train: Arrays) -> DataSpec:
        """The facts of the data set; `input_shape` is without the margin."""
        return describe(labels, train, margin=self.margin)

    def _decode(
        self,
        splits: Mapping[str, Sequence[tuple[Path, int]]],
        contents: Iterable[tuple[Path, bytes]] | None = None,
    ) -> dict[str, Arrays]:
        side = self.image_size + 2 * self.margin
        shape = (self.channels, side, side)
        return decode(splits, shape, self.cache_dir, on_corrupt=self.on_corrupt, contents=contents)
