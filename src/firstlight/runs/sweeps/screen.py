"""What a sweep prints: its table, rewritten in place on a terminal, or a line for each job; then its results."""

import os
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TextIO

from firstlight.runs.sweeps.folder import SweepFolder
from firstlight.runs.sweeps.record import JobRecord
from firstlight.runs.sweeps.results import write_results
from firstlight.runs.sweeps.shown.table import differing_keys, failed_lines, outcome, result_tables


class SweepScreen:
    """Shows a sweep while it runs.

    On a terminal, table and progress bar are rewritten in place. Elsewhere there is a line for each job that has ended.

    Args:
        folder: the sweep.
        total: the number of its jobs, those that have ended included; None if it is not known.
        jobs_print: whether the jobs print to the same screen, because they run in this process. Each then has a
            heading, and nothing is rewritten.
        stream: where to print; None for the standard output.
        keys: the keys whose values vary, known before the jobs that have other values have begun.
    """

    def __init__(
        self,
        folder: SweepFolder,
        total: int | None = None,
        jobs_print: bool = False,
        stream: TextIO | None = None,
        keys: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self._keys = keys
        self.total = total
        self._jobs_print = jobs_print
        self._stream = sys.stdout if stream is None else stream
        self._is_live = not jobs_print and _is_terminal(self._stream)
        self._num_lines = 0  # of the table that the next one replaces
        self._started = time.monotonic()
        self._initial = self._num_ended()

    def begin(self, record: JobRecord) -> None:
        """Show that a job has begun."""
        if self._jobs_print:
            self._print(f"\n[job {record.number}] {' '.join(record.overrides)}")
        self.update()

    def end(self, record: JobRecord) -> None:
        """Show that a job has ended."""
        if self._jobs_print:
            if record.cause:
                state = "" if record.cause == record.state else f"{record.state}: "
                self._print(f"[job {record.number}] {state}{record.cause}")
        elif not self._is_live:
            of = "" if self.total is None else f"/{self.total}"
            keys = self._keys or differing_keys(self.folder.jobs) or list(record.choices)
            line = outcome(record, keys, self.folder.metrics)
            self._print(f"[{self._num_ended()}{of}] job {record.number}  {line}  {record.seconds:.1f} s")
        self.update()

    def update(self) -> None:
        """Draw table and progress bar anew on a terminal. Call it also while jobs run, for the time left."""
        if self._is_live:
            size = shutil.get_terminal_size()
            lines = [line[: size.columns - 1] for line in self._lines(size.lines, size.columns)]
            self._print(f"{self._erasing()}" + "\n".join(lines))
            self._num_lines = len(lines)

    def close(self) -> None:
        """Write the results of the sweep, and print the table, the failed jobs and the paths of the results."""
        self._print(f"{self._erasing()}\nsweep {self.folder.path}")
        jobs = self.folder.jobs
        for table in result_tables(jobs, self.folder.metrics):
            self._print(table + "\n")
        failed = failed_lines(jobs, self._keys)
        if failed:
            self._print("without a result\n" + "\n".join(failed) + "\n")
        for name, text in write_results(self.folder).items():
            self._print(f"{name} {text}")

    def _lines(self, height: int, width: int) -> list[str]:
        """Return table, jobs without a result and progress bar, as many lines as a terminal has."""
        jobs = self.folder.jobs
        shown = "\n\n".join(result_tables(jobs, self.folder.metrics)).splitlines()
        failed = failed_lines(jobs, self._keys)[-5:]
        free = max(3, height - 4 - len(failed))
        hidden = [f"… {len(shown) - free} more"] if len(shown) > free else []
        return [*shown[:free], *hidden, *failed, self._bar(width)]

    def _bar(self, width: int) -> str:
        from tqdm import tqdm

        elapsed = time.monotonic() - self._started
        running = sum(record.state == "running" for record in self.folder.jobs)
        return tqdm.format_meter(
            self._num_ended(),
            self.total,
            elapsed,
            ncols=width - 1,
            prefix=f"{running} running",
            unit="job",
            initial=self._initial,
        )

    def _num_ended(self) -> int:
        return sum(record.state not in ("running", "interrupted") for record in self.folder.jobs)

    def _erasing(self) -> str:
        """Return the characters that move to the first line of the previous table, and clear the screen from there."""
        lines, self._num_lines = self._num_lines, 0
        return f"\x1b[{lines}F\x1b[J" if lines else ""

    def _print(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb" and sys.platform != "win32"
