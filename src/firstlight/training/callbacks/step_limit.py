"""The end of a run that is counted in steps."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class StepLimit(Callback):
    """Stops a run after so many optimizer steps, in the middle of an epoch too; it is validated and kept as it is."""

    def __init__(self, max_steps: int) -> None:
        if max_steps < 1:
            raise ValueError(f"trainer.max_steps={max_steps}: one step or more, or -1 for no limit.")
        self.max_steps = max_steps

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count."""
        if trainer.global_step >= self.max_steps:
            trainer.should_stop = True
