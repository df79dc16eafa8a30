"""The order of the jobs of a sweep, from the best to the worst."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from firstlight.runs.sweeps.record import JobRecord

Directions = Mapping[str, str]
"""The metrics by which jobs are ranked, the most important first, each with "min" or "max"."""

_CLASSES = {"completed": 0, "pruned": 1, "diverged": 2}


@dataclass(frozen=True)
class Ranked:
    """A job with its place.

    Attributes:
        rank: the place, from 1, among the jobs that are ranked by the same metrics.
        record: the job.
        directions: the metrics by which it is ranked; empty if the job has no result or monitors no metric.
    """

    rank: int
    record: JobRecord
    directions: Directions


def ranking(records: Iterable[JobRecord], metrics: Directions | None = None) -> list[Ranked]:
    """Return the jobs from the best to the worst; jobs of the same value stay in their order.

    Jobs that have completed come first, then pruned ones, diverged ones, those without a value, and those without a
    result. Several metrics rank by Pareto fronts, and by the first metric within a front.

    Args:
        records: the jobs.
        metrics: the metrics; None for the monitored metric of each job. Jobs that monitor different metrics cannot be
            compared, so each metric has a ranking of its own. They follow each other, in the order of the first job.
    """
    groups: dict[tuple[tuple[str, str], ...], list[JobRecord]] = {}
    for record in records:
        groups.setdefault(tuple(directions_of(record, metrics).items()), []).append(record)
    without = groups.pop((), [])
    found: list[Ranked] = []
    for key, members in groups.items():
        ordered = _ordered(members, dict(key))
        found += [Ranked(place, record, dict(key)) for place, record in enumerate(ordered, start=1)]
    last = found[-1].rank if found else 0
    rest = sorted(without, key=lambda record: not record.has_result)
    return found + [Ranked(place, record, {}) for place, record in enumerate(rest, start=last + 1)]


def directions_of(record: JobRecord, metrics: Directions | None = None) -> Directions:
    """Return by which metrics a job is ranked; none if it has no result."""
    if not record.has_result:
        return {}
    if metrics:
        return metrics
    return {record.monitor: record.metrics.get("monitor_mode", "min")} if record.monitor else {}


def costs(values: Iterable[float], directions: Directions) -> tuple[float, ...]:
    """Return metrics as numbers of which lower ones are better.

    Args:
        values: the metrics, in the order of `directions`.
        directions: their directions.
    """
    return tuple(-value if mode == "max" else value for value, mode in zip(values, directions.values(), strict=True))


def fronts(points: Sequence[tuple[float, ...]]) -> list[int]:
    """Return the number of the Pareto front of each point, from 0: front 0 is dominated by no point, front 1 by 0 only.

    Args:
        points: numbers of which lower ones are better, all of the same length and without NaN.
    """
    if not points or len(points[0]) == 1:
        places = {point: place for place, point in enumerate(sorted(set(points)))}
        return [places[point] for point in points]
    found = [-1] * len(points)
    for front in range(len(points)):
        left = [place for place, number in enumerate(found) if number < 0]
        for place in left:
            if not any(_dominates(points[other], points[place]) for other in left):
                found[place] = front
        if -1 not in found:
            break
    return found


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def _ordered(records: list[JobRecord], directions: Directions) -> list[JobRecord]:
    keys: dict[int, Any] = {}
    for kind in sorted({_class(record, directions) for record in records}):
        members = [record for record in records if _class(record, directions) == kind]
        points = [costs((record.value(name) for name in directions), directions) for record in members]
        places = fronts(points) if kind < len(_CLASSES) else [0] * len(points)
        for record, place, point in zip(members, places, points, strict=True):
            keys[record.number] = (kind, place, point[0] if kind < len(_CLASSES) else 0)
    return sorted(records, key=lambda record: keys[record.number])


def _class(record: JobRecord, directions: Directions) -> int:
    has_values = not any(math.isnan(record.value(name)) for name in directions)
    return _CLASSES[record.state] if has_values else len(_CLASSES)
