from typing import Any

import pytest
import torch
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score, MulticlassJaccardIndex

from firstlight.spec import IGNORED
from firstlight.tasks.segmentation.meter import PixelMeter, class_rows, confusions

TRUE = torch.tensor([[[0, 0, 1], [1, 1, IGNORED]], [[0, 0, 0], [0, 2, 2]]])
PREDICTED = torch.tensor([[[0, 1, 1], [1, 0, 2]], [[0, 0, 0], [0, 2, 0]]])


def as_logits(classes: torch.Tensor, number: int) -> torch.Tensor:
    return F.one_hot(classes, number).movedim(3, 1).float()


def test_metrics_are_those_computed_by_hand() -> None:
    meter = PixelMeter(4, torch.device("cpu"))  # class 3 does not occur
    for image in range(2):
        part = slice(image, image + 1)
        meter.update(as_logits(PREDICTED[part], 4), TRUE[part], torch.tensor(0.5 + image))
    iou = [5 / 8, 2 / 4, 1 / 2]
    dice = [10 / 13, 4 / 6, 2 / 3]
    assert meter.compute() == pytest.approx(
        {"loss": 1.0, "accuracy": 8 / 11, "mean_iou": sum(iou) / 3, "dice": sum(dice) / 3}
    )
    rows = class_rows(meter.counts)
    assert [row["iou"] for row in rows] == pytest.approx([*iou, 0.0], abs=1e-6)
    assert [row["dice"] for row in rows] == pytest.approx([*dice, 0.0], abs=1e-6)
    assert [row["pixels"] for row in rows] == [6, 3, 2, 0]
    assert [row["recall"] for row in rows] == pytest.approx([5 / 6, 2 / 3, 1 / 2, 0.0], abs=1e-6)


def test_metrics_are_those_of_torchmetrics() -> None:
    random = torch.Generator().manual_seed(0)
    logits, masks = torch.randn(3, 5, 9, 7, generator=random), torch.randint(0, 4, (3, 9, 7), generator=random)
    masks[torch.rand(masks.shape, generator=random) < 0.2] = IGNORED
    logits[:, 4] = -9.0  # a class that does not occur
    meter = PixelMeter(5, torch.device("cpu"))
    meter.update(logits, masks, torch.tensor(1.0))
    options: Any = {"num_classes": 5, "ignore_index": IGNORED}
    assert meter.compute() == pytest.approx(
        {
            "loss": 1.0,
            "accuracy": float(MulticlassAccuracy(**options, average="micro")(logits, masks)),
            "mean_iou": float(MulticlassJaccardIndex(**options)(logits, masks)),
            "dice": float(MulticlassF1Score(**options)(logits, masks)),
        }
    )


def test_each_image_has_its_own_confusion_matrix() -> None:
    found = confusions(as_logits(PREDICTED, 3), TRUE)
    assert found.tolist() == [[[1, 1, 0], [1, 2, 0], [0, 0, 0]], [[4, 0, 0], [0, 0, 0], [1, 0, 1]]]


def test_a_split_without_pixels_has_no_metrics_that_mislead() -> None:
    meter = PixelMeter(3, torch.device("cpu"))
    meter.update(torch.zeros(0, 3, 2, 2), torch.zeros(0, 2, 2, dtype=torch.int64), torch.tensor(float("nan")))
    meter.update(torch.zeros(1, 3, 2, 2), torch.full((1, 2, 2), IGNORED), torch.tensor(0.0))
    assert meter.compute() == {"loss": 0.0, "accuracy": 0.0, "mean_iou": 0.0, "dice": 0.0}
