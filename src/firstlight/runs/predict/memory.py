"""Inputs that are objects of a program: images, rows and texts in memory."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFile

from firstlight.data.arrays import as_array, as_pixels
from firstlight.data.images.reading import fit_image, read_image, refuse_decompression_bombs
from firstlight.files import user_path
from firstlight.runs.predict.images import Images
from firstlight.runs.predict.inputs import InputBatch, Inputs
from firstlight.runs.predict.objects.originals import size_in_file, upright_size
from firstlight.runs.predict.tables import TableInputs
from firstlight.runs.predict.texts import TextInputs
from firstlight.spec import DataSpec

_CHANNELS = (1, 3, 4)


class MemoryImages(Images):
    """Images as objects of a program, of any size: paths, bytes of files, images of Pillow, arrays and tensors.

    Args:
        items: the images.
        options: see `Images`.
    """

    def __init__(self, items: Sequence[Any], *options: Any) -> None:
        super().__init__(*options)
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def batches(self, batch_size: int) -> Iterator[InputBatch]:
        """Yield (batch, channels, height, width), uint8.

        Raises:
            ValueError: an object is no image, or cannot be read.
        """
        with refuse_decompression_bombs(self.max_pixels):
            for start in range(0, len(self.items), batch_size):
                items = list(enumerate(self.items[start : start + batch_size], start + 1))
                names = [{"image": str(item) if isinstance(item, str | Path) else number} for number, item in items]
                images = np.stack([self._read(item, f"image {number}") for number, item in items])
                sizes = [self._size(item) for _, item in items] if self.spec.targets == "boxes" else None
                yield self.batch(names, images, sizes)

    def _read(self, item: Any, name: str) -> np.ndarray:
        options = self.spec.stored_shape, None, self.interpolation, self.spec.fit, self.max_pixels
        if isinstance(item, ImageFile.ImageFile) and item.tile and item.filename:  # it is not decoded yet
            item = Path(str(item.filename))
        if isinstance(item, str | Path):
            return read_image(user_path(item, "input"), *options)
        if isinstance(item, bytes | bytearray | memoryview):
            return read_image(Path(name), options[0], bytes(item), *options[2:])
        image = item if isinstance(item, Image.Image) else _as_image(as_array(item), name)
        return fit_image(image, options[0], *options[2:4])

    def _size(self, item: Any) -> tuple[int, int]:
        """Return the width and height of an image that has been read."""
        if isinstance(item, str | Path):
            return size_in_file(user_path(item, "input"))
        if isinstance(item, bytes | bytearray | memoryview):
            return size_in_file(Path("image"), bytes(item))
        return upright_size(item if isinstance(item, Image.Image) else _as_image(as_array(item), "image"))


def open_memory(data: Any, spec: DataSpec, *options: Any) -> Inputs:
    """Return inputs of the kind that the network was trained on.

    Args:
        data: for images: an image, or a list of images; an array of three axes is one image if its first or last axis
            has 1, 3 or 4 entries, unless the network takes grey images of the height and width of the others. For
            tables: see `cells_in_memory`, or numbers (rows, inputs). For texts: a list.
        spec: the data that the network was trained on.
        options: see `Images`.

    Raises:
        ValueError: it is of another kind, or there is nothing in it.
    """
    if spec.kind == "tokens":
        if not isinstance(data, list | tuple) or not all(isinstance(text, str) for text in data):
            raise ValueError(f"input: must be a text, or a list of texts, not {type(data).__name__}.")
        inputs: Inputs = TextInputs(data, spec)
    elif spec.kind == "images":
        inputs = MemoryImages(_images_in(data, spec), spec, *options)
    else:
        is_array = not hasattr(data, "columns") and (hasattr(data, "shape") or _is_nested(data))
        inputs = TableInputs(_numbers(data, spec), spec) if is_array else TableInputs.read(data, spec)
    if not len(inputs):
        raise ValueError("input: must have at least one sample.")
    return inputs


def _is_nested(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(data[0], list | tuple | np.ndarray)


def _numbers(data: Any, spec: DataSpec) -> np.ndarray:
    values, columns = as_array(data), spec.input_shape[0]
    rows = values[None] if values.ndim == 1 else values
    if rows.ndim != 2 or rows.shape[1] != columns or rows.dtype.kind not in "buif" or not np.isfinite(rows).all():
        raise ValueError(
            f"input: must be finite numbers (rows, {columns}), the inputs of the network, not {rows.dtype} of shape"
            f" {values.shape}. To fix: name the columns, as in a data frame."
        )
    return rows.astype(np.float32)


def _images_in(data: Any, spec: DataSpec) -> list[Any]:
    """Return the images in a list or in an array of several; a single image alone."""
    if isinstance(data, list | tuple):
        return list(data)
    shape = tuple(getattr(data, "shape", ()))
    are_grey = spec.input_shape[0] == 1 and shape[1:] == spec.image_size  # though their number may be 1, 3 or 4
    if len(shape) == 4 or (len(shape) == 3 and (are_grey or not _has_channels(shape))):
        return list(as_array(data))
    return [data]


def _has_channels(shape: Sequence[int]) -> bool:
    return shape[0] in _CHANNELS or shape[-1] in _CHANNELS


def _as_image(values: np.ndarray, name: str) -> Image.Image:
    """Return an array as an image: (height, width), (height, width, channels) or (channels, height, width)."""
    if values.ndim == 3 and values.shape[-1] not in _CHANNELS and values.shape[0] in _CHANNELS:
        values = values.transpose(1, 2, 0)
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim not in (2, 3) or 0 in values.shape or (values.ndim == 3 and values.shape[-1] not in _CHANNELS):
        raise ValueError(
            f"input: must be images, paths or bytes of images, or arrays (height, width), (height, width, channels) or"
            f" (channels, height, width); {name} is {values.dtype} of shape {values.shape}."
        )
    is_16_bits = values.dtype == np.uint16 and values.ndim == 2
    return Image.fromarray(np.ascontiguousarray(values if is_16_bits else as_pixels(values, f"input: {name}")))
