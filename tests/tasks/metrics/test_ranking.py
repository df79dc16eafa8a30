import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from firstlight.tasks.metrics.ranking import auroc, average_precision, counts_above, precision_recall_curve


@pytest.mark.parametrize("decimals", [1, 9])
def test_auroc_and_average_precision_are_those_of_scikit_learn_with_and_without_ties(decimals: int) -> None:
    random = np.random.default_rng(decimals)
    positive = random.random(300) < 0.2
    probabilities = (random.random(300) * 0.8 + 0.2 * positive).round(decimals)
    assert auroc(probabilities, positive) == pytest.approx(roc_auc_score(positive, probabilities))
    assert average_precision(probabilities, positive) == pytest.approx(average_precision_score(positive, probabilities))


def test_a_curve_ends_where_all_positive_samples_are_found() -> None:
    precision, recall = precision_recall_curve([0.9, 0.8, 0.7, 0.1], [True, False, True, False])
    np.testing.assert_allclose(precision, [1, 1 / 2, 2 / 3])
    np.testing.assert_allclose(recall, [1 / 2, 1 / 2, 1])
    thresholds, hits, others = counts_above([0.5, 0.5, 0.2], [True, False, True])
    assert (thresholds.tolist(), hits.tolist(), others.tolist()) == ([0.5, 0.2], [1, 2], [1, 1])


def test_without_samples_of_a_kind_the_metrics_are_nan() -> None:
    assert math.isnan(auroc([0.1, 0.2], [True, True]))
    assert math.isnan(auroc([], []))
    assert math.isnan(average_precision([0.1, 0.2], [False, False]))
    assert average_precision([0.1, 0.2], [True, True]) == 1
