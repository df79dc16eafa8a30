"""The checkpoints of a replica: kept in memory, and written when its training has ended."""

from pathlib import Path
from typing import Any

from firstlight.config import RunConfig
from firstlight.runs import RunFolder
from firstlight.tasks import Task
from firstlight.training.callbacks.checkpoints import AtomicCheckpointIO


class KeptCheckpoints:
    """Takes the place of a run folder for `Checkpoints`, and of a Trainer that saves.

    Many replicas would otherwise write more often than they compute. A stacked run that is stopped begins again, so it
    needs none of them before its end.

    Args:
        folder: the run folder, which gets the files at the end.
        config: the config of the run.
        task: the task whose weights are kept.
    """

    def __init__(self, folder: RunFolder, config: RunConfig, task: Task) -> None:
        self.folder = folder
        self.config = config
        self.task = task
        self._kept: dict[str, dict[str, Any]] = {}

    def checkpoint_path(self, name: str) -> Path:
        """Return the path of a checkpoint; see `RunFolder`."""
        return self.folder.checkpoint_path(name)

    def save(self, epoch: int, step: int) -> None:
        """Keep the weights as the last ones."""
        weights = {name: value.clone() for name, value in self.task.state_dict().items()}
        self._kept["last"] = {"epoch": epoch, "global_step": step, "state_dict": weights}

    def copy_last_to_best(self) -> None:
        """Keep the last weights also as the best ones."""
        self._kept["best"] = self._kept["last"]

    def write(self) -> None:
        """Write last.ckpt and best.ckpt.

        Raises:
            OSError: a file cannot be written.
        """
        described = {"config": self.config.to_plain(), "spec": self.task.spec.to_dict()}
        for name, content in self._kept.items():
            content["state_dict"] = {key: value.to("cpu", copy=True) for key, value in content["state_dict"].items()}
            AtomicCheckpointIO().save_checkpoint(content | described, self.checkpoint_path(name))
