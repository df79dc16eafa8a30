"""Metadata of a data set, which networks, tasks and augmentation are built from."""

import math
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass, replace
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

Size = tuple[int, int]  # height and width, in pixels

IGNORED = 255
"""Number of a mask's pixels that belong to no class: they count neither in the loss nor in the metrics."""

NO_OBJECT = -1
"""Class of a row of boxes that is empty, because the image has fewer objects."""

MIN_VISIBLE = 0.25
"""A box is dropped if less than this fraction of its area is inside the image that remains."""

_OTHER_TARGETS = ("masks", "boxes", "labels")  # those that do not follow from the other fields
_MAX_NUMBERS = 2**27  # of one sample: an image of 6,600 x 6,600 pixels in colour
_LARGEST = 1e300  # of a statistic; NaN and Inf are not below it


@dataclass(frozen=True)
class Column:
    """How the cells of a table's column become inputs of a network; `data.columns` does it.

    Attributes:
        name: name of the column, by which other files are searched for it.
        kind: "number", "boolean" (0 or 1), "date" (days since 1970) or "category" (an input for each category).
        categories: texts of the categories, by input; empty for other kinds.
        fill: value of empty cells: the median of the training split. Empty categories have no input of value 1.
        has_flag: whether a last input is 1 for empty cells and 0 for others.
        decimal: decimal mark of the numbers: "." or ",".
        date_format: how the dates are written, as in `datetime.strptime`; empty for other kinds.
    """

    name: str
    kind: str
    categories: tuple[str, ...] = ()
    fill: float = 0.0
    has_flag: bool = False
    decimal: str = "."
    date_format: str = ""

    @property
    def num_inputs(self) -> int:
        """Number of inputs of the network."""
        return len(self.input_names)

    @property
    def input_names(self) -> tuple[str, ...]:
        """Name of each input: that of the column, with the category, or for the flag of empty cells."""
        is_category = self.kind == "category"
        names = tuple(f"{self.name}={category}" for category in self.categories) if is_category else (self.name,)
        return (*names, f"{self.name} is empty") if self.has_flag else names


@dataclass(frozen=True)
class DataSpec:
    """Metadata of a data set: shapes, labels and statistics.

    Attributes:
        input_shape: shape of a network's input: (channels, height, width) for images, (sequence_length,) for tokens,
            (columns,) for numbers.
        num_outputs: number of classes, tokens in the vocabulary or regression targets.
        labels: names of the classes, tokens or targets, by index; those of masks and boxes are classes too.
        mean: mean of each channel or column over the training split, with pixels from 0 to 1; empty for tokens.
        std: standard deviation of each channel or column over the training split; empty for tokens.
        margin: stored pixels on every side beyond `input_shape`, which random crops and shifts use.
        target_mean: mean of each regression target over the training split; empty for classes and tokens.
        target_std: standard deviation of each regression target over the training split; empty for classes and tokens.
        size: height and width that the network or its pretrained weights require; None keeps the images' size.
            Pretrained weights also set `mean`, `std` and `interpolation`, and grey images become colour images if the
            weights require three channels.
        interpolation: "bilinear" or "bicubic", for resizing images to `size`.
        columns: the columns of a table, in the order of their inputs; empty for other data.
        vocabulary: the tokens by number, for texts that are classified; empty for other data. `labels` are the tokens
            of a text that a network continues.
        fit: how image files are fitted to the stored shape: "crop", "pad" or "stretch"; see `read_image`.
        ground: "dark" or "light" if images are grey and all have such a ground at their border; None for others.
            Specs that differ only in it are equal, because runs of earlier versions lack it.
        target_type: "masks", "boxes" or "labels"; empty for other targets, see `targets`.
        environment: the id of the environment in which an agent plays; empty for other data. `labels` are its actions.
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
    columns: tuple[Column, ...] = ()
    vocabulary: tuple[str, ...] = ()
    fit: str = "crop"
    ground: str | None = field(default=None, compare=False)
    target_type: str = ""
    environment: str = ""

    @property
    def kind(self) -> str:
        """Type of the inputs: "images", "tokens" or "numbers"."""
        if len(self.input_shape) == 3:
            return "images"
        return "numbers" if self.mean else "tokens"

    @property
    def targets(self) -> str:
        """Type of the targets, with the shapes of `Split`.

        "classes" (one for each sample), "tokens" (the next ones), "numbers", "masks" (a class for each pixel), "boxes"
        (several objects with a place and a class) "labels" (for each label, whether it fits the sample), or
        "rewards" for an agent, which gets no targets.
        """
        if self.target_type:
            return self.target_type
        if self.environment:
            return "rewards"
        if self.target_mean:
            return "numbers"
        return "tokens" if self.kind == "tokens" and not self.vocabulary else "classes"

    @property
    def has_places(self) -> bool:
        """Whether the targets are places in the image, which have to move with it."""
        return self.targets in ("masks", "boxes")

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens by number, for texts; a network embeds as many."""
        return self.vocabulary or self.labels

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
        return {key: _plain(value) for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "DataSpec":
        """Return the spec with the fields that `to_dict` returned.

        Raises:
            ValueError: a field is missing or unknown, or has another type or size than that of a data set.
        """
        spec: DataSpec = _from_plain(cls, values)
        numbers = math.prod(spec.input_shape)
        if min(spec.input_shape, default=0) < 1 or numbers > _MAX_NUMBERS or spec.num_outputs != len(spec.labels):
            raise ValueError(f"a sample of shape {spec.input_shape} with {spec.num_outputs:,} outputs is impossible")
        if spec.target_type not in ("", *_OTHER_TARGETS) or (spec.has_places and spec.kind != "images"):
            raise ValueError(f"targets of type '{spec.target_type}' are impossible for {spec.kind}")
        return spec


def _plain(value: Any) -> Any:
    """Return a value with lists in place of tuples, at every depth."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def _from_plain(cls: Any, values: Any) -> Any:
    """Return the dataclass whose fields `_plain` has made plain.

    Raises:
        ValueError: a field is missing or unknown, or has another type.
    """
    if not isinstance(values, dict):
        raise ValueError("it is not a mapping of fields")
    hints = get_type_hints(cls)
    for name in values:
        if name not in hints:
            raise ValueError(f"its field '{name}' is unknown")
    for known in fields(cls):
        if known.name not in values and known.default is MISSING:
            raise ValueError(f"its field '{known.name}' is missing")
    return cls(**{name: _typed(name, value, hints[name]) for name, value in values.items()})


def _typed(name: str, value: Any, hint: Any) -> Any:
    """Return a value from JSON or from a checkpoint as the type of its field."""
    origin = get_origin(hint) or hint
    if is_dataclass(origin):
        return _from_plain(origin, value)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(_typed(name, entry, get_args(hint)[0]) for entry in value)
    if origin is UnionType and value is None:
        return None
    if origin is UnionType:
        origin = get_args(hint)[0]
    if origin in (int, float):
        if isinstance(value, int | origin) and not isinstance(value, bool) and abs(value) <= _LARGEST:
            return value
    elif isinstance(value, origin):
        return value
    raise ValueError(f"its field '{name}' has a wrong value")
