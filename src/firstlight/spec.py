"""Metadata of a data set, which networks, tasks and augmentation are built from."""

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class DataSpec:
    """Metadata of a data set: shapes, labels and statistics.

    Attributes:
        input_shape: shape of a network's input: (channels, height, width) for images, (sequence_length,) for tokens,
            (columns,) for numbers.
        num_outputs: number of classes, tokens in the vocabulary or regression targets.
        labels: names of the classes, tokens or targets, by index.
        mean: mean of each channel or column over the training split, with pixels from 0 to 1; empty for tokens.
        std: standard deviation of each channel or column over the training split; empty for tokens.
        margin: stored pixels on every side beyond `input_shape`, which random crops and shifts use.
        target_mean: mean of each regression target over the training split; empty for classes and tokens.
        target_std: standard deviation of each regression target over the training split; empty for classes and tokens.
        size: height and width that the network or its pretrained weights require; None keeps the images' size.
            Pretrained weights also set `mean`, `std` and `interpolation`, and grey images become colour images if the
            weights require three channels.
        interpolation: "bilinear" or "bicubic", for resizing images to `size`.
    """

    input_shape: tuple[int, ...]
    num_outputs: int
    labels: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    margin: int = 0
    target_mean: tuple[float, ...] = ()
    target_std: tuple[float, ...] = ()
    size: int | None = None
    interpolation: str = "bilinear"

    @property
    def kind(self) -> str:
        """Type of the inputs: "images", "tokens" or "numbers"."""
        if len(self.input_shape) == 3:
            return "images"
        return "numbers" if self.mean else "tokens"

    @property
    def targets(self) -> str:
        """Type of the targets: "classes", "tokens" or "numbers"."""
        if self.target_mean:
            return "numbers"
        return "tokens" if self.kind == "tokens" else "classes"

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the input images."""
        _, height, width = self.input_shape
        return height, width

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Shape of a stored sample: `input_shape`; images have `margin` more pixels on every side, for augmentation."""
        if not self.margin:
            return self.input_shape
        channels, height, width = self.input_shape
        return (channels, height + 2 * self.margin, width + 2 * self.margin)

    def resized(self, height: int, width: int) -> "DataSpec":
        """Return the spec of the images at this height and width, with a channel for each element of `mean`."""
        return replace(self, input_shape=(len(self.mean), height, width))

    def preprocessed_as(self, other: "DataSpec") -> "DataSpec":
        """Return the spec with the preprocessing of another spec: mean, std, size and interpolation."""
        return replace(self, mean=other.mean, std=other.std, size=other.size, interpolation=other.interpolation)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as lists, numbers and strings, for JSON and for checkpoints."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "DataSpec":
        """Return the spec with the fields that `to_dict` returned."""
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**fields)
