import numpy as np
import pytest

from firstlight.data.hold_out import hold_out

TARGETS = np.repeat([0, 1, 2], [10, 30, 60])
LABELS = ("a", "b", "c")


def test_every_class_gives_the_same_fraction() -> None:
    is_test = hold_out(TARGETS, LABELS, 0.2, seed=0)
    assert np.bincount(TARGETS[is_test]).tolist() == [2, 6, 12]


def test_the_selection_depends_on_the_seed_alone() -> None:
    first, again, other = (hold_out(TARGETS, LABELS, 0.2, seed) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_small_class_gives_one_sample() -> None:
    targets = np.array([0, 0, 0, *[1] * 50])
    assert np.bincount(targets[hold_out(targets, ("few", "many"), 0.1, seed=0)]).tolist() == [1, 5]


@pytest.mark.parametrize(("number", "fraction"), [(2, 0.2), (1, 0.2), (0, 0.2), (4, 0.7)])
def test_a_class_with_too_few_samples_raises_an_error_that_names_it(number: int, fraction: float) -> None:
    targets = np.array([1] * number + [0] * 50)
    with pytest.raises(ValueError, match=f"but 'few' has {number} in all"):
        hold_out(targets, ("many", "few"), fraction, seed=0)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.5, float("nan")])
def test_a_fraction_out_of_range_raises_an_error(fraction: float) -> None:
    with pytest.raises(ValueError, match=rf"data\.test_fraction={fraction}: must be above 0 and below 1"):
        hold_out(TARGETS, LABELS, fraction, seed=0)
