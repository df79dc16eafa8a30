"""The one fact sheet that data hands to everything after it."""

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class DataSpec:
    """What a network needs to know of its data.

    Attributes:
        input_shape: shape of one sample as a network sees it: (channels, height, width) of an image,
            (sequence_length,) of tokens, (columns,) of numbers.
        num_outputs: classes, vocabulary or regression targets.
        labels: names of the classes, tokens or targets, by index.
        mean: mean of each channel or column over the training split, pixels counted from 0 to 1; none for tokens.
        std: standard deviation of each channel or column, likewise.
        margin: pixels that stored images have on every side beyond `input_shape`, so that crops and shifts find some.
        target_mean: mean of each regression target over the training split; none where targets are classes or tokens.
        target_std: standard deviation of each regression target, likewise.
        size: height and width that the network or its pretrained weights want; None for the images' own. With such
            weights `mean`, `std` and `interpolation` are theirs, and grey images become colour where they know
            colour alone.
        interpolation: bilinear or bicubic: how images are resized to the network's size.
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
        """What a sample is: "images", "tokens" or "numbers"."""
        if len(self.input_shape) == 3:
            return "images"
        return "numbers" if self.mean else "tokens"

    @property
    def targets(self) -> str:
        """What a sample's target is: "classes", "tokens" or "numbers"."""
        if self.target_mean:
            return "numbers"
        return "tokens" if self.kind == "tokens" else "classes"

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of an image."""
        _, height, width = self.input_shape
        return height, width

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Shape of one raw sample: `input_shape`, and images with their margin."""
        if not self.margin:
            return self.input_shape
        channels, height, width = self.input_shape
        return (channels, height + 2 * self.margin, width + 2 * self.margin)

    def resized(self, height: int, width: int) -> "DataSpec":
        """The same images at this height and width, with as many channels as there are means."""
        return replace(self, input_shape=(len(self.mean), height, width))

    def preprocessed_as(self, other: "DataSpec") -> "DataSpec":
        """The same data with the preprocessing of another spec."""
        return replace(self, mean=other.mean, std=other.std, size=other.size, interpolation=other.interpolation)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and strings, for JSON and for checkpoints."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "DataSpec":
        """The inverse of `to_dict`."""
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**fields)
