"""Metrics: their names and directions, the sums they follow from, and metrics of torchmetrics that a config adds."""

from firstlight.tasks.metrics.metric import Metric as Metric
