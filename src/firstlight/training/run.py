"""Train a run from its config, or resume a run from its folder."""

import time
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from firstlight.config import RunConfig
from firstlight.files import full_disk_message, is_disk_full
from firstlight.runs import RunFolder
from firstlight.runs.command_line import command, relative_path
from firstlight.training import launch
from firstlight.training.folds.cross_validation import cross_validate, fold_path
from firstlight.training.recovery.prolong import check_longer


def train(
    config: RunConfig | DictConfig | dict[str, Any], run_dir: str | Path | None = None, started: float | None = None
) -> dict[str, Any]:
    """Train, test the best checkpoint, and write everything into a run folder.

    The folder is deleted if the run fails before its first step. It stays if the run is interrupted, for `resume`.

    Args:
        config: the config of the run, or the result of `compose`, whose `resume` may name a run to continue.
        run_dir: the run folder; by default the config's `run_dir`, or a new folder under its `output_dir`.
        started: `time.perf_counter()` at the start of the run, if that was before this call.

    Returns:
        The content of metrics.json, and "run_dir".

    Raises:
        ValueError: the config is wrong, or its parts do not fit together.
    """
    started = time.perf_counter() if started is None else started
    if not isinstance(config, RunConfig):
        if config.get("resume") is not None:
            return resume(config["resume"], started=started, trust=config.get("trust") is True)
        config = RunConfig.parse(config)
    config = config.with_absolute_paths()
    path = config.run_dir if run_dir is None else run_dir
    launch.check_shared_folder(config, path)
    launch.check_range_test(config)
    if config.is_cross_validation:
        return _train_folds(config, path)
    if not launch.is_first_process():
        assert path is not None
        return _train_in(RunFolder.await_first_process(path), config, started)
    folder = RunFolder.create(config, path)
    with folder.lock("run_dir"):
        try:
            return _train_in(folder, config, started)
        except Exception:
            if not folder.has_started:  # before the first step, the folder holds nothing of use
                folder.remove()
            raise


def _train_folds(config: RunConfig, path: str | Path | None) -> dict[str, Any]:
    folder = RunFolder.create(config, path)
    folder.checkpoint_dir.rmdir()  # the folds have checkpoints
    try:
        return _continue_folds(folder, config)
    except Exception:
        if not fold_path(folder.path, 1).exists():  # the first fold has not begun
            folder.remove()
        raise


def _continue_folds(folder: RunFolder, config: RunConfig, **moved: Any) -> dict[str, Any]:
    with folder.lock("run_dir"):
        return cross_validate(folder, config, train, lambda path: resume(path, **moved))


def resume(
    run: str | Path,
    data_dir: str | Path | None = None,
    started: float | None = None,
    *,
    data_file: str | Path | None = None,
    trust: bool = False,
    max_epochs: int | None = None,
    max_steps: int | None = None,
) -> dict[str, Any]:
    """Continue a run that was stopped, or prolong one that has completed, in its folder and with its config.

    Args:
        run: the run folder.
        data_dir: the folder of the data, if the data has moved.
        started: see `train`.
        data_file: the file of a table or a text, if it has moved.
        trust: whether the run's config may name any class or function, see `RunFolder.config`.
        max_epochs: new limit on the epochs; None keeps the old one. See `training.recovery.prolong`.
        max_steps: new limit on the optimizer steps; None keeps the old one.

    Returns:
        See `train`.

    Raises:
        ValueError: the run does not exist, is being trained by another process, has diverged, or has completed and is
            not given a higher limit; its config names something to call that is not known; or the data is not that of
            the run.
    """
    started = time.perf_counter() if started is None else started
    folder = RunFolder.open(run, key="resume")
    given = {"max_epochs": max_epochs, "max_steps": max_steps}
    limits = {key: value for key, value in given.items() if value is not None}
    moved = {key: str(value) for key, value in {"dir": data_dir, "file": data_file}.items() if value is not None}
    if (whole := folder.config(trust)).is_cross_validation:
        return _resume_folds(folder, whole, limits, data_dir=data_dir, data_file=data_file, trust=trust)
    if not launch.is_first_process():
        return _train_in(folder, _changed(folder.config(trust), moved, limits), started)
    with folder.lock("resume"):
        folder.repair()
        _check_stopped(folder, run, prolonged=bool(limits))
        old = folder.config(trust)
        if not trust:
            folder.check_links()
        config = _changed(old, moved, limits)
        if moved:
            _check_moved_data(folder, config)  # before the config of the run changes
        if limits:
            check_longer(folder, old, config)
            # Now, so that the run can be continued if it is stopped before its new end.
            folder.write_metrics({"status": "interrupted"})
        if config != old:
            folder.write_config(config)
        return _train_in(folder, config, started)


