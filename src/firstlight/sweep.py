"""What a sweep leaves: summary.csv, its jobs from the best to the worst, the failed ones last with their cause."""

import csv
import io
from pathlib import Path
from typing import Any

from firstlight.files import write_text
from firstlight.monitor import mode_of


class Sweep:
    """The jobs of one `-m` run; summary.csv is brought up to date after each of them."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.rows: list[dict[str, Any]] = []

    def begin(self, number: int, overrides: list[str]) -> None:
        """Tell that a job begins."""
        print(f"\n[job {number}] {' '.join(overrides)}", flush=True)
        self.rows.append({"job": number} | dict(override.lstrip("+").split("=", 1) for override in overrides))

    def finished(self, metrics: dict[str, Any]) -> None:
        """The job that began last has ended well."""
        self.rows[-1] |= {"status": "completed"} | metrics
        self._write()

    def failed(self, cause: str) -> None:
        """The job that began last has not."""
        print(f"[job {self.rows[-1]['job']}] failed: {cause}", flush=True)
        self.rows[-1] |= {"status": "failed", "error": " ".join(cause.split())}
        self._write()

    def ranked(self) -> list[dict[str, Any]]:
        """The rows from the best job to the worst by the metric that each monitored, then the failed ones."""

        def key(row: dict[str, Any]) -> tuple[bool, float]:
            monitor = row.get("monitor", "")
            value = row.get(monitor)
            if row["status"] != "completed" or value is None or value != value:
                return True, 0.0
            return False, value if mode_of(monitor) == "min" else -value

        return [{"rank": rank} | row for rank, row in enumerate(sorted(self.rows, key=key), start=1)]

    def tell(self) -> None:
        """Print the ranking and where it stands."""
        print(f"\nSweep {self.path}")
        for row in self.ranked():
            named = " ".join(f"{key}={row[key]}" for key in row if key in self._choices())
            monitor = row.get("monitor", "")
            told = f"{monitor} {row[monitor]:.4f}" if monitor in row else f"{row['status']}: {row.get('error', '')}"
            print(f"  {row['rank']}. [job {row['job']}] {named}  {told}"[:200])
        print(f"  {self.path / 'summary.csv'}", flush=True)

    def _choices(self) -> list[str]:
        """The keys that the jobs were given."""
        known = {"rank", "job", "status", "error", "monitor"}
        return [key for key in dict.fromkeys(k for row in self.rows for k in row) if key not in known and "/" not in key]

    def _write(self) -> None:
        rows = self.ranked()
        columns = list(dict.fromkeys(["rank", "job", "status", *(key for row in rows for key in row)]))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.path / "summary.csv", text.getvalue())
