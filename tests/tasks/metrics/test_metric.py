import math

import pytest

from firstlight.tasks.metrics.metric import is_better


@pytest.mark.parametrize(
    ("direction", "value", "than", "better"),
    [
        ("min", 0.1, 0.2, True),
        ("min", 0.2, 0.1, False),
        ("max", 0.9, 0.8, True),
        ("max", 0.8, 0.9, False),
        ("min", 0.1, 0.1, False),
        ("max", 0.1, 0.1, False),
        ("min", math.inf, math.nan, True),
        ("max", 0.0, math.nan, True),
        ("min", math.nan, math.inf, False),
        ("max", math.nan, 0.0, False),
        ("min", math.nan, math.nan, False),
    ],
)
def test_a_better_value_is_a_number_on_the_right_side_of_the_other_value(
    direction: str, value: float, than: float, better: bool
) -> None:
    assert is_better(direction, value, than) is better
