from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from firstlight.data import Digits
from firstlight.data.store import Arrays


@pytest.fixture(scope="module")
def splits() -> dict[str, Arrays]:
    return Digits("nowhere").read()[1]


def test_there_are_1442_digits_for_training_and_355_for_testing(splits: dict[str, Arrays]) -> None:
    assert splits["train"].inputs.shape == (1442, 1, 8, 8)
    assert splits["test"].inputs.shape == (355, 1, 8, 8)


def test_the_test_split_has_a_fifth_of_every_class(splits: dict[str, Arrays]) -> None:
    train, test = (np.bincount(splits[name].targets) for name in ("train", "test"))
    assert len(train) == len(test) == 10
    assert np.array_equal(test, (train + test) // 5)


def test_the_grey_levels_are_scaled_to_0_to_255(splits: dict[str, Arrays]) -> None:
    levels = np.unique(splits["train"].inputs)
    assert levels.dtype == np.uint8
    assert np.array_equal(levels, np.rint(np.arange(17) * 255 / 16))


def test_the_digits_equal_those_of_scikit_learn(splits: dict[str, Arrays]) -> None:
    images, targets = load_digits(return_X_y=True)
    ours = np.concatenate([arrays.inputs for arrays in splits.values()]).reshape(-1, 64)
    our_targets = np.concatenate([arrays.targets for arrays in splits.values()])
    rows = np.column_stack([np.rint(ours * (16 / 255)), our_targets])
    assert sorted(rows.tolist()) == sorted(np.column_stack([images, targets]).tolist())


def test_the_test_split_is_the_same_for_every_seed(tmp_path: Path) -> None:
    tests = [Digits(str(tmp_path)).splits(seed)[1]["test"] for seed in (1, 2)]
    assert torch.equal(tests[0].inputs, tests[1].inputs)
    assert torch.equal(tests[0].targets, tests[1].targets)
    assert len(tests[0]) == 355


def test_digits_need_no_existing_folder(tmp_path: Path) -> None:
    spec = Digits(str(tmp_path / "new" / "folder")).store().spec
    assert (spec.input_shape, spec.num_outputs, spec.labels) == ((1, 8, 8), 10, tuple("0123456789"))
