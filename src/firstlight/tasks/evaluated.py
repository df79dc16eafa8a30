"""How a task is evaluated: its metrics, and those that a config adds."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from firstlight.checks import choose
from firstlight.tasks.metrics.added import AddedMetrics
from firstlight.tasks.metrics.metric import LOSS, Metric
from firstlight.tasks.outcomes import Outcomes

Batch = tuple[Tensor, Tensor]
"""Raw inputs and targets (batch, ...), see `Split`."""


class Evaluated(nn.Module):
    """The part of a `Task` that knows its metrics, and compares outputs with targets for those that a config adds.

    Attributes:
        task_name: see `Task`.
        metrics: see `Task`.
        added: the metrics that `task.metrics` of the config adds; None if it adds none.
        evaluated_metrics: what the meter also computes in evaluation, for validation and test.
        test_metrics: what `outcome_metrics` returns, for the test split alone.
        keeps_outcomes: whether the outputs for a split may be kept as `Outcomes`; if so, the task defines `outcome`.
        outcomes: collects what `compare` gets, in evaluation; None if nothing is collected.
    """

    task_name: ClassVar[str]
    metrics: tuple[Metric, ...] = (LOSS,)
    evaluated_metrics: ClassVar[tuple[Metric, ...]] = ()
    test_metrics: ClassVar[tuple[Metric, ...]] = ()
    keeps_outcomes: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.added: AddedMetrics | None = None
        self.outcomes: Outcomes | None = None

    def metrics_of(self, split: str) -> tuple[Metric, ...]:
        """Return the metrics of a split: "train", "val" or "test"."""
        if split == "train":
            return self.metrics
        evaluated = *self.metrics, *self.evaluated_metrics
        return (*evaluated, *self.added_metrics, *(self.test_metrics if split == "test" else ()))

    @property
    def added_metrics(self) -> tuple[Metric, ...]:
        """The names and directions of the metrics that the config adds."""
        return () if self.added is None else self.added.metrics

    def begin_added(self, device: torch.device) -> None:
        """Begin a pass through a split with the added metrics."""
        if self.added is not None:
            self.added.reset(device)

    def added_values(self) -> dict[str, float]:
        """Return the added metrics of the pass. In a run of several processes, all of them must call this."""
        return {} if self.added is None else self.added.compute()

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The names of the metrics of every split, without the prefix `<split>/`."""
        return tuple(metric.name for metric in self.metrics)

    def monitored(self, monitor: str) -> Metric:
        """Return the metric `<split>/<name>`, which decides which epoch is the best.

        Raises:
            ValueError: the task does not have it, or its direction is unknown.
        """
        known = {f"{split}/{each.name}": each for split in ("val", "train") for each in self.metrics_of(split)}
        metric = known[choose("monitor", monitor, known, "metric")]
        if metric.direction is None:
            raise ValueError(
                f"task.metrics.{metric.name}.direction: must be min or max with monitor={monitor}, because the metric"
                " does not say which values are better."
            )
        return metric

    def add_metrics(self, nodes: Mapping[str, dict[str, Any]]) -> None:
        """Compute further metrics of validation and test, see `AddedMetrics`.

        Args:
            nodes: the node of each metric by its name, as in `task.metrics` of the config.

        Raises:
            ValueError: a name is taken, a metric does not fit the task, or the task compares nothing.
        """
        if not nodes:
            return
        example = self.example_comparison()
        if example is None:
            raise ValueError(
                f"task.metrics: must be null with task={self.task_name}, which compares no outputs with targets."
            )
        for name in nodes:
            if name in (metric.name for metric in self.metrics_of("test")):
                raise ValueError(
                    f"task.metrics.{name}: must have another name; {self.task_name} has this metric itself."
                )
        self.added = AddedMetrics(nodes, self.metric_options(), self.comparisons(*example))

    def example_comparison(self) -> Batch | None:
        """Return random arguments of `compare`, on the CPU; None if the task does not call it."""
        return None

    def metric_options(self) -> dict[str, Any]:
        """Return values for the parameters of added metrics that the config leaves out, such as `num_classes`."""
        return {}

    def comparisons(self, outputs: Tensor, targets: Tensor) -> list[Batch]:
        """Return predictions (batch, ...) and targets in the forms that added metrics may take, the usual one first."""
        return [(outputs, targets)]

    def compare(self, outputs: Tensor, targets: Tensor) -> None:
        """Update the added metrics and the outcomes, in evaluation only.

        `batch_loss` calls it with what `comparisons` takes.
        """
        if self.training:
            return
        if self.added is not None:
            self.added.update(self.comparisons(outputs.detach().float(), targets))
        if self.outcomes is not None:
            found, losses = self.outcome(outputs.detach().float(), targets)
            self.outcomes.add(found, targets, losses)

    def new_outcomes(self) -> Outcomes | None:
        """Return empty outcomes, to be set as `outcomes` during an evaluation; None if the task keeps none."""
        return Outcomes() if self.keeps_outcomes else None

    def outcome(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `Outcomes` keeps of a batch: outputs (batch, ...) and the loss of each sample (batch,)."""
        raise NotImplementedError

    def outcome_metrics(self, outcomes: Outcomes) -> dict[str, float]:
        """Return metrics of the test split that need all samples at once, from outcomes that are gathered."""
        return {}
