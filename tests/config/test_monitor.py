import math

import pytest

from firstlight.config.monitor import is_better, mode_of


@pytest.mark.parametrize(
    ("metric", "mode"),
    [("val/loss", "min"), ("train/perplexity", "min"), ("mae", "min"), ("val/accuracy", "max"), ("val/f1", "max")],
)
def test_losses_and_errors_are_better_if_lower_and_other_metrics_if_higher(metric: str, mode: str) -> None:
    assert mode_of(metric) == mode


@pytest.mark.parametrize(
    ("metric", "value", "than", "better"),
    [
        ("val/loss", 0.1, 0.2, True),
        ("val/loss", 0.2, 0.1, False),
        ("val/accuracy", 0.9, 0.8, True),
        ("val/accuracy", 0.8, 0.9, False),
        ("val/loss", 0.1, 0.1, False),
        ("val/accuracy", 0.1, 0.1, False),
        ("val/loss", math.inf, math.nan, True),
        ("val/accuracy", 0.0, math.nan, True),
        ("val/loss", math.nan, math.inf, False),
        ("val/accuracy", math.nan, 0.0, False),
        ("val/loss", math.nan, math.nan, False),
    ],
)
def test_a_better_value_is_a_number_on_the_right_side_of_the_other_value(
    metric: str, value: float, than: float, better: bool
) -> None:
    assert is_better(metric, value, than) is better
