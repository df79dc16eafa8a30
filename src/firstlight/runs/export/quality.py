"""Compare the answers of two exported files with the truth: one of floats, one of 8-bit integers."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from firstlight.runs.export.portable import Portable
from firstlight.spec import IGNORED

_FALL = 0.02  # of an accuracy
_GROWTH = 0.1  # of an error, as a fraction of it
_SQUARED_PIXEL = 1e-3  # growth of a mean squared error of pixels that is always allowed: 3 % of the range from 0 to 1
_TARGET_STD = 0.01  # growth of an absolute error that is always allowed, in standard deviations of the targets


class Quality(NamedTuple):
    """How good a file is before and after quantization.

    Attributes:
        name: "accuracy", "mean absolute error", or "mean squared error" of pixels from 0 to 1.
        before: its value with floats.
        after: its value with 8-bit integers.
        bound: the worst value of `after` that is allowed.
        num_samples: number of samples.
    """

    name: str
    before: float
    after: float
    bound: float
    num_samples: int

    @property
    def is_good_enough(self) -> bool:
        """Whether `after` is not worse than the bound."""
        return self.after >= self.bound if self.name == "accuracy" else self.after <= self.bound


def compare_quality(network: Portable, raw: Tensor, targets: Tensor, before: np.ndarray, after: np.ndarray) -> Quality:
    """Return how good the answers of both files are.

    Accuracy for classes, pixels and tokens, the mean absolute error for numbers. Reconstructions are compared with the
    images, and the images of a generator with those of the file with floats.

    Args:
        network: what was exported.
        raw: raw samples (samples, ...).
        targets: their targets (samples, ...).
        before: first output of the file with floats (samples, ...).
        after: first output of the file with 8-bit integers, of the same shape.
    """
    answer = network.output_names[0]
    if answer == "probabilities":
        wanted = targets.numpy()
        found = [float((output.argmax(-1) == wanted).mean()) for output in (before, after)]
        return Quality("accuracy", found[0], found[1], found[0] - max(_FALL, 1 / wanted.size), len(raw))
    if answer == "logits":  # of pixels
        wanted = network.task.preprocess.with_places(targets, raw).numpy()
        found = [float((output.argmax(1) == wanted)[wanted != IGNORED].mean()) for output in (before, after)]
        return Quality("accuracy", found[0], found[1], found[0] - _FALL, len(raw))
    if answer == "numbers":
        wanted = targets.numpy()
        found = [float(np.abs(output - wanted).mean()) for output in (before, after)]
        name, always = "mean absolute error", _TARGET_STD * float(wanted.std())
    else:
        wanted = _pixels(network, raw) if answer == "reconstructions" else before
        found = [float(np.square(output - wanted).mean()) for output in (before, after)]
        name, always = "mean squared error", _SQUARED_PIXEL
    return Quality(name, found[0], found[1], found[0] * (1 + _GROWTH) + always, len(raw))


@torch.inference_mode()
def _pixels(network: Portable, raw: Tensor) -> np.ndarray:
    preprocess = network.task.preprocess
    return preprocess.to_pixels(preprocess(raw)).numpy()
