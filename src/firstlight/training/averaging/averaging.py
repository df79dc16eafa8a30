"""The base class of all averages of the weights."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from firstlight.training.averaging.statistics import update_statistics


class Averaging(WeightAveraging):
    """An average of the weights that is validated, tested, saved in every checkpoint, and exported.

    The training goes on with its own weights, which checkpoints hold as `current_model_state`. Until the averaging
    begins, the average is the current weights.

    Args:
        averages_buffers: whether the statistics of batch normalisation are averaged as the weights are. If not, a pass
            over the training data computes them before each validation, with the average as weights.
        options: of `torch.optim.swa_utils.AveragedModel`.
    """

    def __init__(self, *, averages_buffers: bool, **options: Any) -> None:
        super().__init__(use_buffers=averages_buffers, **options)
        self.averages_buffers = averages_buffers

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """Return whether the average takes part in the optimizer step with this index, counted from 0."""
        return step_idx is not None and self.takes(step_idx + 1)

    def takes(self, step: int) -> bool:
        """Return whether the weights after an optimizer step, counted from 1, are added to the average."""
        return True

    @property
    def has_begun(self) -> bool:
        """Whether there is an average."""
        return self._average_model is not None and int(self._average_model.n_averaged) > 0

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the average in place of the current weights, with statistics that fit it."""
        self._follow(pl_module)
        super().on_validation_epoch_start(trainer, pl_module)
        if self.has_begun and not self.averages_buffers and trainer.state.fn == "fit":
            update_statistics(pl_module, trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the average as the weights of the module."""
        self._follow(pl_module)
        super().on_train_end(trainer, pl_module)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Put the average in place of the weights in a checkpoint."""
        self._follow(pl_module)
        super().on_save_checkpoint(trainer, pl_module, checkpoint)

    def _follow(self, module: LightningModule) -> None:
        """Let the average be the current weights until it has begun."""
        if self._average_model is not None and not self.has_begun:
            self._average_model.module.load_state_dict(module.state_dict())


@torch.no_grad()
def interpolate(averaged: list[Tensor], current: list[Tensor], weight: float) -> None:
    """Move tensors a fraction of the way to others, in place. Whole numbers, such as counts, become those of `current`.

    Args:
        averaged: tensors of one type on one device.
        current: as many tensors of the same shapes.
        weight: the fraction.
    """
    if averaged[0].is_floating_point():
        torch._foreach_lerp_(averaged, current, weight)  # as torch.optim.swa_utils does
    else:
        torch._foreach_copy_(averaged, current)
