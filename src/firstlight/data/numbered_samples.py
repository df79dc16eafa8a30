"""Base class of data sets of other packages, whose samples are numbered: they are read once, in order, into a store."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.checks import check_range, choose
from firstlight.data.images.reading import FITS
from firstlight.data.samples.access import Keys
from firstlight.data.samples.arrays import Columns, ImageOptions, Reader
from firstlight.data.samples.labels import UNLABELLED, encode
from firstlight.data.samples.names import class_names
from firstlight.data.samples.probes import check_repeatable, digest, read_probes
from firstlight.data.source import Source
from firstlight.data.statistics import describe
from firstlight.data.store import Arrays, Split, Store
from firstlight.spec import DataSpec


class NumberedSamples(Source):
    """Samples that another package reads: pairs of an input and a label, or inputs alone for autoencoders.

    The input is an image (of Pillow, or an array or tensor (channels, height, width), (height, width, channels) or
    (height, width)), a vector of numbers, or tokens, whose label are the next tokens. The label is a whole number or a
    text (a class), or one or several floats. Names of classes are searched for by `class_names`.

    Images of one size are stored as they are, and others as `image_size`, `channels` and `fit` say, as those of
    `ImageFiles`. Floats from 0 to 1, as `ToTensor` returns, become 256 steps.

    A store is built again if the number of samples, one of 32 samples of each split or the names of the classes change.
    If something else has changed, set another `version`. A subclass implements `open`.

    Args:
        dir: folder of the store.
        labels: names of the classes by number, or of the targets; None for the names that the data set has.
        classes: whether labels are classes and not numbers; None: whole numbers and texts are classes.
        image_size: height and width of a network's input; None keeps images of one size as they are.
        mixed_size: `image_size` of images of different sizes, if that is None.
        channels: 3 for colour, 1 for grey; None keeps them.
        fit: see `ImageFiles`.
        value_range: the values of black and white in images that are not uint8, such as [-1, 1].
        version: any number or text; another one builds the store again.
        test_fraction: fraction of each class for testing, if there is no `test`.
        split_seed: seed that selects these samples.
        kwargs: see `Source`.

    Attributes:
        keys: names or places of the input and the label in a sample; None if it is a pair.

    Raises:
        ValueError: an argument is out of its range.
    """

    stratified = True
    keys: Keys = None

    def __init__(
        self,
        dir: str,
        *,
        labels: Sequence[str] | None = None,
        classes: bool | None = None,
        image_size: int | None = None,
        mixed_size: int = 64,
        channels: int | None = None,
        fit: str = "crop",
        value_range: Sequence[float] | None = None,
        version: str | int = 0,
        test_fraction: float = 0.2,
        split_seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(dir, **kwargs)
        for key, value in {"image_size": image_size, "mixed_size": mixed_size, "channels": channels}.items():
            check_range(f"data.{key}", 1 if value is None else value, at_least=1)
        choose("data.fit", fit, FITS, "way to fit images")
        if value_range is not None and not (len(value_range) == 2 and value_range[0] < value_range[1]):
            raise ValueError(f"data.value_range={list(value_range)}: must be the values of black and white.")
        self.labels = None if labels is None else tuple(map(str, labels))
        self.classes = classes
        self.image_size = image_size
        self.mixed_size = mixed_size
        self.channels = channels
        self.fit = fit
        self.value_range = value_range
        self.test_fraction = test_fraction
        self.split_seed = split_seed
        self.margin = 0
        names = ("labels", "classes", "image_size", "mixed_size", "channels", "fit", "value_range")
        self.options = {name: getattr(self, name) for name in names} | {"version": version}

    @abstractmethod
    def open(self) -> dict[str, Any]:
        """Return the data set of each split, which has a length and numbered samples; `train` is required.

        Raises:
            ValueError: a split is no data set.
        """

    @cached_property
    def datasets(self) -> dict[str, Any]:
        """The data set of each split."""
        return self.open()

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """Names of the classes by number, or of the targets; None if they are unknown."""
        return self.labels or class_names(self.datasets["train"], self.label_key)

    @property
    def label_key(self) -> str | int | None:
        """Name or place of the label in a sample; None if a sample is a pair."""
        return self.keys[1] if self.keys is not None and len(self.keys) == 2 else None

    @cached_property
    def _probes(self) -> dict[str, dict[int, Any]]:
        return {split: read_probes(f"data.{split}", dataset, self.keys) for split, dataset in self.datasets.items()}

    def fingerprint(self) -> Any:
        """Return the names of the classes, and the number of samples and checksums of 32 samples of each split."""
        probes = {
            split: [len(self.datasets[split]), *map(digest, found.values())] for split, found in self._probes.items()
        }
        return [self.names, probes]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Read all samples.

        Raises:
            ValueError: samples differ in kind, are damaged, or differ whenever they are read.
        """
        for split, probes in self._probes.items():
            found = {row: digest(sample) for row, sample in probes.items()}
            check_repeatable(f"data.{split}", self.datasets[split], self.keys, found)
        samples = {split: list(found.values()) for split, found in self._probes.items()}
        reader = Reader(self.datasets, self.keys, samples, self.cache_dir)
        if "test" not in self.datasets:
            self.remarks.append(f"no test split is given: {self.test_fraction:g} of each class is held out for testing")
        if reader.kind == "tokens":
            return self._tokens(reader)
        inputs, labels = self._images(reader) if reader.kind == "images" else reader.vectors(np.float32)
        names, targets = encode(labels, self.names, self.classes, self.remarks)
        return names, {split: Arrays(inputs[split], targets[split]) for split in inputs}

    def _images(self, reader: Reader) -> Columns:
        def stored(size: int) -> int:
            return size + 2 * (size // 14 if self.fit == "crop" else 0)

        size = None if self.image_size is None else stored(self.image_size)
        options = ImageOptions(size, stored(self.mixed_size), self.channels, self.fit, self.value_range)
        form, columns = reader.images(options)
        self.margin = (form.size[0] - (self.image_size or self.mixed_size)) // 2 if form.fit else 0
        if form.rounded:
            self.remarks.append("float images were rounded to 256 steps from black to white")
        return columns

    def _tokens(self, reader: Reader) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        inputs, labels = reader.vectors(np.int32)
        targets = {split: np.stack(found).astype(np.int32) for split, found in labels.items()}
        highest = max(int(array.max()) for array in (*inputs.values(), *targets.values()))
        names = self.names or tuple(map(str, range(highest + 1)))
        return names, {split: Arrays(inputs[split], targets[split]) for split in inputs}

    def _with_test(self, store: Store, path: Path) -> Store:
        self.margin = store.spec.margin  # the store may be one of an earlier process
        return super()._with_test(store, path)

    def describe(self, labels: tuple[str, ...], train: Arrays) -> DataSpec:
        return replace(describe(labels, train, margin=self.margin), fit=self.fit)

    def summary(self, spec: DataSpec, splits: Mapping[str, Split]) -> list[str]:
        shape = "x".join(map(str, spec.input_shape))
        (line,) = super().summary(spec, splits)
        if spec.labels == (UNLABELLED,):
            line = line.partition(", in ")[0] + " without labels"
        return [f"{line}; {spec.kind} of {shape}" if spec.kind == "images" else line]
