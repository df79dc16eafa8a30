"""One training run, from its config to its folder."""

import contextlib
import time
import traceback
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from firstlight.config.checking.config import check
from firstlight.config.compose import to_plain
from firstlight.log import logger, run_log
from firstlight.runs.run_folder import RunFolder
from firstlight.runs.summary import command, shown
from firstlight.training import launch


def train(
    config: DictConfig | dict[str, Any], run_dir: str | Path | None = None, started: float | None = None
) -> dict[str, Any]:
    """Fit, test the best checkpoint, and leave a run folder.

    Args:
        config: what `compose` gives.
        run_dir: the run folder; by default what the config says, or a new one under its `output_dir`.
        started: `time.perf_counter()` at the start of the run, where that was before this call.

    Returns:
        What metrics.json holds, and `run_dir`.

    Raises:
        ValueError: the config is wrong, or its parts do not go together.

    No folder is left by what fails before the training begins; one that is interrupted is, for `resume`.
    """
    started = time.perf_counter() if started is None else started
    plain = to_plain(config) if isinstance(config, DictConfig) else config
    if plain["resume"]:
        return resume(plain["resume"], started=started)
    check(plain)
    plain |= _with_absolute_paths(plain["data"], plain["augment"], plain["model"])
    path = run_dir or plain["run_dir"]
    launch.check_shared_folder(plain, path)
    if not launch.is_first_process():
        assert path is not None
        return _train_in(RunFolder.await_first_process(path), plain, started)
    folder = RunFolder.create(plain, path)
    try:
        return _train_in(folder, plain, started)
    except Exception:  # whatever it is
        if not folder.spec_path.exists():  # the training has not begun: there is nothing to keep
            folder.remove()
        raise


def _with_absolute_paths(data: dict[str, Any], augment: dict[str, Any], model: dict[str, Any]) -> dict[str, Any]:
    """The options of data, augmentation's steps and weights as they hold from anywhere, as the run folder does."""
    return {
        "data": _with_absolute_file(data) | {"dir": str(Path(data["dir"]).expanduser().absolute())},
        "augment": {
            name: _with_absolute_file(step) if isinstance(step, dict) else step for name, step in augment.items()
        },
        "model": _with_absolute_file(model, "weights"),
    }


def _with_absolute_file(options: dict[str, Any], key: str = "file") -> dict[str, Any]:
    file = Path(options.get(key) or "").expanduser()
    # What is no file here lies in the data's `dir`, or is a name that is known elsewhere.
    return options | {key: str(file.absolute())} if file.is_file() else options


def resume(run: str | Path, data_dir: str | Path | None = None, started: float | None = None) -> dict[str, Any]:
    """Go on with a run that was stopped, in its own folder and with its own config.

    Args:
        run: the run folder.
        data_dir: where the official files lie now, if not where they lay.
        started: as for `train`.

    Returns:
        As `train`.

    Raises:
        ValueError: no such run, or one that came to its end.
    """
    folder = RunFolder.open(run, key="resume")
    outcome = {"completed": "is complete", "diverged": "has diverged"}.get(folder.metrics().get("status", ""))
    if outcome:
        raise ValueError(f"resume={run}: this run {outcome}. Its metrics are in {folder.metrics_path}")
    config = to_plain(folder.config())
    if data_dir is not None:
        config["data"]["dir"] = str(Path(data_dir).expanduser().absolute())
        folder.write_config(config)
    return _train_in(folder, config, time.perf_counter() if started is None else started)


def _train_in(folder: RunFolder, config: dict[str, Any], started: float) -> dict[str, Any]:
    num_processes = launch.num_processes(config)
    try:
        if num_processes:
            launch.launch(folder.path, num_processes)
        else:
            run_here(folder, config, started)
    except KeyboardInterrupt as error:
        _keep_early_end(folder, error, started)
        print(f"interrupted; go on with {command('train')} resume={shown(folder.path)}", flush=True)
        raise
    return folder.metrics() | {"run_dir": str(folder.path)}


def run_here(folder: RunFolder, config: dict[str, Any], started: float) -> None:
    """Train in this process, alone or as one of several, and keep how it ended.

    Raises:
        KeyboardInterrupt: for a signal that ends the run; Lightning makes other exceptions of it.
    """
    is_first = launch.is_first_process()
    with run_log(folder.log_path) if is_first else contextlib.nullcontext():
        try:
            from firstlight.tasks.build import build_augment, build_source

            # What is wrong with the data or a step is told before Lightning is imported.
            build_augment(config, build_source(config).store().spec)
            from firstlight.training.fit import fit

            fit(config, folder, started)
        except Exception as error:  # whatever it is, the folder keeps why the run ended
            if is_first:
                logger.debug("the run failed", exc_info=True)
                _keep_early_end(folder, error, started)
            if not folder.spec_path.exists() and not isinstance(error, ValueError | OSError):
                traceback.print_exc()  # the log goes with the folder
            raise
        except BaseException as error:
            raise KeyboardInterrupt from error


def _keep_early_end(folder: RunFolder, error: BaseException, started: float) -> None:
    """Put into metrics.json that the run ended early, and why."""
    if isinstance(error, KeyboardInterrupt):
        outcome = {"status": "interrupted"}
    else:
        outcome = {"status": "failed", "error": f"{type(error).__name__}: {error}"}
    folder.write_metrics(folder.metrics() | outcome | {"seconds/total": time.perf_counter() - started})
