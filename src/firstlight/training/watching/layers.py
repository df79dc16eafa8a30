"""What happens in each layer of a network while it trains."""

import math
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from firstlight.config.options import Watch
from firstlight.tasks import Task
from firstlight.training.callbacks.learner import Learner
from firstlight.training.callbacks.recorder import Recorder
from firstlight.training.callbacks.run_callbacks import RunCallback
from firstlight.training.watching.dead_relus import DeadReLUs


class Layers(RunCallback):
    """Logs the norms, updates, dead ReLUs and histograms of each layer, in some of the optimizer steps.

    A layer is a module with parameters of its own that learn. Norms are Euclidean, over all of these. The gradient is
    that of the step: unscaled, accumulated and clipped. The update is what the step has changed. In all other steps
    nothing is computed, and nothing of the training changes.

    Args:
        task: the task that is trained.
        watch: the options.
        recorder: passes on the values to the loggers.
    """

    def __init__(self, task: Task, watch: Watch, recorder: Recorder) -> None:
        self.task = task
        self.watch = watch
        self.recorder = recorder
        self._rows: list[tuple[int, dict[str, float]]] = []
        self._before: dict[str, list[Tensor]] = {}
        self._dead: DeadReLUs | None = None
        self._step = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the values of an epoch that has not ended."""
        return {"rows": self._rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._rows = [(step, values) for step, values in state.get("rows", [])]

    def on_step_start(self, trainer: Trainer, learner: Learner) -> None:
        """Keep the weights before a step that is watched, and watch its activations."""
        self._step = trainer.global_step + 1
        if self._before or not self._is_due(trainer):  # a step may have several batches
            return
        self._before = {name: [each.detach().clone() for each in own] for name, own in self._layers().items()}
        self._dead = DeadReLUs(self.task.network) if self.watch.layers else None

    def _is_due(self, trainer: Trainer) -> bool:
        if self.watch.every != "epoch":
            return self._step % self.watch.every == 0
        if self._step == self.recorder.config.max_steps or trainer.is_last_batch:
            return True
        last = trainer.num_training_batches - 1
        return trainer.fit_loop.batch_idx >= last - last % trainer.accumulate_grad_batches  # the batches of one step

    def on_step_end(self, trainer: Trainer, learner: Learner, loss: Any, num_samples: int) -> None:
        """Compute the values of a step that is watched."""
        if not self._before or trainer.global_step < self._step:
            return
        values: dict[str, float] = {} if self._dead is None else self._dead.finish()
        for name, own in self._layers().items():
            if self.watch.layers and name in self._before:
                values |= _norms(name, own, self._before[name])
            if self.watch.histograms and trainer.is_global_zero:
                self._add_histograms(name, own)
        if self.watch.layers:
            self._rows.append((self._step, values))
        self._before, self._dead = {}, None

    def on_epoch_end(self, trainer: Trainer, learner: Learner) -> None:
        """Log the values of the epoch."""
        for step, values in self._rows:
            for each in self.recorder.loggers if trainer.is_global_zero else ():
                each.log_metrics(values, step)
        self._rows = []

    def on_exception(self) -> None:
        if self._dead is not None:
            self._dead.finish()

    def _layers(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters of each layer that learn now."""
        found = {}
        for name, layer in self.task.network.named_modules():
            own = [each for each in layer.parameters(recurse=False) if each.requires_grad]
            if own:
                found[name or "network"] = own
        return found

    def _add_histograms(self, name: str, own: list[nn.Parameter]) -> None:
        parts = {"weights": own, "gradients": [each.grad for each in own if each.grad is not None]}
        for kind, tensors in parts.items():
            values = _flat(tensors) if tensors else torch.zeros(0)
            if len(values) and bool(values.isfinite().all()):
                for each in self.recorder.loggers:
                    each.add_histogram(f"{kind}/{name}", values.cpu(), self._step)


def _norms(name: str, own: list[nn.Parameter], before: list[Tensor]) -> dict[str, float]:
    gradients = [each.grad for each in own if each.grad is not None]
    update = _norm([new.detach() - old for new, old in zip(own, before, strict=True)])
    weight = _norm(before)
    values = {f"weight_norm/{name}": _norm(own), f"update_ratio/{name}": update / weight if weight else math.nan}
    return values | ({f"gradient_norm/{name}": _norm(gradients)} if gradients else {})


def _flat(tensors: Any) -> Tensor:
    return torch.cat([each.detach().float().flatten() for each in tensors])


def _norm(tensors: Any) -> float:
    return float(torch.linalg.vector_norm(_flat(tensors)))
