"""The values of a sweep, as words or as YAML."""

import pytest

from firstlight.training.sweeps.space import Dimension, read_space


def test_the_grid_has_hydras_order_and_all_its_forms_of_values() -> None:
    words = [
        "model=mlp,lenet",
        "seed=range(1,3)",
        "model.hidden_sizes=[4,4],[8]",
        "data.file=my table.csv",
        "+a=choice(1)",
    ]
    combinations = list(read_space(words, {}).grid())
    assert combinations[:3] == [
        {"model": "mlp", "seed": "1", "model.hidden_sizes": "[4,4]", "a": "1"},
        {"model": "mlp", "seed": "1", "model.hidden_sizes": "[8]", "a": "1"},
        {"model": "mlp", "seed": "2", "model.hidden_sizes": "[4,4]", "a": "1"},
    ]
    assert len(combinations) == 8
    (probe, *_) = read_space(words, {}).probes(1)
    assert probe == ("model=mlp", "seed=1", "model.hidden_sizes=[4,4]", "data.file=my table.csv", "+a=1")


def test_glob_names_options_and_no_files_for_other_files() -> None:
    (part,) = read_space(["data=glob(*, exclude=[t*,d*])"], {}).parts
    assert isinstance(part, Dimension)
    assert {"mnist", "iris"} <= set(part.choices)
    assert not any(choice.startswith(("_", "t", "d")) for choice in part.choices)


def test_shuffled_values_have_the_same_order_when_a_sweep_is_continued() -> None:
    one, other, third = (read_space(["seed=shuffle(range(1,30))"], {}, seed=seed) for seed in (1, 1, 2))
    assert one == other != third
    assert sorted(one.parts[0].choices, key=int) == [str(n) for n in range(1, 30)]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("k=interval(1,2)", Dimension("k", low=1.0, high=2.0)),
        ("+k=tag(log,interval(1e-4,1e-1))", Dimension("k", "+", low=1e-4, high=1e-1, is_log=True)),
        ("k=int(interval(1,9))", Dimension("k", low=1, high=9, is_whole=True)),
        ("k=int(tag(log,interval(1,9)))", Dimension("k", low=1, high=9, is_whole=True, is_log=True)),
        ("k=range(1,10,2)", Dimension("k", low=1, high=9, is_whole=True, step=2)),
        ("k=a,b,a", Dimension("k", choices=("a", "b"))),
        ("k={a:1},{a:2}", Dimension("k", choices=("{a:1}", "{a:2}"))),
    ],
)
def test_sampled_values(word: str, expected: Dimension) -> None:
    assert read_space([word], {}, method="tpe").parts == (expected,)


@pytest.mark.parametrize(
    ("word", "method", "message"),
    [
        ("k=interval(1,2)", "grid", r"^k=interval\(1,2\): must be a list of values in a grid\. To fix: sweep\.method="),
        ("k=interval(2,1)", "tpe", r"must be an interval whose first number is below the second"),
        ("k=tag(log,interval(0,1))", "tpe", r"must begin above 0"),
        ("model=glob(zzz*)", "grid", r"^model=glob\(zzz\*\): must have at least one value"),
    ],
)
def test_values_that_cannot_be_tried(word: str, method: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_space([word], {}, method=method)


def test_conditions_of_yaml_and_words_that_replace_its_keys() -> None:
    node = {
        "optimizer": "adamw, sgd",
        "optimizer.lr": "1, 2",
        "tags": ["[a]", "[b]"],
        "optimizer=sgd": {"optimizer.momentum": [0, 0.9], "seed": 7},
    }
    space = read_space(["optimizer.lr=0.1"], node)
    words = [combination.get("optimizer.momentum") for combination in space.grid()]
    assert words == [None, None, "0", "0.9", "0", "0.9"]
    probes = list(space.probes(1))
    assert probes[0] == ("optimizer.lr=0.1", "optimizer=adamw", "tags=[a]")
    assert probes[1] == ("optimizer.lr=0.1", "optimizer=sgd", "tags=[b]", "optimizer.momentum=0.9", "seed=7")
    assert [each for each in space.dimensions() if each.is_interval] == []


def test_probes_have_both_ends_and_each_choice() -> None:
    space = read_space(
        ["a=interval(1,3)", "b=int(interval(2,9))", "c=x,y,z", "d=tag(log,interval(1,100))"], {}, method="random"
    )
    probes = list(space.probes(3))
    assert probes[:3] == [
        ("a=1.0", "b=2", "c=x", "d=1.0"), ("a=3.0", "b=9", "c=y", "d=100.0"), ("a=1.0", "b=2", "c=z", "d=1.0"),
    ]  # fmt: skip
    assert len(set(probes)) == 6
    assert list(space.probes(3)) == probes
