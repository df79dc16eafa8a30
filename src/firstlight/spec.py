"""The one fact sheet that data hands to everything after it."""

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class DataSpec:
    """What a network needs to know of its data.

    Attributes:
        input_shape: shape of one sample: (channels, height, width) of a picture, (sequence_length,) of tokens.
        num_outputs: classes, vocabulary or regression targets.
        labels: names of the classes or tokens, by index.
        mean: mean of each channel over the training split, pixels counted from 0 to 1.
        std: standard deviation of each channel, likewise.
    """

    input_shape: tuple[int, ...]
    num_outputs: int
    labels: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def resized(self, size: int) -> "DataSpec":
        """The same pictures at (channels, size, size)."""
        return replace(self, input_shape=(self.input_shape[0], size, size))

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
