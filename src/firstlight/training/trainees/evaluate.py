"""Evaluate a finished run, whatever it has trained."""

from pathlib import Path
from typing import Any

from firstlight.checks import choose
from firstlight.config import RunConfig
from firstlight.runs import RunFolder
from firstlight.runs.evaluate import evaluate as evaluate_task
from firstlight.runs.summary import metrics_table


def evaluate(
    run: str | Path,
    split: str = "test",
    checkpoint: str = "best",
    data: dict[str, Any] | None = None,
    accelerator: str = "auto",
    input: str | Path | None = None,
    trust: bool = False,
    figures: bool = True,
    output: str | Path | None = None,
    calibrate: bool = False,
    threshold: str | None = None,
) -> dict[str, float]:
    """Evaluate a checkpoint of a run as training does at its end, and print the metrics.

    Runs of firstlight's tasks and data are evaluated by `runs.evaluate`, without Lightning. A LightningModule or a
    LightningDataModule is evaluated by Lightning's Trainer, on one device.

    Args:
        run: the run folder.
        split: "test", or "val" for the validation batches.
        checkpoint: "best" or "last".
        data: other values of `data` in the config, such as `{"dir": ...}`.
        accelerator: see `pick_device`.
        input: other labelled data, see `runs.evaluate`; a LightningModule or a LightningDataModule has none.
        trust: whether the run's config may name any class or function, see `RunFolder.config`.
        figures: whether figures and the table of the classes are written; none for a LightningModule or a
            LightningDataModule.
        output: the folder for them, see `runs.evaluate`.
        calibrate: see `runs.evaluate`; must be false for a LightningModule or a LightningDataModule.
        threshold: see `runs.evaluate`; must be None for them.

    Returns:
        The metrics by their names, such as "test/accuracy"; see `runs.evaluate`.

    Raises:
        ValueError: see `runs.evaluate`; or there are no batches or no metrics of the split.
    """
    folder = RunFolder.open(run)
    config = folder.config(trust)
    if not config.has_lightning_module and not config.has_data_module:
        options = data, accelerator, input, trust, figures, output, calibrate, threshold
        return evaluate_task(run, split, checkpoint, *options)
    choose("split", split, ("test", "val"), "split")
    folder.existing_checkpoint(checkpoint)  # reports a wrong name before the data is read
    for key, value in {"calibrate": calibrate, "output": output, "threshold": threshold}.items():
        if value:
            raise ValueError(
                f"{key}={value}: must be left out for a run of a LightningModule or a LightningDataModule."
            )
    if input is not None:
        raise ValueError(
            f"input={input}: must be null for a run of a LightningModule or a LightningDataModule. To fix: name other"
            f" data with data.dir=, which becomes data.{config.data_folder_key}."
        )
    changed = {config.data_folder_key if key == "dir" else key: value for key, value in (data or {}).items()}
    config = config.with_data(**changed).with_absolute_paths()
    return _evaluate(config.with_trainer(accelerator=accelerator, devices=1), folder, split, checkpoint)


def _evaluate(config: RunConfig, folder: RunFolder, split: str, checkpoint: str) -> dict[str, float]:
    from firstlight.training.assemble import assemble
    from firstlight.training.environment import silence_lightning
    from firstlight.training.trainees.build import build_trainee
    from firstlight.training.trainer import build_trainer

    parts = assemble(config, folder)
    silence_lightning()
    trainee = build_trainee(parts)
    trainer = build_trainer(_without_extras(config), trainee.task)
    trainee.prepare(trainer)
    trainee.load_weights(checkpoint)
    metrics = trainee.evaluate(trainer, split)
    if not metrics:
        raise ValueError(f"split={split}: must be a split that the LightningModule and the data evaluate.")
    print(metrics_table(metrics, (split,)) or "  ".join(f"{name} {value:.6f}" for name, value in metrics.items()))
    return metrics


def _without_extras(config: RunConfig) -> RunConfig:
    """Return the config without what the Trainer writes: the callbacks and loggers of the training."""
    return config.with_trainer(callbacks=None, logger=None, profiler=None, strategy="auto")
