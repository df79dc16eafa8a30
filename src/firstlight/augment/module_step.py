"""Any module of torch as a step: transforms of torchvision and Kornia, and the user's own."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from firstlight.augment.step import Step, check_output
from firstlight.checks import choose
from firstlight.spec import DataSpec

# Packages whose modules draw their random numbers once in each call, and not once for each sample of a batch.
_DRAW_ONCE = ("torchvision",)
_DTYPES = ("float32", "uint8")
_REPLACED = {"MixUp": "+augment.mixup.alpha=0.2", "CutMix": "+augment.cutmix.alpha=1"}  # of torchvision
# A module is tried with so many samples, alone or together, and with these seeds.
_NUM_ALONE, _NUM_TOGETHER = 2, 8
_SEEDS = range(3)
_IN_RANGE = 0.75  # fraction of the pixels that a module may not move out of 0 to 1


class ModuleStep(Step):
    """Applies a module that turns a batch into one of the same shape.

    A module that stands in the config where a step is expected becomes a `ModuleStep` with the default options. It gets
    what `Step.apply` describes: images from 0 to 1 at the network's size. It is tried once when the run starts, on a
    batch of random samples, so that mistakes are reported before any training.

    The module draws random numbers from torch's default generators. The generators of NumPy and of Python's `random`
    are seeded from these before each call, and restored after it. The module is no part of the network: its parameters
    are not trained, and checkpoints do not hold its state.

    Args:
        module: the module.
        per_sample: True calls the module with each sample alone, as a batch of one, so that each gets random numbers of
            its own. False calls it once with the whole batch. None decides: a module that is, contains or inherits from
            one of torchvision is called per sample, because those draw once in each call; all others, such as Kornia's,
            get the whole batch.
        dtype: "float32" for values from 0 to 1, or "uint8" for 0 to 255. None tries float32 first, and uint8 if the
            module refuses it, as torchvision's JPEG does.

    Raises:
        ValueError: `dtype` is unknown. `prepare` raises it if the module fails, returns another shape or type, values
            outside 0 to 1, or if its result for a sample depends on anything but the sample and the seed.
    """

    accepts = "anything"

    def __init__(self, module: nn.Module, *, per_sample: bool | None = None, dtype: str | None = None) -> None:
        super().__init__()
        if not isinstance(module, nn.Module):
            raise ValueError(f"module: must be a torch.nn.Module, not an instance of {type(module).__name__}.")
        if dtype is not None:
            choose("dtype", dtype, _DTYPES, "dtype")
        self.module = module.requires_grad_(False)
        self.per_sample = _draws_once(module) if per_sample is None else per_sample
        self.dtype = dtype
        self._device = torch.device("cpu")

    def prepare(self, spec: DataSpec) -> None:
        """Try the module on random samples like those of the data."""
        samples = _random_samples(spec, _NUM_ALONE if self.per_sample else _NUM_TOGETHER)
        with torch.random.fork_rng(devices=[]):
            if spec.kind == "images" and self.dtype is None:
                self.dtype = self._fitting_dtype(samples)
            for seed in _SEEDS:
                changed = self._seeded(seed, samples)
                _check_values(self._name, changed, spec)
                self._check_repeats(seed, samples, changed)

    def apply(self, samples: Tensor) -> Tensor:
        """Return the samples as the module changes them.

        Raises:
            ValueError: the module fails, or returns another shape or type.
        """
        if not len(samples):
            return samples
        if samples.device != self._device:
            self.module.to(samples.device)
            self._device = samples.device
        if self.dtype == "uint8":
            changed = self._called((samples * 255).round_().clamp_(0, 255).to(torch.uint8))
            return changed.to(samples.dtype).div_(255)
        return self._called(samples)

    @property
    def _name(self) -> str:
        return type(self.module).__name__

    def _called(self, samples: Tensor) -> Tensor:
        parts = samples.split(1) if self.per_sample else [samples]
        with _seeded_from_torch():
            changed = [self._checked(part) for part in parts]
        return torch.cat(changed) if self.per_sample else changed[0]

    def _checked(self, samples: Tensor) -> Tensor:
        try:
            changed: Any = self.module(samples)
        except Exception as error:  # of a module that anyone has written
            reason = " ".join(str(error).split()).rstrip(".")[:200]
            raise ValueError(
                f"{self._name} must be {_REPLACED[self._name]}, which also mixes the targets."
                if self._name in _REPLACED
                else f"{self._name} must map a batch of shape {tuple(samples.shape)} and type {samples.dtype} to such a"
                f" batch, and it raises {type(error).__name__}: {reason}."
            ) from error
        return check_output(self._name, samples, changed)

    def _fitting_dtype(self, samples: Tensor) -> str:
        """Return the type of values that the module accepts: float32 if it accepts both or neither."""
        for self.dtype in _DTYPES:
            try:
                for seed in _SEEDS:
                    self._seeded(seed, samples)
            except ValueError:
                continue
            return self.dtype
        return _DTYPES[0]

    def _check_repeats(self, seed: int, samples: Tensor, changed: Tensor) -> None:
        """Check that the result for a sample follows from the sample and the seed alone."""
        if not torch.equal(self._seeded(seed, samples), changed):
            raise ValueError(
                f"{self._name} must draw from the default generators of torch, numpy or random alone; with the same"
                " seed it returns other values in a second call."
            )
        half = slice(len(samples) // 2)
        others = samples.flip(0)
        others[half] = samples[half]
        if not torch.allclose(self._seeded(seed, others)[half].float(), changed[half].float(), atol=1e-4):
            raise ValueError(
                f"{self._name} must change each sample by itself, and it mixes those of a batch. To fix: use"
                " augment.mixup or augment.cutmix, which mix images and their targets."
            )

    def _seeded(self, seed: int, samples: Tensor) -> Tensor:
        torch.default_generator.manual_seed(seed)
        return self.apply(samples.clone())


def _draws_once(module: nn.Module) -> bool:
    classes = {parent for part in module.modules() for parent in type(part).__mro__}
    return any(parent.__module__.split(".")[0] in _DRAW_ONCE for parent in classes)


@contextmanager
def _seeded_from_torch() -> Iterator[None]:
    """Seed the generators of NumPy and Python from torch's, and restore them afterwards."""
    seed = int(torch.randint(2**32, (), dtype=torch.int64))
    states = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def _random_samples(spec: DataSpec, number: int) -> Tensor:
    """Return samples of the kind and the shape that `Step.apply` gets: (number, ...)."""
    generator = torch.Generator().manual_seed(0)
    if spec.kind == "tokens":  # a window holds the last target too
        return torch.randint(len(spec.tokens), (number, spec.input_shape[0] + 1), generator=generator)
    draw = torch.rand if spec.kind == "images" else torch.randn
    return draw((number, *spec.input_shape), generator=generator)


def _check_values(name: str, changed: Tensor, spec: DataSpec) -> None:
    """Check the values that a module returns.

    Raises:
        ValueError: they are not finite, no tokens, or not from 0 to 1 as those of images.
    """
    if not changed.isfinite().all():
        raise ValueError(f"{name} must return finite values.")
    low, high = changed.aminmax()
    if spec.kind == "tokens" and not 0 <= low <= high < len(spec.tokens):
        raise ValueError(f"{name} must return tokens from 0 to {len(spec.tokens) - 1}, and returns {low} to {high}.")
    is_inside = (changed >= 0) & (changed <= 1)
    if spec.kind == "images" and is_inside.float().mean() < _IN_RANGE:
        raise ValueError(
            f"{name} must return values from 0 to 1, and returns {low:.3g} to {high:.3g}."
            " Images are normalised after the steps."
        )
