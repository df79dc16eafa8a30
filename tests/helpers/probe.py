"""A callback that records what a run does, and a callback that fails."""

from typing import Any, ClassVar

import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class Probe(Callback):
    """Records the latest run: its batches by split and epoch, its validations, and the modes in which its steps run."""

    latest: ClassVar["Probe"]

    def __init__(self) -> None:
        Probe.latest = self
        self.trainer: Any = None
        self.batches: dict[str, list[list[int]]] = {"train": [], "val": [], "test": [], "sanity": []}
        self.modes: dict[str, Any] = {}
        self.gradients: list[torch.Tensor] = []
        self.validated_after: list[int] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.trainer = trainer

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._record("train", batch, batch_idx)
        self.modes |= {
            "anomaly": torch.is_anomaly_enabled(),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "benchmark": torch.backends.cudnn.benchmark,
        }

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        gradients = [weight.grad.flatten() for weight in pl_module.parameters() if weight.grad is not None]
        self.gradients.append(torch.cat(gradients).clone())

    def on_validation_batch_start(self, trainer: Trainer, pl_module: LightningModule, *rest: Any) -> None:
        self._record("sanity" if trainer.sanity_checking else "val", *rest[:2])

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self.validated_after.append(trainer.global_step)

    def on_test_batch_start(self, trainer: Trainer, pl_module: LightningModule, *rest: Any) -> None:
        self._record("test", *rest[:2])
        self.modes["inference"] = torch.is_inference_mode_enabled()

    def num_batches(self, split: str) -> list[int]:
        """Return the number of batches in each pass through a split."""
        return [len(batches) for batches in self.batches[split]]

    def _record(self, split: str, batch: Any, index: int) -> None:
        if index == 0:
            self.batches[split].append([])
        self.batches[split][-1].append(hash(batch[0].cpu().numpy().tobytes()))


class EpochStarts(Callback):
    """Does something at the start of each epoch; Lightning does not call it if a run is resumed within an epoch."""

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Do nothing."""


class Failing(Callback):
    """Raises an error before the second step."""

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if batch_idx == 1:
            raise RuntimeError("out of luck")


class Rates(Callback):
    """Records the learning rate of each batch."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.found.append(trainer.optimizers[0].param_groups[0]["lr"])
