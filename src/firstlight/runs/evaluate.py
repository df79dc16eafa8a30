"""The metrics of a finished run, measured again."""

from pathlib import Path
from typing import Any

from firstlight.checks import choose
from firstlight.config.compose import to_plain
from firstlight.runs.run_folder import RunFolder
from firstlight.runs.summary import metrics_table
from firstlight.tasks.build import build_source, build_task, build_trainer
from firstlight.training.environment import silence_lightning
from firstlight.training.fit import make_loader, measure


def evaluate(
    run: str | Path,
    split: str = "test",
    checkpoint: str = "best",
    data: dict[str, Any] | None = None,
    accelerator: str = "auto",
) -> dict[str, float]:
    """Measure a checkpoint of a run, in the way in which training measured it at its end.

    Args:
        run: the run folder.
        split: `test`, or `val`, the part of the training split that the run's seed held out.
        checkpoint: `best` or `last`.
        data: values that take the place of the config's, such as `{"dir": ...}`.
        accelerator: as Lightning names them.

    Returns:
        The metrics `<split>/<name>`; they are printed too.

    Raises:
        ValueError: no such run, checkpoint or split, or other data than the run was trained on.
    """
    choose("split", split, ("test", "val"), "split")
    silence_lightning()
    folder = RunFolder.open(run)
    folder.existing_checkpoint(checkpoint)  # told before the data is looked for
    config = to_plain(folder.config())
    config["data"] |= {key: value for key, value in (data or {}).items() if value is not None}
    config["trainer"] |= {"accelerator": accelerator, "devices": 1, "num_nodes": 1, "strategy": "auto"}
    spec = folder.spec()
    source = build_source(config)
    store, splits = source.splits(config["seed"])
    weights = config["model"].get("weights")
    if (store.spec if weights is None else store.spec.preprocessed_as(spec)) != spec:
        raise ValueError(f"data.dir={config['data']['dir']}: other data than {folder.path} was trained on.")
    task = build_task(config, spec, with_recipe=False)
    trainer = build_trainer(config)
    measure(trainer, task, make_loader(splits[split], source.batch_size, trainer), folder, checkpoint)
    metrics = {name.replace("test/", f"{split}/"): value for name, value in task.metrics.items()}
    print(metrics_table(metrics))
    return metrics
