"""Run a command once, or once for each job of a sweep. Hydra composes the configs; errors become short messages.

Nothing here imports torch, so `--help` and messages about the config appear within a second.
"""

import atexit
import gc
import math
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from omegaconf import DictConfig

from firstlight.config.compose import composed_by_hydra, extend_with_project, to_plain
from firstlight.config.help import help_text
from firstlight.config.overrides import replacing_files, with_quotes
from firstlight.config.project import CONFIG_DIR
from firstlight.files import user_path
from firstlight.log import tolerate_terminals

if TYPE_CHECKING:
    from firstlight.runs.sweeps import SequentialSweep

Job = Callable[[dict[str, Any]], dict[str, Any]]


def run_command(
    config_name: str, job: Job, texts: tuple[str, ...] = (), single: Mapping[str, str] | None = None
) -> None:
    """Run a command with the arguments in `sys.argv`, once or for each job of a sweep; then exit.

    The exit status is 1 if a job failed or diverged; if a signal stopped one, 130 after Ctrl-C, 143 after SIGTERM.

    Args:
        config_name: the name of the command and of its YAML file.
        job: takes the composed config and returns the metrics.
        texts: keys whose values are free text, such as a prompt. Only a sweep separates their values at commas.
        single: keys that a sweep cannot have, each with what to use instead.
    """
    tolerate_terminals()
    atexit.register(_skip_last_collection)
    argv = sys.argv[1:]
    if {"--help", "-h"} & set(argv):
        return print(help_text(config_name))
    is_sweep = bool({"-m", "--multirun"} & set(argv))
    shows_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    jobs = _Jobs(job, config_name, argv)
    overrides = replacing_files(with_quotes(map(_with_home, argv), texts=() if is_sweep else texts))
    try:
        if is_sweep:
            _check_sweep(overrides, single or {})
        if any(word.startswith(("-", "hydra.", "hydra/", "+hydra")) for word in overrides):
            _run_hydra(overrides, config_name, jobs)
        else:  # one job; Hydra's own start would compose its config twice
            with composed_by_hydra(*overrides, config_name=config_name) as config:
                jobs.run(config)
    except (Exception, KeyboardInterrupt) as error:  # Hydra's own errors, or an interrupt
        jobs.failures.append(error)
    if jobs.sweep:
        jobs.sweep.close()
    sys.exit(_exit_status(jobs, shows_traceback))


def _check_sweep(overrides: list[str], single: Mapping[str, str]) -> None:
    for word in overrides:
        key = word.partition("=")[0].lstrip("+")
        if key in single:
            raise ValueError(f"{word}: must be left out of a sweep. To fix: {single[key]}")


def _with_home(word: str) -> str:
    """Return a word in which `~` is the home directory, if it names a folder that Hydra itself creates."""
    key, _, value = word.partition("=")
    is_folder = key in ("hydra.sweep.dir", "hydra.run.dir")
    return f"{key}={user_path(value, key)}" if is_folder and value.startswith("~") else word


def _skip_last_collection() -> None:
    """End the process without a last search for unused objects, which takes half a second."""
    if "triton" not in sys.modules:  # it would print the objects that are still in memory
        gc.freeze()


def _exit_status(jobs: "_Jobs", shows_traceback: bool) -> int:
    """Report the failures of jobs, and return the exit status of the command."""
    if not jobs.failures:
        return int(jobs.diverged)
    if shows_traceback:
        raise jobs.failures[0]
    last = jobs.failures[-1]
    if isinstance(last, KeyboardInterrupt):
        return 128 + (last.args[0] if last.args else signal.SIGINT)  # as shells report a signal
    if not jobs.sweep:  # a sweep has reported its failures already
        sys.stdout.flush()
        print(jobs.explain(jobs.failures[0]), file=sys.stderr)
    return 1


def _run_hydra(argv: list[str], config_name: str, jobs: "_Jobs") -> None:
    """Let Hydra run a sweep, or show a config with `--cfg`."""
    import hydra

    extend_with_project()
    with _argv_for_hydra(_overrides_first(argv, config_name)):
        hydra.main(version_base="1.3", config_path=str(CONFIG_DIR), config_name=config_name)(jobs.run)()


