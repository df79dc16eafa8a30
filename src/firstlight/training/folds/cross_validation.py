"""Cross-validation: a run for each fold, in folders of their own below one folder (Stone 1974).

Each part of the training split validates once, and the other parts train. The folder above those of the folds holds the
common config and, when all folds have ended, the means and standard deviations of their metrics.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from firstlight.config import RunConfig
from firstlight.runs import RunFolder
from firstlight.runs.command_line import relative_path
from firstlight.training.folds.results import combined, table
from firstlight.training.launch import is_one_of_several

# Trains one fold in a folder, which it creates; returns the content of metrics.json.
TrainFold = Callable[[RunConfig, Path], dict[str, Any]]
# Continues the run in a folder.
ResumeFold = Callable[[Path], dict[str, Any]]


def fold_path(parent: Path, fold: int) -> Path:
    """Return the folder of a fold, counted from 1."""
    return parent / f"fold_{fold}"


def cross_validate(folder: RunFolder, config: RunConfig, train: TrainFold, resume: ResumeFold) -> dict[str, Any]:
    """Train the folds that have not ended, in turn, print a table of all, and write their means to metrics.json.

    Folds that have ended are not trained again; a fold that was stopped continues from its last checkpoint.

    Args:
        folder: the folder of the cross-validation, which holds its config.
        config: the config, whose `fold` is None.
        train: see `TrainFold`.
        resume: see `ResumeFold`.

    Returns:
        The content of metrics.json, see `combined`, and "run_dir".

    Raises:
        ValueError: the config is wrong; or another program starts several processes of the run, which cannot train
            one fold after the other.
    """
    if is_one_of_several():
        raise ValueError(
            f"kfold={config.kfold}: must be null where another program starts the processes. To fix: train the folds"
            " one by one, with fold=1 and so on."
        )
    assert config.kfold is not None
    found = []
    for fold in range(1, config.kfold + 1):
        path = fold_path(folder.path, fold)
        print(f"\n[fold {fold} of {config.kfold}]", flush=True)
        found.append(_fold(path, config.with_fold(fold), train, resume))
    metrics = combined(found) | config.annotations
    folder.write_metrics(metrics)
    print(f"\n{table(found)}\nrun folder  {relative_path(folder.path)}", flush=True)
    return metrics | {"run_dir": str(folder.path)}


def _fold(path: Path, config: RunConfig, train: TrainFold, resume: ResumeFold) -> dict[str, Any]:
    folder = RunFolder(path)
    if not folder.config_path.exists():
        return train(config, path)
    if not folder.has_started:  # a process was killed before the first step
        folder.remove()
        return train(config, path)
    status = folder.metrics().get("status")
    if status in ("completed", "diverged"):
        print(f"{status}: {relative_path(path)}")
        return folder.metrics()
    return resume(path)
