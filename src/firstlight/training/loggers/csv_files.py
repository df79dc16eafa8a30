"""CSV: the metrics and the hyperparameters of a run as two tables."""

import csv
import io
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_only

from firstlight.files import naming, write_csv
from firstlight.training.loggers.run_logger import RunDetails, RunLogger

_FINAL = "seconds/total"  # a column that only the row of the final metrics fills


class CSV(RunLogger):
    """Writes csv/metrics.csv and csv/hyperparameters.csv in the run folder.

    metrics.csv has a row for each step at which something is logged: also what callbacks and a `LightningModule` log,
    and the final metrics. The metrics.csv of the run itself has a row for each epoch.
    """

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []  # not yet written
        self._columns: list[str] = []  # of the file
        self._hyperparameters: dict[str, Any] = {}

    def attach(self, run: RunDetails) -> None:
        super().attach(run)
        self.metrics_path = run.path / "csv" / "metrics.csv"

    @property
    def log_dir(self) -> str:
        """The folder csv/ of the run."""
        return str(self.metrics_path.parent)

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """What the experiment of Lightning's `CSVLogger` offers: `log_metrics`, `log_hparams`, `save`, `log_dir`."""
        return _Experiment(self)

    def begin(self, epochs: int, steps: int) -> None:
        super().begin(epochs, steps)
        self.metrics_path.parent.mkdir(exist_ok=True)
        kept = [row for row in _read(self.metrics_path) if epochs and int(row["step"] or 0) <= steps]
        self._rewrite([row for row in kept if not row.get(_FINAL)])

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Write the table of hyperparameters: their names and values."""
        self._hyperparameters |= params if isinstance(params, dict) else vars(params)
        rows = [{"name": name, "value": value} for name, value in self._hyperparameters.items()]
        write_csv(self.metrics_path.with_name("hyperparameters.csv"), rows)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        plain = {name: float(value) if hasattr(value, "item") else value for name, value in metrics.items()}
        self._rows.append({"step": step} | plain)

    @rank_zero_only
    def save(self) -> None:
        """Append the new rows. The file is written anew if they have another column."""
        if not {name for row in self._rows for name in row} <= {*self._columns}:
            self._rewrite([*_read(self.metrics_path), *self._rows])
        elif self._rows:
            text = io.StringIO(newline="")
            csv.DictWriter(text, self._columns, lineterminator="\n").writerows(self._rows)
            with naming(self.metrics_path), self.metrics_path.open("a", newline="", encoding="utf-8") as file:
                file.write(text.getvalue())
        self._rows = []

    def _rewrite(self, rows: list[dict[str, Any]]) -> None:
        write_csv(self.metrics_path, rows)
        self._columns = list(dict.fromkeys(name for row in rows for name in row))


class _Experiment:
    """The tables of a run under the names of Lightning's `CSVLogger`, for the code of a `LightningModule`."""

    def __init__(self, tables: CSV) -> None:
        self.log_dir = tables.log_dir
        self.log_metrics = tables.log_metrics
        self.log_hparams = tables.log_hyperparams
        self.save = tables.save


def _read(path: Path) -> list[dict[str, Any]]:
    """Return the complete rows; none if there is no file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row for row in rows if None not in row.values() and None not in row]
