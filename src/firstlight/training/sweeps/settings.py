"""The settings of a sweep: the node `sweep` of configs/train.yaml."""

import ast
from dataclasses import dataclass, field, fields
from typing import Any, Self

from firstlight.checks import check_range, choose, suggestion
from firstlight.config.values import check_value

METHODS = ("grid", "random", "tpe", "cmaes", "nsga2")
PRUNERS = ("none", "median", "hyperband")
ON_MISTAKE = ("stop", "skip")
# What a sweep that is continued may change.
CHANGEABLE = ("jobs", "timeout", "memory", "launcher", "options", "add_trials", "storage", "on_mistake")
_TRIALS = 20  # of a sweep that samples its values
_TYPES = {
    "method": "str",
    "trials": "int | None",
    "metric": "str | list[str] | None",
    "pruner": "str",
    "storage": "str | None",
    "study": "str | None",
    "seed": "int",
    "jobs": "int | None",
    "timeout": "float | None",
    "memory": "float | None",
    "launcher": "str",
    "options": "dict[str, Any] | None",
    "on_mistake": "str",
    "dry_run": "bool",
    "stacked": "bool",
    "add_trials": "int",
    "space": "dict[str, Any] | None",
}


@dataclass(frozen=True)
class SweepSettings:
    """How the jobs of a sweep are chosen and launched.

    Attributes:
        method: "grid" for all combinations, or how values are sampled: "random", "tpe", "cmaes", "nsga2".
        trials: the number of jobs whose values are sampled; None for the whole grid, or for 20.
        metrics: the metrics to improve; empty for `monitor` of the runs.
        pruner: "median", "hyperband" or "none".
        storage: a path or URL, see `studies.storage`; None for a journal file in the folder of the sweep.
        study: the name of the study in the storage; None for the name of the folder.
        seed: the seed of the sampled values.
        jobs: the number of jobs that run at a time; None for one on each GPU, or one on each
            core of a CPU, at most 4.
        timeout: seconds after which a job is ended; None for no limit.
        memory: GiB that each process of a job may hold; None for no limit. Linux only.
        launcher: what starts the jobs.
        options: further options of the launcher.
        on_mistake: "stop" if no job is trained when one cannot be built, "skip" if the others are.
        dry_run: whether the jobs are built and not trained.
        stacked: whether jobs are trained at once that differ in seed and the optimizer's numbers alone.
        add_trials: further jobs of a sweep that is continued.
        space: further values, see `space.read`.
    """

    method: str = "grid"
    trials: int | None = None
    metrics: tuple[str, ...] = ()
    pruner: str = "none"
    storage: str | None = None
    study: str | None = None
    seed: int = 1
    jobs: int | None = None
    timeout: float | None = None
    memory: float | None = None
    launcher: str = "local"
    options: dict[str, Any] = field(default_factory=dict)
    on_mistake: str = "stop"
    dry_run: bool = False
    stacked: bool = False
    add_trials: int = 0
    space: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, node: dict[str, Any]) -> Self:
        """Check the node `sweep` of a config and return it frozen.

        Raises:
            ValueError: a key is unknown or a value is wrong. The message names the key.
        """
        for key, value in node.items():
            if key not in _TYPES:
                raise ValueError(f"sweep.{key}: unknown key{suggestion(key, list(_TYPES), 'sweep')}")
            check_value(f"sweep.{key}", value, ast.parse(_TYPES[key], mode="eval").body)
        metric = node.get("metric") or ()
        values = {key: value for key, value in node.items() if key != "metric" and value is not None}
        settings = cls(**values, metrics=(metric,) if isinstance(metric, str) else tuple(metric))
        settings._check()
        return settings

    def _check(self) -> None:
        choose("sweep.method", self.method, METHODS, "method")
        choose("sweep.pruner", self.pruner, PRUNERS, "pruner")
        choose("sweep.on_mistake", self.on_mistake, ON_MISTAKE, "value")
        for key, least in {"trials": 1, "jobs": 1, "seed": 0, "add_trials": 0}.items():
            if (value := getattr(self, key)) is not None:
                check_range(f"sweep.{key}", value, at_least=least)
        for key in ("timeout", "memory"):
            if (value := getattr(self, key)) is not None:
                check_range(f"sweep.{key}", value, above=0)
        self._check_together()

    def _check_together(self) -> None:
        if self.method == "grid" and self.trials is not None:
            raise ValueError(
                f"sweep.trials={self.trials}: must be left out of a grid, which trains all combinations."
                f" To fix: sweep.method=random, or another of {', '.join(METHODS[1:])}."
            )
        if self.method == "cmaes" and len(self.metrics) > 1:
            raise ValueError("sweep.method=cmaes: must have one sweep.metric. To fix: sweep.method=nsga2.")
        if self.stacked and (self.method != "grid" or self.pruner != "none"):
            key = f"method={self.method}" if self.method != "grid" else f"pruner={self.pruner}"
            raise ValueError(
                f"sweep.stacked=true: must be false with sweep.{key}, because all jobs must be known at the start."
            )
        if self.pruner != "none" and len(self.metrics) > 1:
            raise ValueError(f"sweep.pruner={self.pruner}: must be none with several metrics.")

    @property
    def num_sampled(self) -> int:
        """The number of jobs of a sweep that samples its values."""
        return self.trials or _TRIALS

    def to_plain(self) -> dict[str, Any]:
        """Return the settings in the form of the config; see `parse`."""
        plain = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "metrics"}
        return plain | {"metric": list(self.metrics)}
