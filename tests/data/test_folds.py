import pytest
import torch

from firstlight.config import RunConfig
from firstlight.data.folds import Fold
from firstlight.tasks.build import build_source


@pytest.mark.parametrize(("samples", "of"), [(103, 5), (20, 20), (64, 3)])
def test_folds_are_disjoint_cover_all_samples_and_keep_the_classes(samples: int, of: int) -> None:
    classes = torch.arange(samples) ** 2 % 7  # of unequal sizes
    held_out = torch.stack([Fold(number, of).is_held_out(classes, seed=3) for number in range(1, of + 1)])
    assert (held_out.sum(0) == 1).all()
    sizes = held_out.sum(1)
    assert sizes.max() - sizes.min() <= 1
    for label in classes.unique():
        counts = held_out[:, classes == label].sum(1)
        assert counts.max() - counts.min() <= 1
    assert not torch.equal(Fold(1, of).is_held_out(classes, seed=4), held_out[0])


def rows(*words: str) -> dict[str, set[int]]:
    config = RunConfig.from_overrides(*words)
    splits = build_source(config).splits(config.seed)[1]
    return {name: set(split.indices.tolist() if split.indices is not None else []) for name, split in splits.items()}


def test_a_fold_replaces_the_validation_split_and_leaves_the_test_split() -> None:
    whole = rows()
    folds = [rows("kfold=4", f"fold={number}") for number in range(1, 5)]
    for fold in folds:
        assert not fold["train"] & fold["val"]
        assert fold["train"] | fold["val"] == whole["train"] | whole["val"]
        assert fold["test"] == whole["test"]
    assert sum(len(fold["val"]) for fold in folds) == len(set().union(*(fold["val"] for fold in folds)))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["kfold=1"], r"kfold=1: must be at least 2\."),
        (["fold=2"], r"fold=2: must be null without kfold"),
        (["kfold=3", "fold=4"], r"fold=4: must be from 1 to 3"),
    ],
)
def test_wrong_numbers_of_folds(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RunConfig.from_overrides(*words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data=text"], r"kfold=3: must be null with data=text, whose samples continue one another\."),
        (["data=line"], r"kfold=3: must be null with data=line, whose samples have an official split val\."),
        (["kfold=2000"], r"kfold=2000: must be at most 1442, the number of training samples\."),
    ],
)
def test_data_without_folds(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rows("kfold=3", "fold=1", *words)


def test_smaller_fractions_are_parts_of_larger_ones_and_keep_the_classes() -> None:
    whole = rows()
    parts = [rows(f"data.train_fraction={fraction}") for fraction in (0.1, 0.3, 1)]
    small, middle, large = (part["train"] for part in parts)
    assert small < middle < large == whole["train"]
    assert all(part["val"] == whole["val"] and part["test"] == whole["test"] for part in parts)
    assert len(middle) / len(large) == pytest.approx(0.3, abs=0.01)
    config = RunConfig.from_overrides("data.train_fraction=0.1")
    counts = build_source(config).splits(1)[1]["train"].own_targets.bincount()
    assert counts.min() >= 10


def test_a_fraction_above_1_is_a_number_of_samples_of_each_class() -> None:
    def counts(number: int) -> list[int]:
        config = RunConfig.from_overrides(f"data.train_fraction={number}")
        return build_source(config).splits(1)[1]["train"].own_targets.bincount().tolist()

    assert counts(7) == [7] * 10
    assert sum(counts(5000)) == len(rows()["train"])  # there are no more
    with pytest.raises(ValueError, match=r"data.train_fraction=1.5: must be at most 1, or a whole number of samples"):
        build_source(RunConfig.from_overrides("data.train_fraction=1.5"))
    with pytest.raises(ValueError, match=r"data.train_fraction=3: must be at most 1 for a text"):
        build_source(RunConfig.from_overrides("data=text", "data.train_fraction=3")).splits(1)


def test_the_fraction_of_a_text_is_its_beginning() -> None:
    config = RunConfig.from_overrides("data=text", "data.train_fraction=0.25")
    train = build_source(config).splits(1)[1]["train"]
    assert train.indices is not None
    assert train.indices.tolist() == list(range(len(train)))
