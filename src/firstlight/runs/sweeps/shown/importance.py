"""How much each parameter of a sweep explains of the differences between its jobs."""

import logging
import math
import warnings
from collections.abc import Sequence
from typing import Any

from firstlight.runs.sweeps.record import JobRecord
from firstlight.runs.sweeps.shown.table import differing_keys

_ABSENT = "-"  # the value of a parameter that a job does not have


def numbers(values: Sequence[str | None]) -> list[float] | None:
    """Return the values of a parameter as numbers; None if one of them is none."""
    try:
        found = [float(value or "") for value in values]
    except ValueError:
        return None
    return found if all(map(math.isfinite, found)) else None


def is_logarithmic(values: Sequence[float]) -> bool:
    """Return whether numbers belong on a logarithmic axis: all are above 0, and they span a factor of 10."""
    return min(values) > 0 and max(values) >= 10 * min(values)


def importances(records: Sequence[JobRecord], metric: str) -> dict[str, float]:
    """Return the importance of each parameter that differs between jobs, the highest first; their sum is 1.

    It is the fraction of the variance of the metric that a parameter explains on its own and together with others, in a
    random forest: fANOVA of Hutter, Hoos & Leyton-Brown 2014, "An Efficient Approach for Assessing Hyperparameter
    Importance", as Optuna computes it. The seed is a parameter too: its importance is that of chance.

    Args:
        records: the jobs.
        metric: the name of the metric.

    Returns:
        Importances by key; empty if no key or no value differs, or if there are fewer than two jobs.
    """
    known = [record for record in records if not math.isnan(record.value(metric))]
    keys = differing_keys(known)
    if not keys or len({record.value(metric) for record in known}) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an evaluator of Optuna may be experimental
        return _fanova(known, keys, metric)


def _fanova(records: Sequence[JobRecord], keys: Sequence[str], metric: str) -> dict[str, float]:
    import optuna

    optuna.logging.get_logger("optuna").setLevel(logging.WARNING)  # it prints a line for each study
    columns = {key: _column([record.choices.get(key) for record in records]) for key in keys}
    distributions = {key: distribution for key, (distribution, _) in columns.items()}
    study = optuna.create_study()
    for place, record in enumerate(records):
        params = {key: values[place] for key, (_, values) in columns.items()}
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=distributions, value=record.value(metric))
        )
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator, params=list(keys)))


def _column(values: Sequence[str | None]) -> tuple[Any, list[Any]]:
    """Return the distribution and the values of a parameter for Optuna."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    found = numbers(values)
    if found is not None:
        return FloatDistribution(min(found), max(found), log=is_logarithmic(found)), found
    named = [_ABSENT if value is None else value for value in values]
    return CategoricalDistribution(sorted(set(named))), named
