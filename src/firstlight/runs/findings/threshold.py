"""The threshold of two classes: from which probability on a sample counts as the second class."""

from collections.abc import Callable
from typing import Any

import numpy as np

from firstlight.tasks.metrics.ranking import counts_above


def _f1(hits: Any, others: Any) -> Any:
    return 2 * hits / np.maximum(hits + others + hits[-1], 1)


def _accuracy(hits: Any, others: Any) -> Any:
    return (hits + others[-1] - others) / max(1, hits[-1] + others[-1])


def _youden(hits: Any, others: Any) -> Any:
    return hits / max(1, hits[-1]) - others / max(1, others[-1])


# What a threshold makes as large as possible, of samples of the second class and of the first at or above each.
CRITERIA: dict[str, Callable[[Any, Any], Any]] = {"f1": _f1, "accuracy": _accuracy, "youden": _youden}


def best_threshold(probabilities: Any, positive: Any, criterion: str) -> float:
    """Return the threshold with the highest value of a criterion: halfway between two probabilities that occur.

    Args:
        probabilities: (samples,), of the second class; at least one sample.
        positive: (samples,), whether a sample is of the second class.
        criterion: "f1", "accuracy", or "youden": recall of the second class plus recall of the first (Youden 1950).
    """
    thresholds, hits, others = counts_above(probabilities, positive)
    best = int(CRITERIA[criterion](hits, others).argmax())
    below = thresholds[best + 1] if best + 1 < len(thresholds) else 0.0
    return float((thresholds[best] + below) / 2)


def decision(probabilities: Any, positive: Any, threshold: float) -> dict[str, float]:
    """Return accuracy, and precision, recall and F1 of the second class; a quotient with the denominator 0 is 0."""
    predicted, positive = np.asarray(probabilities) >= threshold, np.asarray(positive, bool)
    hits, true, found = int((predicted & positive).sum()), int(positive.sum()), int(predicted.sum())
    return {
        "accuracy": float((predicted == positive).mean()),
        "precision": hits / max(1, found),
        "recall": hits / max(1, true),
        "f1": 2 * hits / max(1, true + found),
    }
