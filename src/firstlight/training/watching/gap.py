"""How much better a task is on samples that it has learned from than on those of the validation."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning.pytorch import Trainer

from firstlight.data import BatchLoader, Split
from firstlight.randomness import generator
from firstlight.tasks import Task
from firstlight.training.callbacks.learner import Learner
from firstlight.training.callbacks.run_callbacks import RunCallback
from firstlight.training.figures.undisturbed import undisturbed

GAP = "gap"  # the prefix of the metrics


class Gap(RunCallback):
    """Evaluates a fixed part of the training samples after each validation, in the same way, and compares the two.

    The metrics of training are means over an epoch in which the weights change, of augmented samples and with dropout.
    Those of the validation are not, so only a second evaluation shows how much of the difference is overfitting.
    `gap/<name>` is above 0 if the training samples have the better value. Every rank evaluates all of the part.

    Args:
        task: the task that is trained.
        num_samples: size of the part; all training samples if there are fewer.
        seed: decides which samples these are. Of a text they are the first windows.
    """

    def __init__(self, task: Task, num_samples: int, seed: int) -> None:
        self.task = task
        self.num_samples = num_samples
        self.seed = seed
        self._loader: BatchLoader | None = None

    def on_epoch_end(self, trainer: Trainer, learner: Learner) -> None:
        """Add the gaps to the metrics of the epoch, if it has a validation."""
        if learner.validated is None:
            return
        if self._loader is None:
            training: Any = trainer.lightning_module.train_loader
            self._loader = self._build_loader(training)
        seen = self._evaluate(self._loader)
        for metric in self.task.metrics:
            difference = seen[metric.name] - learner.metrics[f"val/{metric.name}"]
            learner.metrics[f"{GAP}/{metric.name}"] = -difference if metric.direction == "min" else difference

    def _build_loader(self, training: BatchLoader) -> BatchLoader:
        split = training.split
        number = min(len(split), self.num_samples)
        chosen = torch.arange(number)
        if not split.consecutive:
            chosen = torch.randperm(len(split), generator=generator(self.seed, GAP))[:number].sort().values
        part: Split = split.part(chosen.to(split.targets.device))
        return BatchLoader(part, min(number, training.batch_size), device=training.device)

    def _evaluate(self, loader: BatchLoader) -> dict[str, float]:
        meter = self.task.new_meter()
        with undisturbed(self.task), _without_added_metrics(self.task):
            self.task.stream_state = None
            for batch in loader:
                self.task.batch_loss(batch, meter)
        return meter.compute()


@contextmanager
def _without_added_metrics(task: Task) -> Iterator[None]:
    """Keep the training samples out of the metrics that the config adds, which see the validation alone."""
    added, task.added = task.added, None
    try:
        yield
    finally:
        task.added = added
