"""The results of the folds of a cross-validation, combined."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from firstlight.log import aligned

_SPLITS = ("train/", "val/", "test/")
_SECONDS = ("seconds/total", "seconds/fit")


def combined(folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the metrics of a cross-validation.

    Args:
        folds: the content of metrics.json of each fold.

    Returns:
        The mean of each metric over the folds, such as `val/accuracy`; its standard deviation, `val/accuracy_std`,
        which estimates that of the folds (with n - 1); the sums of the seconds; and what all folds have in common.
    """
    names = [name for name in folds[0] if name.startswith(_SPLITS)]
    values: dict[str, list[Any]] = {name: [fold.get(name) for fold in folds] for name in names}
    finite = {name: found for name, found in values.items() if all(map(_is_finite, found))}
    result: dict[str, Any] = {name: fmean(found) for name, found in finite.items()}
    result |= {f"{name}_std": stdev(found) for name, found in finite.items()}
    result |= {name: math.fsum(fold.get(name) or 0.0 for fold in folds) for name in _SECONDS}
    common = {name: value for name, value in folds[0].items() if all(fold.get(name) == value for fold in folds)}
    diverged = any(fold.get("status") == "diverged" for fold in folds)
    return common | result | {"status": "diverged" if diverged else "completed", "folds": len(folds)}


def table(folds: Sequence[Mapping[str, Any]]) -> str:
    """Return the metrics of validation and test as a table: a row for each metric, a column for each fold."""
    found = combined(folds)
    names = [name for name in folds[0] if name.startswith(("val/", "test/"))]
    header = ["", *(f"fold {number}" for number in range(1, len(folds) + 1)), "mean ± standard deviation"]
    rows = [[name, *(_text(fold.get(name)) for fold in folds), _mean(found, name)] for name in names]
    return aligned([header, *rows])


def _mean(found: Mapping[str, Any], name: str) -> str:
    return f"{found[name]:.4f} ± {found[f'{name}_std']:.4f}" if name in found else "-"


def _text(value: Any) -> str:
    return f"{value:.4f}" if _is_finite(value) else "-"


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
