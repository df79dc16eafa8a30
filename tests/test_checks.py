import pytest

from firstlight.checks import nearest, suggestion


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
    assert suggestion("lrr", ["lr", "betas"], prefix="optimizer") == "Did you mean 'optimizer.lr'?"


def test_where_there_are_no_options_that_is_said() -> None:
    assert suggestion("binary", [], prefix="task") == "This task has no options."


def test_a_suggestion_lists_all_options_in_order_where_none_is_near() -> None:
    assert suggestion("xyz", ["mlp", "lenet", "linear"]) == "There are: lenet, linear, mlp."
