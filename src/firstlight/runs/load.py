"""A trained network, from its run folder alone."""

from pathlib import Path

import torch

from firstlight.config.compose import to_plain
from firstlight.runs.run_folder import RunFolder
from firstlight.tasks import Task
from firstlight.tasks.build import build_task


def load_run(run: str | Path, checkpoint: str = "best", device: torch.device | str = "cpu") -> Task:
    """The task of a run with the weights of a checkpoint, ready to measure or to predict.

    `task.network(task.preprocess(raw))` are the scores of raw images (batch, channels, height, width), uint8.

    Raises:
        ValueError: there is no such run or checkpoint.
    """
    folder = RunFolder.open(run)
    task = build_task(to_plain(folder.config()), folder.spec(), with_recipe=False)
    load_weights(task, folder, checkpoint)
    return task.to(device).eval()


def load_weights(task: Task, folder: RunFolder, checkpoint: str) -> None:
    """Put the weights of a checkpoint into a task.

    Raises:
        ValueError: there is no such checkpoint.
    """
    state = torch.load(folder.existing_checkpoint(checkpoint), map_location="cpu", weights_only=True)
    task.load_state_dict(state["state_dict"])