def _overrides_first(argv: list[str], config_name: str = "train") -> list[str]:
    """Return the words in an order that Hydra reads: its own options last, wherever the user writes them.

    Raises:
        ValueError: an option is none of Hydra's.
    """
    from hydra._internal.utils import get_args_parser

    parsed, unknown = get_args_parser().parse_known_intermixed_args(argv)
    if unknown:
        from firstlight.config.errors.unreadable import unknown_flag

        raise ValueError(unknown_flag(unknown[0], argv, config_name))
    overrides = parsed.overrides
    options = list(argv)
    for word in overrides:
        options.remove(word)
    return [*overrides, *options]


@contextmanager
def _argv_for_hydra(argv: list[str]) -> Iterator[None]:
    """Let Hydra read these arguments, and raise its errors instead of printing them."""
    before, full_error = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv, os.environ["HYDRA_FULL_ERROR"] = [before[0], *argv], "1"
    try:
        yield
    finally:
        sys.argv = before
        if full_error is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = full_error


class _Jobs:
    """Runs the job of a command, or the jobs of its sweep, and keeps their results."""

    def __init__(self, job: Job, config_name: str, argv: list[str]) -> None:
        self.job = job
        self.config_name = config_name
        self.argv = argv
        self.sweep: SequentialSweep | None = None
        self.failures: list[BaseException] = []
        self.diverged = False
        self._pid = os.getpid()

    def explain(self, error: BaseException) -> str:
        """Return the message for an error, see `config.errors.explain`."""
        from firstlight.config.errors import explain

        return explain(error, self.argv, self.config_name)

    def run(self, composed: DictConfig) -> float | None:
        """Run one job, and return the value of its monitored metric, for sweepers that search.

        Hydra's basic sweeper must not see exceptions: it would print its own text, or end the sweep. Others need them.
        """
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        settings = HydraConfig.get()
        is_sweep = settings.mode is RunMode.MULTIRUN
        if is_sweep and os.getpid() != self._pid:  # a launcher has started this process
            return self._run_elsewhere(composed)
        if is_sweep:
            from firstlight.runs.sweeps import SequentialSweep  # imports NumPy

            self.sweep = self.sweep or SequentialSweep(settings.sweep.dir, self.argv)
            self.sweep.begin(settings.job.num, list(settings.overrides.task))
        try:
            result = self.job(to_plain(composed))
            self.diverged |= result.get("status") == "diverged"  # the log of the run has reported it
            if self.sweep:
                self.sweep.finished(result)
            return _monitored(result)
        except Exception as error:  # the other jobs of the sweep go on
            self.failures.append(error)
            if self.sweep:
                self.sweep.failed(self.explain(error))
            if is_sweep and not str(settings.sweeper._target_).endswith(".BasicSweeper"):
                raise
            return None
        except KeyboardInterrupt:
            if self.sweep:
                self.sweep.failed("interrupted", state="interrupted")
            raise

    def _run_elsewhere(self, composed: DictConfig) -> float | None:
        """Run one job in a process that is not that of the sweep, which learns of failures from exceptions alone."""
        try:
            result = self.job(to_plain(composed))
        except Exception as error:  # recorded with its cause, and raised for the launcher
            message = self.explain(error)
            _record("failed", message, {})
            raise ValueError(message) from None
        _record("diverged" if result.get("status") == "diverged" else "completed", "", result)
        return _monitored(result)


def _monitored(metrics: Mapping[str, Any]) -> float | None:
    """Return the monitored metric of a run; the worst value if it has diverged, None if the command has no run."""
    if "monitor" not in metrics:
        return None
    worst = math.inf if metrics.get("monitor_mode") == "min" else -math.inf
    value = None if metrics.get("status") == "diverged" else metrics.get(metrics["monitor"])
    return worst if value is None else float(value)


def _record(state: Literal["completed", "diverged", "failed"], cause: str, metrics: dict[str, Any]) -> None:
    """Add the job of this process to the folder of its sweep, which other processes write to as well."""
    from filelock import FileLock
    from hydra.core.hydra_config import HydraConfig

    from firstlight.runs.sweeps import Ending, SweepFolder
    from firstlight.runs.sweeps import Job as JobOfSweep

    settings = HydraConfig.get()
    path, number, words = user_path(settings.sweep.dir), settings.job.num, tuple(settings.overrides.task)
    path.mkdir(parents=True, exist_ok=True)
    with FileLock(path / "sweep.lock"):
        is_new = not (path / "sweep.json").exists()
        with SweepFolder.create(path) if is_new else SweepFolder.resume(path) as folder:
            folder.begin(JobOfSweep(number, words, {}, path / str(number), path / str(number) / "train.log"))
            folder.end(Ending(number, state, cause, metrics))
