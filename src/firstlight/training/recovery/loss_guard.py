"""Ends a run at the first loss that is NaN or Inf."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from lightning.pytorch import Trainer
from torch import Tensor

_WINDOW = 32  # losses that stay on a GPU before they are read, so that the step does not wait for it


class Diverged(ArithmeticError):  # noqa: N818  # what happened, and no mistake
    """The loss or the weights have become NaN or Inf. The message says where."""


class Place(NamedTuple):
    """A step of the training; all numbers count from 1."""

    epoch: int
    step: int
    batch: int


class LossGuard:
    """Raises `Diverged` at a loss that is NaN or Inf.

    On the CPU the loss of a step is known at once, so the guard raises before the gradients of the step exist, and the
    weights stay as they are. Reading a loss on a GPU means waiting for the GPU. There, and if several processes must
    agree, the guard reads 32 losses together. The weights have changed by then, but no checkpoint has: the guard reads
    all losses before each of them.

    A finite loss can have gradients that are not finite. Then the loss of the next step is not finite either, and no
    checkpoint lies in between, because `check_weights` is called before each.
    """

    def __init__(self) -> None:
        self._unread: list[tuple[Place, Tensor]] = []

    def check(self, loss: Tensor, place: Callable[[], Place], trainer: Trainer) -> None:
        """Check the loss of a step, a scalar, now or with the next ones.

        Args:
            loss: the loss, a scalar.
            place: returns the place of the step.
            trainer: the Trainer.

        Raises:
            Diverged: a loss is NaN or Inf.
        """
        if loss.device.type == "cpu" and trainer.world_size == 1:
            if not math.isfinite(value := loss.item()):
                raise _diverged(place(), value)
            return
        self._unread.append((place(), loss.detach()))
        if len(self._unread) == _WINDOW:
            self.read(trainer)

    def read(self, trainer: Trainer) -> None:
        """Check the losses that have not been read yet. All processes call this at the same step.

        Raises:
            Diverged: a loss of any process is NaN or Inf.
        """
        if not self._unread:
            return
        unread, self._unread = self._unread, []
        losses = torch.stack([loss.float() for _, loss in unread])
        flags = (~losses.isfinite()).float()
        if trainer.world_size > 1:
            flags = trainer.strategy.reduce(flags, reduce_op="max")
        for (place, _), value, flag in zip(unread, losses.tolist(), flags.tolist(), strict=True):
            if flag:
                raise _diverged(place, value)


def check_weights(module: torch.nn.Module, epoch: int, step: int) -> None:
    """Check the parameters and buffers of a module before they are saved. Buffers may be infinite, as masks are.

    Raises:
        Diverged: a parameter is NaN or Inf, or a buffer NaN.
    """
    tensors = [value.isfinite().all() for value in module.parameters()]
    tensors += [~value.isnan().any() for value in module.buffers() if value.is_floating_point()]
    if tensors and not torch.stack(tensors).all():
        raise Diverged(f"epoch {epoch}, step {step}: stopped, because weights became NaN or Inf at this step.")


def _diverged(place: Place, value: float) -> Diverged:
    found = (
        "of another process is NaN or Inf" if math.isfinite(value) else f"is {'NaN' if math.isnan(value) else 'Inf'}"
    )
    return Diverged(f"epoch {place.epoch}, step {place.step}, batch {place.batch}: stopped, because the loss {found}.")
