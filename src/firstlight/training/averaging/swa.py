"""Stochastic weight averaging."""

import math
from typing import Any

from lightning.pytorch import Trainer

from firstlight.checks import check_range
from firstlight.training.averaging.averaging import Averaging


class SWA(Averaging):
    """The mean of the weights at the ends of the last epochs of a run.

    The statistics of batch normalisation are those of a pass over the training data with the mean as weights.

    Source: Izmailov et al. 2018, "Averaging weights leads to wider optima and better generalization", algorithm 1.

    Args:
        start: the fraction of the run after which the averaging begins.
        every: optimizer steps between two of the averaged weights; None for those of an epoch.

    Raises:
        ValueError: an option is out of its range.
    """

    def __init__(self, start: float = 0.75, every: int | None = None) -> None:
        check_range("averaging.start", start, at_least=0, below=1)
        if every is not None:
            check_range("averaging.every", every, at_least=1)
        super().__init__(averages_buffers=False)
        self.start, self.every = start, every
        self._first, self._interval = 1, 1

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        """Compute the steps whose weights are averaged.

        Raises:
            ValueError: the run has no limit.
        """
        length = pl_module.schedules.length
        if math.isinf(length.total_steps):
            raise ValueError(
                "averaging=swa: must be used with trainer.max_epochs or trainer.max_steps, which set the end."
            )
        self._interval = self.every or length.steps_per_epoch
        self._first = max(1, math.ceil(self.start * length.total_steps))

    def takes(self, step: int) -> bool:
        """Return whether the step comes after the start and ends an interval."""
        return step >= self._first and step % self._interval == 0
