import numpy as np
import pytest
from sklearn import metrics as sk

from firstlight.runs.findings.threshold import CRITERIA, best_threshold, decision

RANDOM = np.random.default_rng(0)
POSITIVE = RANDOM.random(200) < 0.15
PROBABILITIES = (0.3 * RANDOM.random(200) + 0.2 * POSITIVE).round(2)
VALUES = {
    "f1": sk.f1_score,
    "accuracy": sk.accuracy_score,
    "youden": lambda true, found: 2 * sk.balanced_accuracy_score(true, found) - 1,
}


@pytest.mark.parametrize("criterion", CRITERIA)
def test_no_threshold_is_better(criterion: str) -> None:
    found = best_threshold(PROBABILITIES, POSITIVE, criterion)
    value = VALUES[criterion]
    best = max(value(POSITIVE, at <= PROBABILITIES) for at in PROBABILITIES)
    assert value(POSITIVE, found <= PROBABILITIES) == pytest.approx(best)
    assert found not in PROBABILITIES


def test_the_metrics_of_a_decision() -> None:
    found = decision(PROBABILITIES, POSITIVE, 0.25)
    predicted = PROBABILITIES >= 0.25
    functions = (sk.accuracy_score, sk.precision_score, sk.recall_score, sk.f1_score)
    assert list(found.values()) == pytest.approx([function(POSITIVE, predicted) for function in functions])
    assert decision([0.1, 0.2], [False, False], 0.5) == {"accuracy": 1, "precision": 0, "recall": 0, "f1": 0}
    assert best_threshold([0.3, 0.4], [True, True], "f1") == pytest.approx(0.15)
