import inspect

import pytest
import torch

import firstlight.augment
from firstlight.augment.step import Step, check_order
from helpers.samples import assert_uniform

pytestmark = pytest.mark.usefixtures("the_same_draws")

CPU = torch.device("cpu")
STEPS = [step for _, step in inspect.getmembers(firstlight.augment, inspect.isclass) if issubclass(step, Step)]
STEPS.remove(firstlight.augment.ModuleStep)  # it wraps what has options of its own


def test_random_numbers_are_uniform_in_their_range() -> None:
    draws = Step(1).uniform((100, 200), -3, 5, CPU)
    assert draws.shape == (100, 200)
    assert_uniform(draws, -3, 5)


@pytest.mark.parametrize("p", [0, 0.25, 1])
def test_a_fraction_p_of_the_samples_is_chosen(p: float) -> None:
    chosen = Step(p).chosen(20_000, CPU)
    assert chosen.float().mean().item() == pytest.approx(p, abs=0.015)


def test_samples_that_are_not_chosen_get_the_neutral_value() -> None:
    values = Step(0.25).for_chosen(torch.ones(20_000, 2, 3), 7)
    kinds = values.flatten(1).unique(dim=0)
    assert kinds.tolist() == [[1] * 6, [7] * 6]
    assert (values[:, 0, 0] == 1).float().mean().item() == pytest.approx(0.25, abs=0.015)


def test_all_samples_are_chosen_at_probability_one() -> None:
    assert torch.equal(Step(1).for_chosen(torch.ones(1000), 7), torch.ones(1000))


def test_random_numbers_come_from_the_default_generator() -> None:
    state = torch.get_rng_state()
    first = Step(0.5).for_chosen(torch.rand(100), 0)
    torch.set_rng_state(state)
    assert torch.equal(Step(0.5).for_chosen(torch.rand(100), 0), first)
    assert not torch.equal(Step(0.5).for_chosen(torch.rand(100), 0), first)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
@pytest.mark.parametrize("step", STEPS)
def test_every_step_checks_its_probability(step: type[Step], p: float) -> None:
    options = {"file": __file__} if "file" in inspect.signature(step).parameters else {}
    with pytest.raises(ValueError, match=rf"p={p}: must be at least 0 and at most 1"):
        step(p=p, **options)


@pytest.mark.parametrize("step", STEPS)
def test_every_option_except_a_file_has_a_default(step: type[Step]) -> None:
    required = [name for name, option in inspect.signature(step).parameters.items() if option.default is option.empty]
    assert set(required) <= {"file"}


def test_the_bounds_of_a_range_may_be_equal() -> None:
    check_order(low=1, high=1)


@pytest.mark.parametrize(("low", "high"), [(2, 1), (1, float("nan"))])
def test_a_lower_bound_above_the_upper_bound_raises_an_error(low: float, high: float) -> None:
    with pytest.raises(ValueError, match=rf"^low={low}: must be at most high={high}\.$"):
        check_order(low=low, high=high)
