import math
from pathlib import Path

import pytest

from firstlight.runs.sweeps.job import State
from firstlight.runs.sweeps.ranking import fronts, ranking
from firstlight.runs.sweeps.record import JobRecord


def record(number: int, state: State = "completed", monitor: str | None = "val/loss", **values: float) -> JobRecord:
    mode = "max" if monitor == "val/accuracy" else "min"
    named = {name.replace("_", "/"): value for name, value in values.items()}
    about = {"monitor": monitor, "monitor_mode": mode} if monitor else {}
    return JobRecord(number, (), Path(str(number)), state, metrics=about | named)


def order(*records: JobRecord, **metrics: str) -> list[tuple[int, int]]:
    named = {name.replace("_", "/"): mode for name, mode in metrics.items()}
    return [(each.rank, each.record.number) for each in ranking(records, named or None)]


def test_jobs_that_completed_come_before_pruned_diverged_and_failed_ones() -> None:
    jobs = [
        record(0, "failed"),
        record(1, val_loss=math.nan),
        record(2, "diverged", val_loss=0.1),
        record(3, "pruned", val_loss=0.2),
        record(4, val_loss=0.9),
        record(5, val_loss=0.8),
    ]
    assert order(*jobs) == [(1, 5), (2, 4), (3, 3), (4, 2), (5, 1), (6, 0)]


def test_jobs_of_the_same_value_stay_in_the_order_in_which_they_ran() -> None:
    assert order(*(record(number, val_loss=0.5) for number in range(3))) == [(1, 0), (2, 1), (3, 2)]


def test_jobs_that_monitor_different_metrics_are_ranked_apart() -> None:
    jobs = [
        record(0, val_loss=0.7),
        record(1, monitor="val/accuracy", val_accuracy=0.8),
        record(2, val_loss=0.2),
        record(3, "failed", monitor=None),
        record(4, monitor="val/accuracy", val_accuracy=0.9),
        record(5, monitor="train/loss", train_loss=0.1),
        record(6, monitor=None),
    ]
    assert order(*jobs) == [(1, 2), (2, 0), (1, 4), (2, 1), (1, 5), (2, 6), (3, 3)]


def test_a_metric_of_the_sweep_replaces_those_that_the_jobs_monitor() -> None:
    jobs = [record(0, val_loss=0.1, test_f1=0.5), record(1, val_loss=0.2, test_f1=0.7)]
    assert order(*jobs, test_f1="max") == [(1, 1), (2, 0)]


def test_several_metrics_rank_by_pareto_fronts_and_then_by_the_first() -> None:
    values = [(0.9, 9.0), (0.8, 1.0), (0.7, 5.0), (0.85, 2.0), (0.6, 6.0), (0.9, 9.5)]  # accuracy and seconds
    jobs = [record(number, val_accuracy=a, val_time=b) for number, (a, b) in enumerate(values)]
    assert [number for _, number in order(*jobs, val_accuracy="max", val_time="min")] == [0, 3, 1, 5, 2, 4]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], []),
        ([(2.0,), (1.0,), (2.0,)], [1, 0, 1]),
        ([(1.0, 1.0), (1.0, 1.0), (2.0, 2.0), (0.0, 3.0), (3.0, 3.0)], [0, 0, 1, 0, 2]),
    ],
)
def test_fronts(points: list[tuple[float, ...]], expected: list[int]) -> None:
    assert fronts(points) == expected
