"""Jobs that differ only in their seed, as one result: mean and standard deviation."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from firstlight.runs.sweeps.ranking import Directions, directions_of, ranking
from firstlight.runs.sweeps.record import JobRecord

_SEED = "seed"


@dataclass(frozen=True)
class Repeated:
    """The jobs of the same words, except for the seed.

    Attributes:
        rank: the place, from 1, among those that are ranked by the same metrics: by the mean of each.
        records: the jobs that have a result, those first that the mean is taken over.
        directions: the metrics by which they are ranked.
    """

    rank: int
    records: tuple[JobRecord, ...]
    directions: Directions

    @property
    def first(self) -> JobRecord:
        """The job of the first seed."""
        return self.records[0]

    @property
    def counted(self) -> list[JobRecord]:
        """The jobs that the mean is taken over: those that have completed or, if there are none, of the first state."""
        return [record for record in self.records if record.state == self.first.state]

    def mean(self, metric: str) -> float:
        """Return the mean of a metric; NaN if a job has no value."""
        return statistics.fmean(record.value(metric) for record in self.counted)

    def std(self, metric: str) -> float:
        """Return the standard deviation of a metric, as of a sample (n - 1); NaN for a single job."""
        values = [record.value(metric) for record in self.counted]
        is_known = len(values) > 1 and not any(map(math.isnan, values))
        return statistics.stdev(values) if is_known else math.nan

    @property
    def state(self) -> str:
        """How the jobs have ended, such as "completed", or "completed, 1 pruned"."""
        others = [record.state for record in self.records[len(self.counted) :]]
        return ", ".join([self.first.state, *(f"{others.count(each)} {each}" for each in dict.fromkeys(others))])

    def row(self) -> dict[str, Any]:
        """Return the row of seeds.csv: words, number of jobs, and mean and std of each metric."""
        words = {key: value for key, value in self.first.choices.items() if key != _SEED}
        jobs = " ".join(str(record.number) for record in self.records)
        numbers: dict[str, float] = {}
        for name in _metrics(self.counted):
            numbers |= {f"{name}/mean": self.mean(name), f"{name}/std": self.std(name)}
        about = {"rank": self.rank, "jobs": jobs, "n": len(self.counted), "status": self.state}
        return about | words | {name: "" if math.isnan(value) else value for name, value in numbers.items()}


def has_repetitions(records: Sequence[JobRecord]) -> bool:
    """Return whether two jobs differ only in their seed."""
    return len({_key(record, None) for record in records}) < len({record.overrides for record in records})


def repeated(records: Sequence[JobRecord], metrics: Directions | None = None) -> list[Repeated]:
    """Return the jobs with a result, from the best to the worst; those that differ only in their seed are one.

    If no two jobs differ only in their seed, each job is one.

    Args:
        records: the jobs.
        metrics: the metrics that rank, see `ranking`.
    """
    groups: dict[Any, list[JobRecord]] = {}
    is_collapsed = has_repetitions(records)
    for record in records:
        if record.has_result:
            groups.setdefault(_key(record, metrics) if is_collapsed else record.number, []).append(record)
    found = {}
    for members in groups.values():
        ordered = sorted(members, key=lambda record: ("completed", "pruned", "diverged").index(record.state))
        one = Repeated(0, tuple(ordered), directions_of(ordered[0], metrics))
        found[one.first.number] = one
    means = [_as_record(one) for one in found.values()]
    return [
        replace(found[each.record.number], rank=each.rank, directions=each.directions)
        for each in ranking(means, metrics)
    ]


def _key(record: JobRecord, metrics: Directions | None) -> Any:
    """Return what the jobs of one result have in common."""
    words = sorted(word for word in record.overrides if word.lstrip("+").partition("=")[0] != _SEED)
    return tuple(words), tuple(directions_of(record, metrics).items())


def _as_record(one: Repeated) -> JobRecord:
    """Return a record with the means of the metrics that rank."""
    return replace(one.first, metrics=one.first.metrics | {name: one.mean(name) for name in one.directions})


def _metrics(records: Sequence[JobRecord]) -> list[str]:
    names = dict.fromkeys(name for record in records for name in record.metrics)
    return [name for name in names if all(not math.isnan(record.value(name)) for record in records)]
