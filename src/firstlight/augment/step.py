"""The protocol of augmentation steps: what a step is, when it is applied, and where its random numbers come from."""

from typing import Any

import torch
from torch import Tensor

from firstlight.augment.preprocess import ImagePreprocess
from firstlight.checks import check_range
from firstlight.spec import DataSpec

STAGES = ("geometry", "colour", "hue", "samples", "mixing")
"""The stages of a pipeline, in the order in which they are applied, see `Augment`."""


class Step:
    """One step of an augmentation pipeline.

    A subclass overrides `apply`, and changes a whole batch at a time. Or it inherits from `Geometry` or `Colour`, whose
    work is fused into one pass over the pixels, from `Filter`, `Mixing` or `TokenStep`.

    A step draws its random numbers from torch's default generator. Each training step reseeds this generator from
    (seed, epoch, step, rank). The same step of a run therefore always gets the same random numbers. A step keeps
    nothing from one batch to the next, because a resumed run could not restore it.

    Args:
        p: probability that a sample is changed; each sample is decided separately.

    Attributes:
        accepts: the kind of data that the step changes: "images", "tokens", "numbers" or "anything".
        stage: the stage of the pipeline in which the step is applied, one of `STAGES`. Steps of the same stage are
            applied in the order of the config.

    Raises:
        ValueError: `p` is outside 0 to 1.
    """

    accepts: str = "images"
    stage: str = "samples"

    def __init__(self, p: float = 1.0) -> None:
        check_range("p", p, at_least=0, at_most=1)
        self.p = p

    def prepare(self, spec: DataSpec) -> None:
        """Prepare what depends on the data. `Augment` calls this once, before the first batch.

        Args:
            spec: the data, with images at the network's size.

        Raises:
            ValueError: the step does not fit the data.
        """

    def apply(self, samples: Tensor) -> Tensor:
        """Return the changed samples of a batch, in the same shape and type.

        Args:
            samples: images (samples, channels, height, width) from 0 (black) to 1 (white), float32, at the network's
                size, before the normalisation; windows of token ids (samples, length + 1), int64, whose last column is
                the last target; or standardised columns of a table (samples, columns), float32. They may be modified.

        Raises:
            NotImplementedError: the step is of another stage than "samples".
        """
        raise NotImplementedError

    def apply_checked(self, samples: Tensor) -> Tensor:
        """Call `apply`, and check what it returns.

        Raises:
            ValueError: it returns anything but a tensor of the same shape and type.
        """
        return check_output(type(self).__name__, samples, self.apply(samples))

    def apply_normalised(self, images: Tensor, preprocess: ImagePreprocess) -> Tensor:
        """Call `apply` for images that are normalised already: (samples, channels, height, width), float32."""
        return preprocess.normalise(255 * self.apply_checked(preprocess.to_pixels(images)))

    def uniform(self, shape: tuple[int, ...], low: float, high: float, device: torch.device) -> Tensor:
        """Draw numbers uniformly from `low` to `high`."""
        return torch.empty(shape, device=device).uniform_(low, high)

    def chosen(self, num_samples: int, device: torch.device) -> Tensor:
        """Draw which samples the step changes: (samples,), bool."""
        return torch.rand(num_samples, device=device) < self.p

    def for_chosen(self, values: Tensor, neutral: float) -> Tensor:
        """Draw which samples the step changes, and return `values` with `neutral` for all other samples.

        Args:
            values: (samples, ...), a random value for each sample.
            neutral: the value that leaves a sample unchanged.
        """
        if self.p == 1:
            return values
        chosen = self.chosen(len(values), values.device)
        return torch.where(chosen.reshape(-1, *[1] * (values.ndim - 1)), values, neutral)


def check_output(name: str, samples: Tensor, changed: Any) -> Tensor:
    """Return what a step has made of samples.

    Args:
        name: the name of the step, for the message.
        samples: what the step got.
        changed: what it has returned.

    Raises:
        ValueError: it has returned anything but a tensor of the same shape and type.
    """
    if not isinstance(changed, Tensor):
        raise ValueError(f"{name} must return a tensor, not an instance of {type(changed).__name__}.")
    if changed.shape != samples.shape:
        raise ValueError(
            f"{name} must return samples of the shape that it gets, {tuple(samples.shape)}, not"
            f" {tuple(changed.shape)}. augment.size resizes images."
        )
    if changed.dtype != samples.dtype:
        raise ValueError(f"{name} must return samples of the type that it gets, {samples.dtype}, not {changed.dtype}.")
    return changed


def check_order(**bounds: float) -> None:
    """Check that a lower bound is at most as large as its upper bound.

    Args:
        bounds: the two bounds by the names of their options, the lower bound first, as in `check_order(low=1, high=2)`.

    Raises:
        ValueError: the lower bound is larger, or the upper bound is NaN.
    """
    (low_name, low), (high_name, high) = bounds.items()
    if not low <= high:
        raise ValueError(f"{low_name}={low}: must be at most {high_name}={high}.")
