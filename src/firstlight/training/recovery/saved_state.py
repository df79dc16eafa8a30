"""Where a stopped run continues: the state in last.ckpt, and the files that belong to it."""

from dataclasses import dataclass
from typing import Any

from firstlight.runs import RunFolder
from firstlight.runs.checkpoint import read_checkpoint


@dataclass(frozen=True)
class SavedState:
    """The state of a run in its last.ckpt.

    Attributes:
        epochs: epochs that have ended.
        steps: optimizer steps that have been taken.
        is_within_epoch: whether steps of another epoch have been taken.
        best_epoch: the best epoch, counted from 1; None if none has been validated.
    """

    epochs: int = 0
    steps: int = 0
    is_within_epoch: bool = False
    best_epoch: int | None = None

    @classmethod
    def of(cls, folder: RunFolder) -> "SavedState":
        """Read the state from the folder of a run."""
        checkpoint: dict[str, Any] = read_checkpoint(folder.existing_checkpoint("last"))
        progress = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]
        best = checkpoint["callbacks"]["RunCallbacks"]["Checkpoints"]["best"]
        return cls(
            epochs=progress["processed"],
            steps=checkpoint["global_step"],
            is_within_epoch="unfinished_epoch" in checkpoint,
            best_epoch=best.get("epoch"),
        )

    def complete_best(self, folder: RunFolder) -> None:
        """Make best.ckpt the checkpoint that the state names, if the process was killed before it wrote it.

        Raises:
            ValueError: best.ckpt is missing or damaged.
        """
        if self.best_epoch is None:
            return
        if self.best_epoch == self.epochs and not self.is_within_epoch:
            folder.copy_last_to_best()
        read_checkpoint(folder.existing_checkpoint("best"))  # reports damage now, and not after the training
