import math

import pytest

from firstlight.checks import check_range, choose, nearest, suggestion


@pytest.mark.parametrize(
    ("word", "options", "expected"),
    [
        ("lenett", ["lenet", "linear", "mlp"], "lenet"),
        ("LeNet", ["linear", "lenet"], "lenet"),
        ("adam", ["adamw", "adam", "adagrad"], "adam"),
        ("bach_size", ["dir", "batch_size", "val_fraction"], "batch_size"),
        ("lr", ["model", "optimizer.lr", "seed"], "optimizer.lr"),
        ("learning_rate", ["momentum", "lr", "nesterov"], "lr"),
        ("weight-decay", ["dampening", "wd"], "wd"),
        ("optimizer.momentun", ["optimizer.momentum", "model"], "optimizer.momentum"),
        ("xyz", ["lenet", "linear"], None),
        ("hiden", ["head", "hidden_size"], "hidden_size"),
        ("batch", ["watch", "data.batch_size"], "data.batch_size"),
        ("tep", ["tpe", "cmaes"], "tpe"),
        ("test", ["notes", "seed"], None),
        ("paths", ["watch", "patience"], None),
        ("depth", ["width"], None),
        ("rello", ["relu", "elu"], "relu"),
        ("lr", [], None),
    ],
)
def test_nearest_finds_the_most_similar_option(word: str, options: list[str], expected: str | None) -> None:
    assert nearest(word, options) == expected


@pytest.mark.parametrize(
    ("word", "options", "prefix", "text"),
    [
        ("lrr", ["lr", "betas"], "", ", did you mean 'lr'?"),
        ("lrr", ["lr", "betas"], "optimizer", ", did you mean 'optimizer.lr'?"),
        ("xyz", ["mlp", "lenet", "linear"], "", "; known: lenet, linear, mlp."),
        ("binary", [], "task", "; there are no options."),
    ],
)
def test_a_suggestion_names_the_nearest_option_or_all_options(
    word: str, options: list[str], prefix: str, text: str
) -> None:
    assert suggestion(word, options, prefix) == text


def test_an_unknown_value_raises_an_error_with_a_suggestion() -> None:
    assert choose("model.pooling", "max", ("max", "average"), "pooling") == "max"
    with pytest.raises(ValueError, match=r"^model\.pooling=maxx: unknown pooling, did you mean 'max'\?$"):
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
def test_a_number_out_of_bounds_raises_an_error_that_names_the_bounds(
    value: float, bounds: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=r"must be") as caught:
        check_range("lr", value, **bounds)
    assert str(caught.value) == message


def test_at_least_and_at_most_include_the_bounds() -> None:
    check_range("lr", 1, at_least=1, at_most=1)
