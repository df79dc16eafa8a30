"""Masks, boxes and labels of a data set of one's own: kept as they are, or refused with a sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from firstlight.data import Source
from firstlight.data.record import DataRecord
from firstlight.data.store import Arrays
from firstlight.spec import IGNORED, NO_OBJECT

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 3, 8, 10), dtype=np.uint8)
LABELS = ("sky", "cat", "dog")
MASKS = np.random.default_rng(1).integers(0, 3, (6, 8, 10))
BOXES = np.tile(np.array([[1, 2, 5.5, 8, 2], [0, 0, 0, 0, NO_OBJECT]]), (6, 1, 1))
SETS = np.tile(np.array([True, False, True]), (6, 1))


class Mine(Source):
    """Returns the targets that it is given."""

    def __init__(self, dir: str, targets: np.ndarray, labels: tuple[str, ...] = LABELS, **kwargs: Any) -> None:
        super().__init__(dir, **kwargs)
        self.targets, self.labels = targets, labels

    def fingerprint(self) -> Any:
        return [self.targets.tobytes().hex(), self.labels]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        return self.labels, {split: Arrays(IMAGES, self.targets) for split in ("train", "test")}


@pytest.mark.parametrize(
    ("targets", "kind", "dtype"),
    [(MASKS, "masks", torch.uint8), (BOXES, "boxes", torch.float32), (SETS, "labels", torch.uint8)],
    ids=["masks", "boxes", "labels"],
)
def test_places_and_labels_are_stored(tmp_path: Path, targets: np.ndarray, kind: str, dtype: torch.dtype) -> None:
    """The store returns the same targets, and says of which type they are."""
    source = Mine(str(tmp_path), targets, val_fraction=0.34)
    for _ in range(2):  # built, then opened
        store, splits = source.splits(seed=1)
        assert store.spec.targets == kind
        assert store.spec.from_dict(store.spec.to_dict()) == store.spec
        assert splits["test"].targets.dtype == dtype
        np.testing.assert_array_equal(splits["test"].targets.numpy(), targets)
        assert len(splits["train"]) == 4
    assert DataRecord.of(store, splits).classes == {}
    assert "sky, cat, dog" in store.remarks[-1]


def _changed(array: np.ndarray, place: tuple[int, ...], value: float) -> np.ndarray:
    changed = array.copy()
    changed[place] = value
    return changed


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (MASKS[:, :4], r"masks of 4 x 10; they must have the images' 8 x 10"),
        (_changed(MASKS, (2, 0, 0), 7), r"a mask with the class 7, the first in sample 2; they must be 0 to 2, or 255"),
        (_changed(MASKS, (2, 0, 0), -1), r"a mask with the class -1"),
        (BOXES[:, :, :4], r"they must have left, top, right, bottom and class"),
        (_changed(BOXES, (3, 0, 2), 1), r"a box without area, the first in sample 3: 1, 2, 1, 8, 2"),
        (_changed(BOXES, (3, 0, 2), 10.5), r"a box that leaves its image, the first in sample 3"),
        (_changed(BOXES, (3, 0, 0), np.nan), r"NaN or infinite numbers, the first in sample 3"),
        (_changed(BOXES, (3, 0, 4), 3), r"a class that is not 0 to 2, the first in sample 3"),
        (SETS[:, :2], r"targets \(6, 2\) up to 1; with 3 labels they must be 0 or 1 for each of them"),
        (SETS.astype(np.uint8) * 2, r"targets \(6, 3\) up to 2"),
    ],
)
def test_impossible_targets_are_named(tmp_path: Path, targets: np.ndarray, message: str) -> None:
    """Each says what is wrong and in which sample."""
    with pytest.raises(ValueError, match=rf"data: Mine\.read returns in train .*{message}"):
        Mine(str(tmp_path), targets).store()


@pytest.mark.parametrize(
    "targets", [_changed(MASKS, (0, 0, 0), IGNORED), BOXES, SETS], ids=("masks", "boxes", "labels")
)
def test_other_data_gets_the_numbers_of_the_run(tmp_path: Path, targets: np.ndarray) -> None:
    """Data whose labels have another order is evaluated with those of the run; ignored pixels remain ignored."""
    spec = Mine(str(tmp_path), targets).store().spec
    order = [2, 0, 1]  # the number of each label among those of the run
    renamed = tuple(LABELS[number] for number in order)
    found = Mine(str(tmp_path), targets, renamed).read_all(spec).targets[:6].numpy()
    if targets is SETS:
        np.testing.assert_array_equal(found[:, order], targets)
    elif targets is BOXES:
        np.testing.assert_array_equal(found[:, 0], [[1, 2, 5.5, 8, order[2]]] * 6)
        assert (found[:, 1, 4] == NO_OBJECT).all()
    else:
        expected = np.where(targets == IGNORED, IGNORED, np.array(order)[targets.clip(max=2)])
        np.testing.assert_array_equal(found, expected)
