"""A callback."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class Counting(Callback):
    """Counts the batches of the run, a resumed one included, and logs their number after each epoch."""

    def __init__(self, *, name: str = "batches") -> None:
        self.name = name
        self.count = 0

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Count."""
        self.count += 1

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log."""
        for logger in trainer.loggers:
            logger.log_metrics({self.name: self.count}, trainer.global_step)

    def state_dict(self) -> dict[str, int]:
        """Return what a checkpoint keeps."""
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Continue."""
        self.count = state["count"]
