"""One training run, from its config to its folder."""

import time
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from firstlight import launch
from firstlight.check import check
from firstlight.config import to_plain
from firstlight.log import logger, run_log
from firstlight.run_folder import RunFolder
from firstlight.summary import command, shown


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
        ValueError: the config is wrong, or its parts do not go together; no folder is left then.
    """
    started = time.perf_counter() if started is None else started
    plain = to_plain(config) if isinstance(config, DictConfig) else config
    if plain["resume"]:
        return _resume(plain["resume"], started)
    check(plain)
    # Absolute, because the run folder may be used from anywhere.
    plain["data"]["dir"] = str(Path(plain["data"]["dir"]).expanduser().absolute())
    launch.check_shared_folder(plain, run_dir or plain["run_dir"])
    if launch.is_first_process():
        folder = RunFolder.create(plain, run_dir or plain["run_dir"])
    else:
        folder = RunFolder.await_first_process(run_dir or plain["run_dir"])
    return _train_in(folder, plain, started)


def _resume(path: str, started: float) -> dict[str, Any]:
    """Go on with a run in its own folder, with its own config."""
    folder = RunFolder.open(path, key="resume")
    if folder.metrics().get("status") == "completed":
        raise ValueError(f"resume={path}: this run is complete. Its metrics are in {folder.metrics_path}")
    return _train_in(folder, to_plain(folder.config()), started)


def _train_in(folder: RunFolder, config: dict[str, Any], started: float) -> dict[str, Any]:
    num_processes = launch.num_processes(config)
    try:
        if num_processes:
            launch.launch(folder.path, num_processes)
        else:
            run_here(folder, config, started)
    except ValueError:
        # The user's mistake: where the training has not begun, nothing is kept.
        if launch.is_first_process() and not folder.spec_path.exists():
            folder.remove()
        raise
    return folder.metrics() | {"run_dir": str(folder.path)}


def run_here(folder: RunFolder, config: dict[str, Any], started: float) -> None:
    """Train in this process, alone or as one of several, and keep how it ended."""
    if not launch.is_first_process():
        from firstlight.fit import fit

        return fit(config, folder, started)
    with run_log(folder.log_path):
        try:
            from firstlight.build import build_source

            build_source(config).store()  # what is wrong with the data is told before Lightning is imported
            from firstlight.fit import fit

            fit(config, folder, started)
        except BaseException as error:
            status = "failed" if isinstance(error, Exception) else "interrupted"
            seconds = time.perf_counter() - started
            cause = f"{type(error).__name__}: {error}"
            folder.write_metrics(folder.metrics() | {"status": status, "error": cause, "seconds/total": seconds})
            logger.debug("the run ended early", exc_info=True)
            if status == "interrupted":
                logger.info("interrupted; go on with %s resume=%s", command("train"), shown(folder.path))
            raise
