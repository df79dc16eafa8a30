"""A logger."""

import json
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only


class Lines(Logger):
    """Writes a line of JSON for each call to a file in the run folder."""

    def __init__(self, save_dir: str, *, file: str = "lines.json") -> None:
        super().__init__()
        self.path = Path(save_dir, file)

    @property
    def name(self) -> str:
        """A name."""
        return "lines"

    @property
    def version(self) -> int:
        """A number."""
        return 0

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Write numbers."""
        self._write(dict(metrics))

    @rank_zero_only
    def log_hyperparams(self, params: Any, *_: Any, **__: Any) -> None:
        """Write hyperparameters."""
        self._write({"hyperparameters": dict(params)})

    def _write(self, line: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")
