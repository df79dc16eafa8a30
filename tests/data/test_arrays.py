from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset

from firstlight.data import ArraySource
from firstlight.data.arrays import as_arrays

GREY = np.random.default_rng(0).integers(0, 256, (6, 5, 4), dtype=np.uint8)
CLASSES = np.array([2, 7, 2, 7, 7, 2])


class Pairs(Dataset):
    def __init__(self, samples: list[Any]) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        return self.samples[index]


@pytest.mark.parametrize(
    "inputs",
    [
        GREY, GREY[:, None], GREY[..., None], GREY / 255, list(GREY), torch.from_numpy(GREY), GREY.astype(int),
        torch.from_numpy(GREY).float()[:, None] / 255,
    ],
)  # fmt: skip
def test_images_in_any_form_become_the_same_pixels(inputs: Any) -> None:
    labels, splits = as_arrays((inputs, CLASSES))
    assert labels == ("2", "7")
    assert splits["train"].inputs.dtype == np.uint8
    assert np.array_equal(splits["train"].inputs, GREY[:, None])
    assert splits["train"].targets.tolist() == [0, 1, 0, 1, 1, 0]


def test_a_data_set_of_pillow_images_and_texts_becomes_arrays() -> None:
    images = [Image.fromarray(np.full((4, 2, 3), value, np.uint8)) for value in (0, 9)]
    labels, splits = as_arrays(Pairs([(images[0], "b"), (images[1], "a")]))
    assert labels == ("a", "b")
    assert splits["train"].inputs.shape == (2, 3, 4, 2)
    assert splits["train"].targets.tolist() == [1, 0]


def test_tables_have_classes_or_numbers_as_targets() -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": [0.5, 1.5], "c": ["x", "y"]})
    labels, splits = as_arrays((frame[["a", "b"]], frame["c"]))
    assert (labels, splits["train"].inputs.dtype) == (("x", "y"), np.float32)
    labels, splits = as_arrays(([[1, 2], [3, 4]], [[1.0, 2.0], [3.0, 4.0]]))
    assert labels == ("target_1", "target_2")
    assert splits["train"].targets.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((GREY, CLASSES[:3]), r"^data: must have as many targets as inputs, not 3 and 6\.$"),
        ((GREY / 100, CLASSES), r"^data: must have pixels of type uint8, or numbers from 0 to 1, not float64 from 0"),
        ((GREY - 300.0, CLASSES), "must have pixels"),
        ((np.zeros((6, 2, 5, 4)), CLASSES), r"^data: must have images \(samples, height, width\) or .* \(6, 2, 5, 4\)"),
        ((np.full((6, 2), np.nan), CLASSES), r"^data: must have inputs without NaN and Inf\.$"),
        ((GREY, np.full(6, np.inf)), r"^data: must have targets without NaN and Inf\.$"),
        ((GREY, CLASSES[:, None]), r"^data: must have targets that are classes \(samples,\)"),
        (([GREY[0], GREY[0, 1:]], [0, 1]), r"^data: must have inputs of one shape"),
        (([], []), r"^data: must have as many targets as inputs|^data: must have inputs"),
        (Pairs([1, 2]), r"^data: must be a data set of pairs of input and target, and Pairs is not\.$"),
        (3, r"^data: must be the name of a data set, a pair .* not int\.$"),
        (GREY, r"^data: must be the name of a data set, a pair .* not ndarray\.$"),
        ({"test": (GREY, CLASSES)}, r"^data: must have the splits train and"),
        ({"train": (GREY, CLASSES), "tset": (GREY, CLASSES)}, r"^data: must have the splits train and"),
        (
            {"train": (GREY, CLASSES), "test": (GREY, CLASSES + 1)},
            "must have the classes of train in test, and 3 is new",
        ),
        ({"train": (GREY, CLASSES), "val": (GREY[:, 1:], CLASSES)}, "must have samples of one shape in all splits"),
    ],
)
def test_what_does_not_fit_is_refused(data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        as_arrays(data)


def test_equal_samples_have_one_store_that_another_source_opens(tmp_path: Path) -> None:
    data = GREY.repeat(4, 0), CLASSES.repeat(4)
    kept = ArraySource.keep(data, str(tmp_path))
    assert ArraySource.keep((data[0] / 255, list(data[1])), str(tmp_path)).checksum == kept.checksum
    assert ArraySource.keep((data[0], data[1] + 1), str(tmp_path)).checksum != kept.checksum
    assert len(list((tmp_path / ".firstlight").iterdir())) == 2
    _, splits = ArraySource(str(tmp_path), checksum=kept.checksum).splits(1)
    assert {name: len(split) for name, split in splits.items()} == {"train": 18, "val": 2, "test": 4}
    assert splits["test"].own_targets.tolist().count(0) == 2
