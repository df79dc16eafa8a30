"""Lookahead: slow weights that follow the weights of any optimizer."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from firstlight.checks import check_range
from firstlight.training.averaging.averaging import Averaging, interpolate


class Lookahead(Averaging):
    """Slow weights that take a part of the way to the fast ones, from which these then go on.

    The optimizer trains the fast weights and keeps its state, such as its momentum. The slow weights begin as the
    initial weights. They are what is evaluated and saved, with statistics of batch normalisation that are those of a
    pass over the training data.

    Source: Zhang et al. 2019, "Lookahead optimizer: k steps forward, 1 step back", algorithm 1.

    Args:
        every: optimizer steps between two updates of the slow weights.
        rate: the fraction of the way that an update takes.

    Raises:
        ValueError: an option is out of its range.
    """

    def __init__(self, every: int = 5, rate: float = 0.5) -> None:
        check_range("averaging.every", every, at_least=1)
        check_range("averaging.rate", rate, above=0, at_most=1)
        self.every = every

        def update(averaged: list[Tensor], current: list[Tensor], num_averaged: Tensor | int) -> None:
            interpolate(averaged, current, rate)

        super().__init__(averages_buffers=False, multi_avg_fn=update)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let the slow weights begin as the initial ones."""
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None and not self.has_begun:
            self._average_model.n_averaged += 1

    def takes(self, step: int) -> bool:
        """Return whether the step ends an interval."""
        return step % self.every == 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Update the slow weights if an interval ends, and let the fast weights go on from them."""
        before = self._latest_update_step
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if self._latest_update_step == before:
            return
        assert self._average_model is not None
        with torch.no_grad():
            for fast, slow in zip(pl_module.parameters(), self._average_model.module.parameters(), strict=True):
                fast.copy_(slow)
