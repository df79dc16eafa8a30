"""Metrics of a ranking: how well the probability of a class separates its samples from the others.

The definitions are those of scikit-learn, which is not used because it takes a second to import.
"""

from typing import Any

import numpy as np


def counts_above(probabilities: Any, positive: Any) -> tuple[Any, Any, Any]:
    """Return the distinct probabilities in falling order, and how many samples have at least each of them.

    Args:
        probabilities: (samples,), any numbers that rank the samples.
        positive: (samples,), whether a sample is of the class.

    Returns:
        The thresholds, the positive samples at or above each, and the negative ones: (thresholds,) each.
    """
    probabilities, positive = np.asarray(probabilities), np.asarray(positive, bool)
    order = np.argsort(-probabilities, kind="stable")
    ranked, hits = probabilities[order], positive[order].cumsum()
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1) if len(ranked) else np.zeros(0, int)
    return ranked[last], hits[last], last + 1 - hits[last]


def precision_recall_curve(probabilities: Any, positive: Any) -> tuple[Any, Any]:
    """Return precision and recall at each threshold, from the highest to the first of recall 1: (thresholds,) each.

    Precision is the fraction of positive samples among those above, recall the fraction of positive samples that is
    above. Both are empty without positive samples.
    """
    _, hits, others = counts_above(probabilities, positive)
    if not len(hits) or not hits[-1]:
        return np.zeros(0), np.zeros(0)
    end = np.searchsorted(hits, hits[-1]) + 1
    return (hits / (hits + others))[:end], (hits / hits[-1])[:end]


def average_precision(probabilities: Any, positive: Any) -> float:
    """Return the mean of the precisions, weighted with the gains of recall; NaN without positive samples."""
    precision, recall = precision_recall_curve(probabilities, positive)
    return min(1.0, float((precision * np.diff(recall, prepend=0.0)).sum())) if len(recall) else float("nan")


def auroc(probabilities: Any, positive: Any) -> float:
    """Return the area under the ROC curve.

    It is the probability that a positive sample has a higher probability than a negative one; a tie counts as half.
    NaN unless there are samples of both kinds.
    """
    _, hits, others = counts_above(probabilities, positive)
    if not len(hits) or not hits[-1] or not others[-1]:
        return float("nan")
    rates = hits / hits[-1], others / others[-1]
    heights = (rates[0] + np.concatenate([[0.0], rates[0][:-1]])) / 2
    return min(1.0, float((heights * np.diff(rates[1], prepend=0.0)).sum()))
