"""What a sweep leaves: summary.csv, its jobs from the best to the worst, the failed ones last with their cause."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firstlight.config.monitor import mode_of
from firstlight.files import write_csv


@dataclass
class _Job:
    number: int
    overrides: list[str]
    metrics: dict[str, Any] = field(default_factory=dict)  # what metrics.json holds, where the job came to its end
    error: str | None = None

    def rank(self) -> tuple[int, float]:
        """Sorts by the metric that the job monitored; after those come what has no number, and what failed."""
        value = self.monitored()
        if self.error is not None or math.isnan(value):
            return (1 if self.error is None else 2), 0.0
        return 0, value if mode_of(self.metrics["monitor"]) == "min" else -value

    def monitored(self) -> float:
        value = self.metrics.get(self.metrics.get("monitor", ""))
        return math.nan if value is None else float(value)

    def in_short(self) -> str:
        """What came of it; nothing where it is no training, which says so itself."""
        if self.error is not None:
            return f"failed: {self.error.splitlines()[0]}"
        if "monitor" not in self.metrics:
            return ""
        return f"{self.metrics['monitor']} {self.monitored():.4f}" + "  diverged" * (
            self.metrics["status"] == "diverged"
        )

    def row(self) -> dict[str, Any]:
        choices = dict(override.lstrip("+").split("=", 1) for override in self.overrides if "=" in override)
        if self.error is None:
            return {"job": self.number, "status": "completed"} | choices | self.metrics
        return {"job": self.number, "status": "failed"} | choices | {"error": " ".join(self.error.split())}


class Sweep:
    """The jobs of one `-m` run; summary.csv is brought up to date after each of them."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.jobs: list[_Job] = []

    def begin(self, number: int, overrides: list[str]) -> None:
        """Tell that a job begins."""
        print(f"\n[job {number}] {' '.join(overrides)}", flush=True)
        self.jobs.append(_Job(number, overrides))

    def finished(self, metrics: dict[str, Any]) -> None:
        """The job that began last has ended well."""
        self.jobs[-1].metrics = metrics
        self._write()

    def failed(self, cause: str) -> None:
        """The job that began last has not; it is told at once."""
        print(f"[job {self.jobs[-1].number}] failed: {cause}", flush=True)
        self.jobs[-1].error = cause
        self._write()

    def tell(self) -> None:
        """Print the ranking and where it stands."""
        print(f"\nsweep {self.path}")
        for rank, job in enumerate(sorted(self.jobs, key=_Job.rank), start=1):
            print(f"{rank:3}. [job {job.number}] {' '.join(job.overrides)}  {job.in_short()}".rstrip())
        print(f"summary {self.path / 'summary.csv'}", flush=True)

    def _write(self) -> None:
        jobs = sorted(self.jobs, key=_Job.rank)
        rows = [{"rank": rank} | job.row() for rank, job in enumerate(jobs, start=1)]
        self.path.mkdir(parents=True, exist_ok=True)
        write_csv(self.path / "summary.csv", rows)
