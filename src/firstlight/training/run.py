"""Train a run from its config, or resume a run from its folder."""

import time
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from firstlight.config import RunConfig
from firstlight.runs import RunFolder
from firstlight.runs.command_line import command, relative_path
from firstlight.training import launch


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
        if config.get("resume"):
            return resume(config["resume"], started=started, trust=config.get("trust") is True)
        config = RunConfig.parse(config)
    config = config.with_absolute_paths()
    path = run_dir or config.run_dir
    launch.check_shared_folder(config, path)
    if not launch.is_first_process():
        assert path is not None
        return _train_in(RunFolder.await_first_process(path), config, started)
    folder = RunFolder.create(config, path)
    try:
        return _train_in(folder, config, started)
    except Exception:
        if not folder.spec_path.exists():  # before the first step, the folder holds nothing of use
            folder.remove()
        raise


def resume(
    run: str | Path, data_dir: str | Path | None = None, started: float | None = None, trust: bool = False
) -> dict[str, Any]:
    """Continue a run that was stopped, in its folder and with its config.

    Args:
        run: the run folder.
        data_dir: the folder of the data, if the data has moved.
        started: see `train`.
        trust: whether the run's config may name any class or function, see `RunFolder.config`.

    Returns:
        See `train`.

    Raises:
        ValueError: the run does not exist, has completed or has diverged, or names something to call that is not known.
    """
    folder = RunFolder.open(run, key="resume")
    status = folder.metrics().get("status", "")
    if status in ("completed", "diverged"):
        raise ValueError(f"resume={run}: must be a run that was stopped, and this one has {status}.")
    config = folder.config(trust)
    if not trust:
        folder.check_links()
    if data_dir is not None:
        config = config.with_data(dir=str(data_dir)).with_absolute_paths()
        folder.write_config(config)
    return _train_in(folder, config, time.perf_counter() if started is None else started)


def _train_in(folder: RunFolder, config: RunConfig, started: float) -> dict[str, Any]:
    # Imported here, because `python -m firstlight.training.worker` warns if the package has imported the module before.
    from firstlight.training.worker import record_early_end, train_here

    num_processes = launch.num_processes(config)
    try:
        if num_processes > 0:
            launch.launch(folder.path, num_processes)
        else:
            train_here(folder, config, started)
    except KeyboardInterrupt as error:
        if launch.is_first_process():
            record_early_end(folder, error, started)
            print(f"interrupted; continue with {command('train')} resume={relative_path(folder.path)}", flush=True)
        raise
    return folder.metrics() | {"run_dir": str(folder.path)}
