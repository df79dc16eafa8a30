"""Read all samples of a data set, in order, into arrays: images on the disk, vectors and tokens in memory."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from firstlight.data.images.decode import scratch_array
from firstlight.data.samples.access import Keys, Sample, read_sample
from firstlight.data.samples.images import ImageForm, OtherShapeError, channels_of, size_of
from firstlight.data.samples.labels import plain_label


@dataclass(frozen=True)
class ImageOptions:
    """The options of `TorchDataset` for images.

    Attributes:
        size: height and width of the stored images; None keeps images of one size as they are.
        mixed_size: height and width, with the margin, for images of different sizes if `size` is None.
        channels: number of channels; None keeps grey images grey.
        fit: see `read_image`.
        value_range: see `ImageForm`.
    """

    size: int | None
    mixed_size: int
    channels: int | None
    fit: str
    value_range: Sequence[float] | None


Columns = tuple[dict[str, np.ndarray], dict[str, list[Any]]]


def plain_input(value: Any) -> Any:
    """Return an input as an upright Pillow image or an array.

    Raises:
        ValueError: it is neither an image nor numbers.
    """
    if isinstance(value, Image.Image):
        with suppress(Exception):  # damaged metadata raise almost any error, and the pixels are good
            return ImageOps.exif_transpose(value)
        return value
    with suppress(TypeError, ValueError, RuntimeError):
        array = np.asarray(value)
        if array.dtype.kind in "biuf":
            return array
    raise ValueError(f"must be an image or numbers, and is {type(value).__name__}")


class Reader:
    """Reads data sets whose samples have one form.

    Args:
        datasets: the data set of each split.
        keys: see `read_sample`.
        probes: some samples of each split, which decide what the samples are.
        scratch_dir: folder of the temporary file for images.

    Raises:
        ValueError: the samples are of another form.
    """

    def __init__(
        self, datasets: Mapping[str, Any], keys: Keys, probes: Mapping[str, Sequence[Sample]], scratch_dir: Path
    ) -> None:
        self.datasets = datasets
        self.keys = keys
        self.scratch_dir = scratch_dir
        self.probes = [
            (self._input(f"data.{split}", sample), plain_label(sample.label))
            for split, samples in probes.items()
            for sample in samples
        ]

    @property
    def kind(self) -> str:
        """What the samples are: "images", "numbers" or "tokens".

        Raises:
            ValueError: they are arrays with more than three axes.
        """
        first, label = self.probes[0]
        if isinstance(first, Image.Image) or first.ndim in (2, 3):
            return "images"
        if first.ndim > 3:
            raise ValueError(f"data.train: must have images or vectors as inputs, and has arrays {first.shape}.")
        is_tokens = first.dtype.kind in "iu" and isinstance(label, np.ndarray) and label.dtype.kind in "iu"
        return "tokens" if is_tokens and first.shape == label.shape else "numbers"

    def images(self, options: ImageOptions) -> tuple[ImageForm, Columns]:
        """Read images and labels of all splits.

        Returns:
            The form of the images; and the images of each split, (samples, channels, height, width), uint8, with their
            labels.

        Raises:
            ValueError: a sample is no image, or has values out of the range.
        """
        sizes = {size_of(image) for image, _ in self.probes}
        channels = {channels_of(image) for image, _ in self.probes}
        if options.size is None and len(sizes) == 1:
            with suppress(OtherShapeError):  # a sample between the probes has another size
                form = ImageForm(options.channels or max(channels), sizes.pop(), None, options.value_range)
                return form, self._images(form)
        side = options.size or options.mixed_size
        form = ImageForm(options.channels or max(channels), (side, side), options.fit, options.value_range)
        return form, self._images(form)

    def _images(self, form: ImageForm) -> Columns:
        total = sum(map(len, self.datasets.values()))
        pixels = scratch_array((total, *form.shape), self.scratch_dir)
        inputs: dict[str, np.ndarray] = {}
        labels: dict[str, list[Any]] = {split: [] for split in self.datasets}
        start = 0
        for split, dataset in self.datasets.items():
            inputs[split] = pixels[start : start + len(dataset)]
            start += len(dataset)
        for split, row, image, label in self._samples():
            place = f"data.{split}, sample {row:,}"
            if not isinstance(image, Image.Image) and image.ndim not in (2, 3):
                raise ValueError(f"{place}: must be an image, and is an array {image.shape}.")
            inputs[split][row] = form.convert(place, image)
            labels[split].append(label)
        return inputs, labels

    def vectors(self, dtype: Any) -> Columns:
        """Read vectors and labels of all splits.

        Args:
            dtype: type of the arrays.

        Returns:
            The vectors of each split, (samples, length), with their labels.

        Raises:
            ValueError: the vectors differ in length.
        """
        length = self.probes[0][0].size
        inputs: dict[str, list[np.ndarray]] = {split: [] for split in self.datasets}
        labels: dict[str, list[Any]] = {split: [] for split in self.datasets}
        for split, row, vector, label in self._samples():
            if isinstance(vector, Image.Image) or vector.ndim > 1 or vector.size != length:
                found = "an image" if isinstance(vector, Image.Image) else f"an array {vector.shape}"
                raise ValueError(f"data.{split}, sample {row:,}: must be a vector of {length} numbers, and is {found}.")
            inputs[split].append(vector.reshape(-1))
            labels[split].append(label)
        return {split: np.stack(found).astype(dtype) for split, found in inputs.items()}, labels

    def _samples(self) -> Iterator[tuple[str, int, Any, Any]]:
        """Yield split, number, input and label of all samples."""
        total = sum(map(len, self.datasets.values()))
        with tqdm(total=total, desc="reading", unit="sample", leave=False, dynamic_ncols=True, disable=None) as bar:
            for split, dataset in self.datasets.items():
                for row in range(len(dataset)):
                    sample = read_sample(f"data.{split}", dataset, row, self.keys)
                    yield split, row, self._input(f"data.{split}, sample {row:,}", sample), plain_label(sample.label)
                    bar.update()

    @staticmethod
    def _input(place: str, sample: Sample) -> Any:
        try:
            return plain_input(sample.input)
        except ValueError as error:
            raise ValueError(f"{place}: {error}.") from None
