import contextlib
import io
import math
from typing import Any

import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor

from firstlight.spec import NO_OBJECT
from firstlight.tasks.objects.average_precision import mean_average_precision
from helpers.scenes import scenes

NONE = torch.zeros(0, 6)


def as_found(boxes: Tensor) -> Tensor:
    """Return true boxes as if they were found with certainty."""
    rows = boxes[boxes[:, 4] != NO_OBJECT]
    return torch.cat([rows, torch.ones(len(rows), 1)], 1)


def noisy(seed: int) -> tuple[list[Tensor], list[Tensor]]:
    """Return boxes that are found near true ones or elsewhere, and the true ones, of which an image may have none."""
    random = torch.Generator().manual_seed(seed)
    true = list(scenes(12, (0, 3), seed, side=64)[1])
    found = []
    for boxes in true:
        rows = as_found(boxes).repeat(2, 1)
        rows[:, :4] += 4 * torch.randn(len(rows), 4, generator=random)
        rows[:, 2:4] = torch.maximum(rows[:, 2:4], rows[:, :2] + 1)
        rows[:, 4] = torch.where(torch.rand(len(rows), generator=random) < 0.2, 1 - rows[:, 4], rows[:, 4])
        rows[:, 5] = torch.rand(len(rows), generator=random)
        found.append(rows)
    return found, true


def of_pycocotools(found: list[Tensor], true: list[Tensor]) -> dict[str, float]:
    """Return what pycocotools computes from a file of its own format."""

    def box(row: Tensor) -> dict[str, Any]:
        left, top, right, bottom = row[:4].double().tolist()
        return {"bbox": [left, top, right - left, bottom - top], "category_id": int(row[4]) + 1}

    coco = COCO()
    rows = [(image, row) for image, boxes in enumerate(true, 1) for row in boxes if row[4] != NO_OBJECT]
    annotations = [
        {"id": number, "image_id": image, "iscrowd": 0, "area": 1, **box(row)}
        for number, (image, row) in enumerate(rows, 1)
    ]
    coco.dataset = {
        "images": [{"id": image} for image in range(1, len(true) + 1)],
        "categories": [{"id": 1}, {"id": 2}],
        "annotations": annotations,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        results = coco.loadRes(
            [
                {"image_id": image, "score": float(row[5]), **box(row)}
                for image, boxes in enumerate(found, 1)
                for row in boxes
            ]
        )
        evaluation = COCOeval(coco, results, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {"map": evaluation.stats[0], "map50": evaluation.stats[1]}


@pytest.mark.parametrize("seed", range(3))
def test_it_equals_that_of_pycocotools(seed: int) -> None:
    found, true = noisy(seed)
    expected = of_pycocotools(found, true)
    assert mean_average_precision(found, true) == pytest.approx(expected, abs=1e-6)
    assert 0.05 < expected["map"] < expected["map50"] < 0.95


def test_perfect_boxes_have_1_and_missing_ones_half() -> None:
    _, true = scenes(6, (1, 3))
    found = [as_found(boxes) for boxes in true]
    assert mean_average_precision(found, list(true)) == {"map": 1, "map50": 1}
    half = [torch.tensor([[0.0, 0, 9, 9, 0]]), torch.tensor([[0.0, 0, 9, 9, 0]])]
    found = mean_average_precision([as_found(half[0]), NONE], half)  # type: ignore[assignment]
    assert found["map50"] == pytest.approx(0.5, abs=0.01)  # type: ignore[call-overload]


def test_images_without_objects() -> None:
    empty = torch.tensor([[0.0, 0, 0, 0, NO_OBJECT]])
    assert all(map(math.isnan, mean_average_precision([NONE], [empty]).values()))
    _, (boxes,) = scenes(1)
    wrong = as_found(boxes) + torch.tensor([0.0, 0, 0, 0, 0, -0.5])
    found = mean_average_precision([as_found(boxes), wrong], [boxes, empty])
    assert found["map50"] == 1  # the right one is the most probable
    assert mean_average_precision([NONE, NONE], [boxes, empty]) == {"map": 0, "map50": 0}
