import math

import pytest

from firstlight.checks import check_range, choose, nearest, suggestion


@pytest.mark.parametrize(
    ("word", "options", "meant"),
    [
        ("lenett", ["lenet", "linear", "mlp"], "lenet"),
        ("LeNet", ["linear", "lenet"], "lenet"),
        ("bach_size", ["dir", "batch_size", "val_fraction"], "batch_size"),
        ("lr", ["model", "optimizer.lr", "seed"], "optimizer.lr"),
        ("learning_rate", ["momentum", "lr", "nesterov"], "lr"),
        ("weight-decay", ["dampening", "wd"], "wd"),
        ("optimizer.momentun", ["optimizer.momentum", "model"], "optimizer.momentum"),
    ],
)
def test_the_nearest_option_is_the_one_that_was_meant(word: str, options: list[str], meant: str) -> None:
    assert nearest(word, options) == meant


def test_an_exact_option_wins_over_its_likes() -> None:
    assert nearest("adam", ["adamw", "adam", "adagrad"]) == "adam"


def test_nothing_is_near_to_a_word_unlike_all_options() -> None:
    assert nearest("xyz", ["lenet", "linear"]) is None


def test_nothing_is_near_where_there_are_no_options() -> None:
    assert nearest("lr", []) is None


def test_a_suggestion_names_the_option_below_its_prefix() -> None:
    assert suggestion("lrr", ["lr", "betas"], prefix="optimizer") == ", did you mean 'optimizer.lr'?"


def test_where_there_are_no_options_that_is_said() -> None:
    assert suggestion("binary", [], prefix="task") == "; there are no options."


def test_a_suggestion_lists_all_options_in_order_where_none_is_near() -> None:
    assert suggestion("xyz", ["mlp", "lenet", "linear"]) == "; known: lenet, linear, mlp."


def test_an_unknown_value_is_refused_with_the_nearest() -> None:
    assert choose("model.pooling", "max", ("max", "average"), "pooling") == "max"
    with pytest.raises(ValueError, match=r"model.pooling=maxx: unknown pooling, did you mean 'max'\?"):
        choose("model.pooling", "maxx", ("max", "average"), "pooling")


@pytest.mark.parametrize(
    ("value", "bounds", "message"),
    [
        (0, {"at_least": 1}, "lr=0: must be at least 1."),
        (1, {"at_least": 0, "below": 1}, "lr=1: must be at least 0 and below 1."),
        (0, {"above": 0, "at_most": 1}, "lr=0: must be above 0 and at most 1."),
        (math.inf, {"at_least": 0, "below": math.inf}, "lr=inf: must be at least 0 and finite."),
        (math.nan, {"at_least": 0}, "lr=nan: must be at least 0."),
    ],
)
def test_a_number_out_of_bounds_is_refused_with_the_bounds(
    value: float, bounds: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=r"must be") as refused:
        check_range("lr", value, **bounds)
    assert str(refused.value) == message


def test_the_bounds_themselves_are_accepted_where_they_are_closed() -> None:
    check_range("lr", 1, at_least=1, at_most=1)
