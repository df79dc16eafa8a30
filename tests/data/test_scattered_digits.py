from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firstlight.data import ScatteredDigits
from firstlight.data.store import Arrays
from firstlight.spec import NO_OBJECT
from helpers.generate import write_mnist


def scattered(folder: Path, **options: Any) -> ScatteredDigits:
    return ScatteredDigits(str(folder), **{"image_size": 64, "num_train": 30, "num_test": 8} | options)


def test_pixels_masks_boxes_and_labels_agree(tmp_path: Path) -> None:
    splits = {
        target: scattered(tmp_path, target=target).read()[1]["train"]
        for target in ("mask", "foreground", "boxes", "labels")
    }
    images, masks = splits["mask"]
    assert all(np.array_equal(images, arrays.inputs) for arrays in splits.values())
    assert np.array_equal(images[:, 0] > 0, masks > 0)
    assert np.array_equal(splits["foreground"].targets, masks > 0)
    counts = (splits["boxes"].targets[..., 4] != NO_OBJECT).sum(1)
    assert set(counts) == set(range(1, 7))
    for mask, boxes, occurs in zip(masks, splits["boxes"].targets, splits["labels"].targets, strict=True):
        covered = np.zeros_like(mask)
        for *edges, digit in boxes[boxes[:, 4] != NO_OBJECT]:
            left, top, right, bottom = map(int, edges)
            part = mask[top:bottom, left:right] == 1 + digit
            assert all(edge.any() for edge in (part[0], part[-1], part[:, 0], part[:, -1]))  # it is tight
            covered[top:bottom, left:right] = 1
        assert not mask[covered == 0].any()
        assert set(np.flatnonzero(occurs) + 1) == set(mask[mask > 0])


def test_each_split_has_canvases_with_its_own_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    square = np.full((1, 1, 8, 8), 255, np.uint8)
    digits = {name: Arrays(square, np.array([digit])) for name, digit in (("train", 3), ("test", 7))}
    source = scattered(tmp_path)
    monkeypatch.setattr(source.digits, "read", lambda: (tuple("0123456789"), digits))
    labels, splits = source.read()
    assert labels == ("background", *"0123456789")
    assert {name: set(np.unique(arrays.targets)) for name, arrays in splits.items()} == {
        "train": {0, 4},
        "test": {0, 8},
    }


def test_the_seed_decides_and_more_canvases_contain_fewer(tmp_path: Path) -> None:
    first, more, other = (
        scattered(tmp_path, **options).read()[1]["train"]
        for options in ({}, {"num_train": 40}, {"split_seed": 1, "noise": 0.1})
    )
    assert np.array_equal(first.inputs, more.inputs[:30])
    assert not np.array_equal(first.inputs, other.inputs)
    background = other.inputs[:, 0][other.targets == 0] / 255
    assert background.max() > 0.2


def test_the_digits_of_mnist_are_scattered_too(tmp_path: Path) -> None:
    write_mnist(tmp_path, 20, 20)
    store = scattered(tmp_path, digits="mnist", target="boxes", min_digits=1, max_digits=1).store()
    assert (store.spec.targets, store.spec.num_outputs, store.spec.input_shape) == ("boxes", 10, (1, 64, 64))
    boxes = store.splits["test"].targets
    assert boxes.shape == (8, 1, 5)
    sides = boxes[..., 2:4] - boxes[..., :2]
    assert (sides.amax(-1) >= 0.1 * 64).all()
    assert (sides.amax(-1) <= 0.3 * 64 + 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "box"}, r"data\.target=box: unknown target, did you mean 'boxes'\?"),
        ({"min_digits": 3, "max_digits": 2}, r"data\.max_digits=2: must be at least 3"),
        ({"min_size": 0.01}, r"data\.min_size=0\.01: must be at least 0\.125"),
        ({"min_digits": 30, "max_digits": 30}, r"data\.max_digits=30: must be smaller, or data\.max_size=0\.3"),
    ],
)
def test_impossible_options_are_named(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scattered(tmp_path, **options).read()
