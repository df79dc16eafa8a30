"""A sweep whose jobs run in this process, one after the other."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firstlight.runs.sweeps.folder import SweepFolder
from firstlight.runs.sweeps.job import Ending, Job, State
from firstlight.runs.sweeps.screen import SweepScreen


class SequentialSweep:
    """The folder and the screen of a sweep of which one job runs at a time, in this process.

    Args:
        path: the folder of the sweep, which must be new.
        words: the words of the command line.

    Raises:
        ValueError: another sweep uses the folder, or has written its results into it.
    """

    def __init__(self, path: str | Path, words: Sequence[str] = ()) -> None:
        self.folder = SweepFolder.create(path, words)
        self._screen = SweepScreen(self.folder, jobs_print=True)
        self._current = 0
        self._started = 0.0

    def begin(self, number: int, overrides: Sequence[str]) -> None:
        """Record and print that a job begins."""
        run_dir = self.folder.path / str(number)
        self.folder.begin(Job(number, tuple(overrides), {}, run_dir, run_dir / "train.log"))
        self._screen.begin(self.folder.jobs[-1])
        self._current, self._started = number, time.monotonic()

    def finished(self, metrics: dict[str, Any]) -> None:
        """Record the metrics of the current job."""
        self._end("diverged" if metrics.get("status") == "diverged" else "completed", "", metrics)

    def failed(self, cause: str, state: State = "failed") -> None:
        """Record and print why the current job has no result."""
        self._end(state, cause, {})

    def _end(self, state: State, cause: str, metrics: dict[str, Any]) -> None:
        seconds = time.monotonic() - self._started
        self._screen.end(self.folder.end(Ending(self._current, state, cause, metrics, seconds)))

    def close(self) -> None:
        """Write and print the results of the sweep."""
        self._screen.close()
        self.folder.close()
