"""Train several runs that differ only in their seed and in the numbers of their optimizer."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from signal import SIGINT
from typing import Any

from firstlight.config import RunConfig
from firstlight.config.instantiate import binding_once
from firstlight.log import run_log
from firstlight.runs import RunFolder
from firstlight.training.recovery.stop_signals import StopSignals
from firstlight.training.stacked.checks import check_config, common_part

_ENDED = ("completed", "diverged")


def train_stacked(
    configs: Sequence[RunConfig | dict[str, Any]], run_dirs: Sequence[str | Path], started: float | None = None
) -> list[dict[str, Any]]:
    """Train runs at once. Each leaves the run folder that it would leave alone, equal within floating-point noise.

    A run that was stopped begins again, because its steps follow from its seed alone. One that has ended stays.

    Args:
        configs: the configs of the runs. They differ only in `seed` and in the numbers of `optimizer`.
        run_dirs: the folder of each run.
        started: `time.perf_counter()` at the start of the runs, if that was before this call.

    Returns:
        The content of metrics.json of each run, and "run_dir".

    Raises:
        ValueError: the configs differ in more than that, or the runs cannot be stacked.
        KeyboardInterrupt: a signal has stopped the runs; the argument is its number.
    """
    started = time.perf_counter() if started is None else started
    parsed = [each if isinstance(each, RunConfig) else RunConfig.parse(each) for each in configs]
    if len({common_part(config.to_plain()) for config in parsed}) > 1:
        raise ValueError(
            "sweep.stacked=true: must be for runs that differ only in seed and in numbers of the optimizer."
        )
    check_config(parsed[0])
    folders = list(map(RunFolder, run_dirs))
    new = [place for place, folder in enumerate(folders) if folder.metrics().get("status") not in _ENDED]
    if new:
        _train([parsed[place].with_absolute_paths() for place in new], [folders[place] for place in new], started)
    return [folder.metrics() | {"run_dir": str(folder.path)} for folder in folders]


def _train(configs: Sequence[RunConfig], folders: Sequence[RunFolder], started: float) -> None:
    pairs = sorted(zip(configs, folders, strict=True), key=lambda pair: repr((pair[0].optimizer, pair[0].parameters)))
    pairs = [
        (config, folder if folder.config_path.is_file() else RunFolder.create(config, folder.path))
        for config, folder in pairs
    ]
    folders = [folder for _, folder in pairs]
    with ExitStack() as stack:
        for _, folder in pairs:
            stack.enter_context(folder.lock("run_dir"))
        signals = stack.enter_context(StopSignals())
        stack.enter_context(_recorded(folders, signals, started))
        _fit(pairs, started, signals)


@contextmanager
def _recorded(folders: Sequence[RunFolder], signals: StopSignals, started: float) -> Iterator[None]:
    """Record an error or a signal in the folders of all runs that have not ended."""
    from firstlight.training.worker import record_early_end

    try:
        yield
    except BaseException as error:
        end = error if isinstance(error, Exception) else KeyboardInterrupt(signals.number or SIGINT)
        for folder in folders:
            if folder.metrics().get("status") in _ENDED:
                continue
            if isinstance(error, Exception) and not folder.history_path.exists():  # the training has not begun
                for path in (folder.spec_path, folder.record_path):  # `prepare` has described the data already
                    path.unlink(missing_ok=True)
                folder.remove()
            else:
                with suppress(OSError):
                    record_early_end(folder, end, started)
        if end is error:
            raise
        raise end from error


def _fit(pairs: Sequence[tuple[RunConfig, RunFolder]], started: float, signals: StopSignals) -> None:
    from firstlight.training.assemble import assemble, build_source  # imports torch
    from firstlight.training.lean_imports import defer_imports

    source = build_source(pairs[0][0])
    store = source.store()
    vars(source)["store"] = lambda: store  # in place of the method: all replicas read the same arrays
    all_parts = []
    with binding_once():
        for config, folder in pairs:
            folder.checkpoint_path("last").unlink(missing_ok=True)  # of a run that was stopped while it reported
            with run_log(folder.log_path):
                all_parts.append(assemble(config, folder, source))
    defer_imports()

    from firstlight.training.environment import entry_points_once, restored_settings  # imports Lightning
    from firstlight.training.session import prepare
    from firstlight.training.stacked.finishing import finish_all
    from firstlight.training.stacked.fit import StackedFit
    from firstlight.training.stacked.replica import Replica

    with restored_settings():
        replicas = []
        with binding_once(), entry_points_once():
            for parts in all_parts:
                with run_log(parts.folder.log_path):
                    replicas.append(Replica(prepare(parts, started, signals)))
        StackedFit(replicas, signals).run()
        finish_all(replicas)
