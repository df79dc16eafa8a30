"""The summary of a sweep: its jobs from the best to the worst, then the failed ones with their causes."""

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firstlight.config.overrides import value_of
from firstlight.files import only_process, user_path, write_csv


@dataclass
class _Job:
    number: int
    overrides: list[str]
    metrics: dict[str, Any] = field(default_factory=dict)  # the content of metrics.json, if the job has completed
    error: str | None = None  # the message, if the job has failed

    def rank(self) -> tuple[int, float]:
        """Return a sort key: the monitored metric from best to worst, then jobs without a value, then failed jobs."""
        value = self.monitored()
        if self.error is not None or math.isnan(value):
            return (1 if self.error is None else 2), 0.0
        return 0, value if self.metrics["monitor_mode"] == "min" else -value

    @property
    def monitor(self) -> str | None:
        """The name of the monitored metric; None if the job has failed or has none."""
        return None if self.error is not None else self.metrics.get("monitor")

    def monitored(self) -> float:
        value = self.metrics.get(self.metrics.get("monitor", ""))
        return math.nan if value is None else float(value)

    def outcome(self) -> str:
        """Return the result for the ranking; empty for jobs that have no monitored metric."""
        if self.error is not None:
            return f"failed: {self.error.splitlines()[0]}"
        if "monitor" not in self.metrics:
            return ""
        return f"{self.metrics['monitor']} {self.monitored():.4f}" + "  diverged" * (
            self.metrics["status"] == "diverged"
        )

    def row(self) -> dict[str, Any]:
        pairs = [word.lstrip("+") for word in self.overrides if "=" in word]
        choices = {pair.partition("=")[0]: value_of(pair) for pair in pairs}
        if self.error is None:
            return {"job": self.number, "status": "completed"} | choices | self.metrics
        return {"job": self.number, "status": "failed"} | choices | {"error": " ".join(self.error.split())}


class Sweep:
    """The jobs of one sweep (`-m`). Each job updates summary.csv when it ends.

    Jobs that monitor different metrics cannot be compared, so each metric has a ranking of its own.

    Args:
        path: the folder of the sweep.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = user_path(path)
        self.summary_path = self.path / "summary.csv"
        self.jobs: list[_Job] = []
        self._lock = ExitStack()

    @classmethod
    def open(cls, path: str | Path) -> "Sweep":
        """Return a sweep in a folder that no other sweep uses; `print_ranking` ends it.

        Raises:
            ValueError: another sweep uses the folder, or has written its summary into it.
        """
        sweep = cls(path)
        sweep.path.mkdir(parents=True, exist_ok=True)
        sweep._lock.enter_context(only_process(sweep.path, f"hydra.sweep.dir={path}"))
        if sweep.summary_path.exists():
            sweep._lock.close()
            raise ValueError(f"hydra.sweep.dir={path}: must be a new folder, because it holds the summary of a sweep.")
        return sweep

    def begin(self, number: int, overrides: list[str]) -> None:
        """Print that a job begins."""
        print(f"\n[job {number}] {' '.join(overrides)}", flush=True)
        self.jobs.append(_Job(number, overrides))

    def finished(self, metrics: dict[str, Any]) -> None:
        """Record the metrics of the current job."""
        self.jobs[-1].metrics = metrics
        self._write()

    def failed(self, cause: str) -> None:
        """Print and record why the current job has failed."""
        print(f"[job {self.jobs[-1].number}] failed: {cause}", flush=True)
        self.jobs[-1].error = cause
        self._write()

    def print_ranking(self) -> None:
        """Print the jobs from the best to the worst, and the path of summary.csv."""
        print(f"\nsweep {self.path}")
        for rank, job in self.ranked():
            print(f"{rank:3}. [job {job.number}] {' '.join(job.overrides)}  {job.outcome()}".rstrip())
        print(f"summary {self.summary_path}", flush=True)
        self._lock.close()

    def ranked(self) -> Iterator[tuple[int, _Job]]:
        """Yield the jobs with their ranks, which start again at 1 for each monitored metric; failed jobs come last."""
        monitors = list(dict.fromkeys(job.monitor for job in self.jobs if job.monitor))
        places = {monitor: place for place, monitor in enumerate(monitors)}
        rank, previous = 0, None
        for job in sorted(self.jobs, key=lambda job: (places.get(job.monitor or "", len(monitors)), job.rank())):
            rank = rank + 1 if job.monitor in (None, previous) else 1
            previous = job.monitor or previous
            yield rank, job

    def _write(self) -> None:
        rows = [{"rank": rank} | job.row() for rank, job in self.ranked()]
        self.path.mkdir(parents=True, exist_ok=True)
        write_csv(self.summary_path, rows)
