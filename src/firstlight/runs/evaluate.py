"""Evaluate a finished run, from its folder and the data. Lightning is not imported."""

from pathlib import Path
from typing import Any

import torch

from firstlight.checks import choose
from firstlight.data import BatchLoader
from firstlight.runs.device import mixed_precision, pick_device
from firstlight.runs.load import load_run
from firstlight.runs.run_folder import RunFolder
from firstlight.runs.summary import metrics_table
from firstlight.tasks import Task
from firstlight.tasks.build import build_source


def evaluate(
    run: str | Path,
    split: str = "test",
    checkpoint: str = "best",
    data: dict[str, Any] | None = None,
    accelerator: str = "auto",
    trust: bool = False,
) -> dict[str, float]:
    """Evaluate a checkpoint of a run as training does at its end, and print the metrics.

    Args:
        run: the run folder.
        split: "test", or "val": the part of the training samples that the run held out.
        checkpoint: "best" or "last".
        data: new values for `data` in the config, such as `{"dir": ...}`; see `RunConfig.with_data`.
        accelerator: see `pick_device`.
        trust: whether the run's config may name any class or function, see `RunFolder.config`.

    Returns:
        The metrics `<split>/<name>`.

    Raises:
        ValueError: the run, the checkpoint or the split does not exist, or the data differs from the training data.
    """
    choose("split", split, ("test", "val"), "split")
    folder = RunFolder.open(run)
    folder.existing_checkpoint(checkpoint)  # reports a wrong name before the data is read
    config, spec = folder.config(trust).with_data(**data or {}), folder.spec()
    source = build_source(config)
    store, splits = source.splits(config.seed)
    if (store.spec if config.transfer.weights is None else store.spec.preprocessed_as(spec)) != spec:
        raise ValueError(
            f"data.dir={config.data['dir']}: must hold the data on which the run {folder.path} was trained."
        )
    task = load_run(run, checkpoint, pick_device(accelerator), trust)
    loader = BatchLoader(splits[split], source.batch_size, device=task.device)
    metrics = {f"{split}/{name}": value for name, value in compute_metrics(task, loader, config.precision).items()}
    print(metrics_table(metrics))
    return metrics


@torch.inference_mode()
def compute_metrics(task: Task, loader: BatchLoader, precision: str = "32-true") -> dict[str, float]:
    """Return the metrics over all batches.

    Args:
        task: in evaluation mode.
        loader: the batches, on the task's device.
        precision: the `trainer.precision` of the run.
    """
    meter = task.new_meter()
    with mixed_precision(precision, task.device):
        for batch in loader:
            task.batch_loss(batch, meter)
    return meter.compute()
