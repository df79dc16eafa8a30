"""Images as inputs: a file, or all images in a folder."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from firstlight.data.ground import has_ground
from firstlight.data.images.known_images import KnownImages
from firstlight.data.images.memory import MAX_PIXELS
from firstlight.data.images.read_ahead import read_ahead
from firstlight.data.images.reading import find_images, refuse_decompression_bombs
from firstlight.runs.predict.inputs import InputBatch, check_kind
from firstlight.runs.predict.objects.originals import size_in_file
from firstlight.runs.predict.sheet import is_sheet
from firstlight.spec import DataSpec

INVERT = ("auto", True, False)


class Images:
    """What images as inputs have in common, wherever they come from: their ground, and warnings about them.

    Args:
        spec: the data that the network was trained on.
        interpolation: how images are resized.
        invert: "auto" inverts the images of a light ground if all training images have a dark one, or the reverse; True
            inverts all images, False none.
        known: the training images, for warnings about images that are unlike them; None for no warnings.
        max_pixels: an image with more pixels is not read, because it may be a decompression bomb.
    """

    unit = "image"
    sheet_path: Path | None = None

    def __init__(
        self,
        spec: DataSpec,
        interpolation: str,
        invert: str | bool,
        known: KnownImages | None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.problems: list[str] = []
        self.spec = spec
        self.interpolation = interpolation
        self.invert = invert
        self.known = known
        self.max_pixels = max_pixels

    def batch(
        self, names: list[dict[str, Any]], images: np.ndarray, sizes: list[tuple[int, int]] | None = None
    ) -> InputBatch:
        """Return the batch of images (batch, channels, height, width), uint8, inverted where `invert` says so.

        Args:
            names: see `InputBatch`.
            images: (images, channels, height, width), uint8.
            sizes: see `InputBatch`; None if they do not matter.
        """
        margin = self.spec.margin
        inside = (..., slice(margin, -margin or None), slice(margin, -margin or None))
        pixels, inverted = self._invert(images)
        unlike = self.known.warnings(pixels[inside]) if self.known else [[]] * len(pixels)
        warnings = [[*before, *after] for before, after in zip(inverted, unlike, strict=True)]
        return InputBatch(names, torch.from_numpy(pixels), warnings, sizes=sizes or [])

    def _invert(self, images: np.ndarray) -> tuple[np.ndarray, list[list[str]]]:
        """Return the images, inverted where `invert` says so, and the warnings about it.

        Args:
            images: (images, channels, height, width), uint8.
        """
        if self.invert != "auto" or self.spec.ground is None:
            return (255 - images if self.invert is True else images), [[]] * len(images)
        chosen = self.inverted(images)
        inverted = np.where(chosen[:, None, None, None], 255 - images, images)
        return inverted, [[f"inverted: {self._other_ground} ground"] if is_chosen else [] for is_chosen in chosen]

    def inverted(self, images: np.ndarray) -> np.ndarray:
        """Return which images (images, channels, height, width), uint8, `invert` exchanges black and white of."""
        if self.invert != "auto" or self.spec.ground is None:
            return np.full(len(images), self.invert is True)
        margin = self.spec.margin
        inside = images[..., margin : images.shape[2] - margin, margin : images.shape[3] - margin]
        return has_ground(inside, self._other_ground)

    @property
    def _other_ground(self) -> str:
        return "light" if self.spec.ground == "dark" else "dark"


class ImageInputs(Images):
    """An image file, or the images in a folder without the contact sheet of earlier predictions.

    Args:
        source: the image or folder.
        target: the CSV file of the predictions; a folder also gets a contact sheet beside it.
        options: see `Images`.

    Raises:
        ValueError: there are no images, or an output file would replace one of them.
    """

    def __init__(self, source: Path, target: Path, *options: Any) -> None:
        super().__init__(*options)
        check_kind(source, "images")
        self.sheet_path = target.with_suffix(".png") if source.is_dir() else None
        self.paths = _find(source, target, self.sheet_path)

    def __len__(self) -> int:
        return len(self.paths)

    def batches(self, batch_size: int) -> Iterator[InputBatch]:
        """Yield (batch, channels, height, width), uint8. Images that cannot be read are left out."""
        options = self.interpolation, self.spec.fit, self.max_pixels
        with refuse_decompression_bombs(self.max_pixels), ThreadPoolExecutor() as pool:
            found = read_ahead(pool, self.paths, self.spec.stored_shape, batch_size, self.problems, *options)
            for paths, raw in found:
                sizes = [size_in_file(path) for path in paths] if self.spec.targets == "boxes" else None
                yield self.batch([{"path": str(path)} for path in paths], raw.numpy(), sizes)


def _find(source: Path, target: Path, sheet_path: Path | None) -> list[Path]:
    """Return the images to predict, without the contact sheet of earlier predictions, which will be replaced.

    Raises:
        ValueError: there are no images, or an output file would replace one of them.
    """
    old_sheet = sheet_path.resolve() if sheet_path and is_sheet(sheet_path) else None
    paths = [path for path in find_images(source) if path.resolve() != old_sheet]
    if not paths:
        raise ValueError(f"input={source}: must contain images other than the contact sheet of earlier predictions.")
    inputs = {path.resolve() for path in paths}
    for path in (target, sheet_path):
        if path is not None and path.resolve() in inputs:
            raise ValueError(f"output={target}: must be another file, because it would replace the image {path}.")
    if target == sheet_path:
        raise ValueError(f"output={target}: must be a .csv file. The contact sheet is written beside it as .png.")
    return paths
