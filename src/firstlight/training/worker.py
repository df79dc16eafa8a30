"""One process of a run.

`python -m firstlight.training.worker RUN_DIR` trains the run in RUN_DIR together with other processes.
"""

import contextlib
import os
import signal
import sys
import time
import traceback

from firstlight.config import RunConfig
from firstlight.config.saved import read_saved
from firstlight.log import logger, run_log, tolerate_terminals
from firstlight.runs import RunFolder
from firstlight.runs.report import write_report
from firstlight.training.launch import is_first_process
from firstlight.training.lean_imports import defer_imports, pause_garbage_collection
from firstlight.training.processes.connection import connect_to_parent, report_to_parent
from firstlight.training.recovery.stop_signals import StopSignals, exit_status


def train_here(folder: RunFolder, config: RunConfig, started: float) -> None:
    """Train in this process, alone or as one of several, and record how the training ends.

    Raises:
        ValueError: the config or the data is wrong. Raised before Lightning is imported, if possible.
        KeyboardInterrupt: a signal ends the run; the argument is its number. Lightning replaces this exception by
            others; here it is restored.
    """
    is_first = is_first_process()
    with run_log(folder.log_path) if is_first else contextlib.nullcontext(), StopSignals() as signals:
        try:
            with pause_garbage_collection():
                from firstlight.training.assemble import assemble  # imports torch

            parts = assemble(config, folder)
            defer_imports()
            with pause_garbage_collection():
                from firstlight.training.environment import restored_settings  # imports Lightning
                from firstlight.training.fit import fit

            with restored_settings():
                fit(parts, started, signals)
        except Exception as error:  # any failure is recorded in the folder
            if is_first:
                logger.debug("the run failed", exc_info=True)
                with contextlib.suppress(OSError):  # the disk may be full; the error that ended the run says so
                    record_early_end(folder, error, started)
            if not folder.has_started and not isinstance(error, ValueError | OSError):
                traceback.print_exc()  # the log is deleted with the folder
            raise
        except BaseException as error:
            raise KeyboardInterrupt(signals.number or signal.SIGINT) from error


def record_early_end(folder: RunFolder, error: BaseException, started: float) -> None:
    """Write into metrics.json that the run was interrupted or failed, with the error."""
    if isinstance(error, KeyboardInterrupt):
        outcome = {"status": "interrupted"}
    else:
        outcome = {"status": "failed", "error": f"{type(error).__name__}: {error}"}
    metrics = {name: value for name, value in folder.metrics().items() if name != "error"}  # of an earlier end
    folder.write_metrics(metrics | outcome | {"seconds/total": time.perf_counter() - started})
    if isinstance(error, KeyboardInterrupt) and folder.history():
        _write_report(folder)


def _write_report(folder: RunFolder) -> None:
    """Write the report of an interrupted run, unless its config or something on the way prevents it."""
    with contextlib.suppress(Exception):
        if read_saved(folder.config_path).get("figures", True):
            write_report(folder.path)


def _main(run_dir: str) -> int:
    from firstlight.config.errors import explain

    folder = RunFolder.open(run_dir)
    try:  # the process that has started this one has checked the config
        train_here(folder, folder.config(trust=True), started=time.perf_counter())
    except KeyboardInterrupt as interrupt:
        status = exit_status(interrupt)
        report_to_parent("interrupted", str(status - 128))
        return status
    except Exception as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            traceback.print_exc()
        message = explain(error)
        if not report_to_parent("refused" if isinstance(error, ValueError) else "failed", message):
            print(message, file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    connect_to_parent()
    tolerate_terminals()
    sys.exit(_main(sys.argv[1]))
