"""The process that builds the jobs of a sweep. The sweep itself does not import torch.

`python -m firstlight.training.sweeps.checking.child FILE` reads the jobs from FILE and writes what it has found there.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from firstlight.config import RunConfig
from firstlight.config.errors import explain
from firstlight.config.project import use_project
from firstlight.files import write_json
from firstlight.tasks import Task
from firstlight.tasks.build import build_source, build_task
from firstlight.training.launch import check_range_test
from firstlight.training.optimizers import BoundOptimizer

# What a run finds out about itself, apart from the metrics of its task.
_COSTS = {
    "parameters": "min",
    "flops_per_sample": "min",
    "seconds/fit": "min",
    "seconds/total": "min",
    "samples_per_second": "max",
}
_NOT_BUILT = ("seed", "name", "optimizer", "scheduler", "trainer", "tags", "notes", "output_dir", "figures", "patience")


def main(path: Path) -> None:
    """Build the jobs of a file, and replace it by a list: the directions of the metrics or the mistake of each job."""
    request = json.loads(path.read_text(encoding="utf-8"))
    use_project()
    write_json(path, build_all(request["jobs"], request["metrics"]))


def build_all(jobs: Iterable[tuple[dict[str, Any], Sequence[str]]], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Build jobs, and return the "directions" of the metrics or the "mistake" of each.

    Args:
        jobs: the config and the words of each job.
        metrics: the metrics of the sweep; the name "" stands for `monitor` of each job.
    """
    builder = _Builder(metrics)
    return [builder.result(config, words) for config, words in jobs]


class _Builder:
    """Builds jobs; what several of them have in common only once."""

    def __init__(self, metrics: Sequence[str]) -> None:
        self.metrics = metrics
        self._key = ""
        self._task: Task | None = None
        self._specs: dict[str, Any] = {}

    def result(self, config: dict[str, Any], words: Sequence[str]) -> dict[str, Any]:
        try:
            return {"directions": self._directions(config)}
        except Exception as error:
            message = explain(error, words)
        if message.startswith("monitor="):  # all jobs have this mistake, and some may have another
            try:
                self._directions(config | {"monitor": "val/loss", "monitor_mode": None})
            except Exception as error:
                message = explain(error, words)
        return {"mistake": message}

    def _directions(self, plain: dict[str, Any]) -> dict[str, str]:
        config = RunConfig.parse(plain).with_absolute_paths()
        check_range_test(config)
        if config.has_data_module or config.has_lightning_module:
            return self._directions_of_module(config)
        self._build(config, plain)
        assert self._task is not None
        bound = BoundOptimizer(config)
        bound.rehearse()
        bound(self._task)
        return {metric: self._direction(config, metric) for metric in self.metrics}

    def _directions_of_module(self, config: RunConfig) -> dict[str, str]:
        other = [metric for metric in self.metrics if metric not in ("", config.monitor, *_COSTS)]
        if other:
            raise ValueError(f"sweep.metric={other[0]}: must be monitor={config.monitor} with a LightningModule.")
        return {metric: _COSTS.get(metric, config.monitor_mode or "min") for metric in self.metrics}

    def _build(self, config: RunConfig, plain: dict[str, Any]) -> None:
        key = json.dumps({name: node for name, node in plain.items() if name not in _NOT_BUILT}, sort_keys=True)
        if key == self._key:
            return
        data = json.dumps([plain["data"], plain.get("kfold"), plain.get("fold")], sort_keys=True)
        if data not in self._specs:
            self._specs[data] = build_source(config).splits(config.seed)[0].spec
        self._task = build_task(config, self._specs[data])
        self._key = key

    def _direction(self, config: RunConfig, metric: str) -> str:
        if metric in _COSTS:
            return _COSTS[metric]
        if metric.startswith("test/"):
            raise ValueError(f"sweep.metric={metric}: must be a metric of val, because test is for the winner alone.")
        assert self._task is not None
        try:
            return self._task.monitored(metric or config.monitor).direction or "min"
        except ValueError as error:
            raise ValueError(str(error).replace("monitor=", "sweep.metric=" if metric else "monitor=")) from None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