def _resume_folds(folder: RunFolder, config: RunConfig, limits: dict[str, int], **moved: Any) -> dict[str, Any]:
    """Continue a cross-validation with the fold in which it was stopped."""
    if limits:
        raise ValueError(f"resume={folder.path}: must be the folder of one fold, to give it more epochs or steps.")
    if folder.metrics():
        raise ValueError(f"resume={folder.path}: must be a run that was stopped, and all folds of this one have ended.")
    places = {"dir": moved["data_dir"], "file": moved["data_file"]}
    changed = _changed(config, {key: str(value) for key, value in places.items() if value is not None}, {})
    return _continue_folds(folder, changed, **moved)


def _check_stopped(folder: RunFolder, run: str | Path, prolonged: bool) -> None:
    status = folder.metrics().get("status", "")
    if status in ("diverged", "pruned") or (status == "completed" and not prolonged):
        found = "was pruned by its sweep" if status == "pruned" else f"has {status}"
        fix = ". To fix: prolong it with trainer.max_epochs=..." if status == "completed" else "."
        raise ValueError(f"resume={run}: must be a run that was stopped, and this one {found}{fix}")


def _changed(config: RunConfig, moved: dict[str, str], limits: dict[str, int]) -> RunConfig:
    """Return the config of a resumed run with other values of what may change."""
    if moved:
        named = {config.data_folder_key if key == "dir" else key: value for key, value in moved.items()}
        config = config.with_data(**named).with_absolute_paths()
    return RunConfig.parse(config.with_trainer(**limits).to_plain()) if limits else config


def _check_moved_data(folder: RunFolder, config: RunConfig) -> None:
    from firstlight.training.assemble import build_source, check_same_data  # imports torch

    if folder.checkpoint_path("last").exists():
        check_same_data(config, folder, *build_source(config).splits(config.seed))


def _train_in(folder: RunFolder, config: RunConfig, started: float) -> dict[str, Any]:
    # Imported here, because `python -m firstlight.training.worker` warns if the package has imported the module before.
    from firstlight.training.worker import record_early_end, train_here

    num_processes = launch.num_processes(config)
    try:
        if num_processes > 0:
            launch.launch(folder.path, num_processes)
        else:
            train_here(folder, config, started)
    except ChildProcessError as error:
        record_early_end(folder, error, started)
        raise
    except KeyboardInterrupt as error:
        if launch.is_first_process():
            record_early_end(folder, error, started)
            print(f"interrupted; continue with {_resume_command(folder)}", flush=True)
        raise
    except OSError as error:
        if not is_disk_full(error) or not folder.has_started:
            raise
        raise OSError(_full_disk_text(folder, error)) from error
    return folder.metrics() | {"run_dir": str(folder.path)}


def _resume_command(folder: RunFolder) -> str:
    """Return the command that continues a run, or the cross-validation that a run is a fold of."""
    parent = RunFolder(folder.path.parent)
    is_part = folder.path.name.startswith("fold_") and parent.config_path.exists()
    return f"{command('train')} resume={relative_path(parent.path if is_part else folder.path)}"


def _full_disk_text(folder: RunFolder, error: OSError) -> str:
    """Return which file could not be written, what is kept, and how to continue."""
    has_checkpoint = folder.checkpoint_path("last").exists()
    kept = f"{folder.checkpoint_dir} keeps the checkpoints so far" if has_checkpoint else "No checkpoint is kept yet"
    return f"{full_disk_message(error)}\n{kept}; continue with {_resume_command(folder)}"
