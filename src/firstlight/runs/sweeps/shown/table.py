"""The jobs of a sweep as a table: what differs between them, and how good each one is."""

import math
from collections.abc import Sequence
from itertools import groupby

from firstlight.log import aligned
from firstlight.runs.sweeps.ranking import Directions
from firstlight.runs.sweeps.record import JobRecord
from firstlight.runs.sweeps.seeds import Repeated, has_repetitions, repeated

_LONGEST = 40  # characters of a value


def result_tables(records: Sequence[JobRecord], metrics: Directions | None = None) -> list[str]:
    """Return the jobs with a result from the best to the worst: a table for each kind of metric that they monitor.

    The columns are rank, number of the job, the keys whose values differ between jobs, the metrics, and the state.
    Jobs that differ only in their seed are one row, with mean ± standard deviation and their number n.

    Args:
        records: the jobs.
        metrics: the metrics that rank, see `ranking`.
    """
    is_collapsed = has_repetitions(records)
    keys = [key for key in differing_keys(records) if not (is_collapsed and key == "seed")]
    tables = []
    for _, group in groupby(repeated(records, metrics), key=lambda each: list(each.directions.items())):
        rows = list(group)
        names = list(rows[0].directions)
        header = ["rank", "job", *keys, *names, *(["n"] if is_collapsed else []), "state"]
        tables.append(aligned([header, *(_cells(row, keys, is_collapsed) for row in rows)]))
    return tables


def failed_lines(records: Sequence[JobRecord], keys: Sequence[str] = ()) -> list[str]:
    """Return a line for each job that has ended without a result: its number, what differs in its words, the cause.

    Args:
        records: the jobs.
        keys: the keys whose values vary; by default those that differ between these jobs.
    """
    keys = keys or differing_keys(records)
    failed = [record for record in records if not record.has_result and record.state != "running"]
    return [f"job {record.number}  {outcome(record, keys)}" for record in failed]


def outcome(record: JobRecord, keys: Sequence[str] = (), metrics: Directions | None = None) -> str:
    """Return what differs in the words of a job, and how it has ended, as one line.

    Args:
        record: the job.
        keys: see `differing_keys`.
        metrics: the metrics to show; None for the monitored one.
    """
    words = " ".join(f"{key}={record.choices[key]}" for key in keys if key in record.choices)
    names = [record.monitor] if metrics is None else list(metrics)
    values = [f"{name} {record.value(name):.4f}" for name in names if name and record.has_result]
    state: list[str] = [] if record.state == "completed" else [record.state]
    cause = record.cause.splitlines()[0] if record.cause else ""
    if cause and cause != record.state:
        state = [cause if cause.startswith(record.state.replace("_", " ")) else f"{record.state}: {cause}"]
    return "  ".join(part for part in (words, *values, *state) if part)


def differing_keys(records: Sequence[JobRecord]) -> list[str]:
    """Return the keys whose values differ between jobs, or that some jobs do not have, in the order of the words."""
    choices = [record.choices for record in records]
    keys = dict.fromkeys(key for each in choices for key in each)
    return [key for key in keys if len({each.get(key) for each in choices}) > 1]


def _cells(row: Repeated, keys: Sequence[str], is_collapsed: bool) -> list[str]:
    values = [_short(row.first.choices.get(key, "")) for key in keys]
    numbers = [_with_std(row.mean(name), row.std(name)) for name in row.directions]
    count = [str(len(row.counted))] if is_collapsed else []
    return [str(row.rank), _ranges([record.number for record in row.records]), *values, *numbers, *count, row.state]


def _with_std(mean: float, std: float) -> str:
    if math.isnan(mean):
        return "-"
    return f"{mean:.4f}" if math.isnan(std) else f"{mean:.4f} ± {std:.4f}"


def _short(value: str) -> str:
    return value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"


def _ranges(numbers: Sequence[int]) -> str:
    """Return numbers as a short text, such as "0-3,7"."""
    ordered = sorted(numbers)
    starts = [number for number in ordered if number - 1 not in ordered]
    ends = [number for number in ordered if number + 1 not in ordered]
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))
