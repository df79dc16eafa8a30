import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from firstlight.config import RunConfig
from firstlight.networks import CNN, FCOS
from firstlight.spec import NO_OBJECT
from firstlight.tasks import Detection
from firstlight.tasks.build import build_task
from helpers.scenes import BOXES, SIDE, scenes
from helpers.small import augment, fit, metrics_of, train_on


class Places(nn.Module):
    """Returns outputs that stand for given objects, with one place at the centre of each."""

    def __init__(self, objects: list[tuple[float, ...]]) -> None:
        super().__init__()
        edges = torch.tensor([each[:4] for each in objects])
        self.points = (edges[:, :2] + edges[:, 2:]) / 2
        self.strides, self.reach = torch.full((len(edges),), 8.0), torch.tensor([[0.0, math.inf]]).expand(len(edges), 2)
        self.outputs = torch.full((len(edges), 7), -20.0)
        for row, (*_, number, probability) in zip(self.outputs, objects, strict=True):
            row[int(number)] = torch.logit(torch.tensor(probability**2))  # the centre-ness is 1
        self.outputs[:, 2:6] = torch.cat([self.points - edges[:, :2], edges[:, 2:] - self.points], 1)
        self.outputs[:, 6] = 20
        self.nothing = nn.Parameter(torch.zeros(()))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.outputs.expand(len(inputs), -1, -1) + self.nothing


def detection(*objects: tuple[float, ...], **options: Any) -> Detection:
    return Detection(BOXES, Places(list(objects)), augment(BOXES), **options).eval()


GREY, NEAR, WHITE, FAINT, NOTHING = (
    (2.0, 2, 12, 12, 0, 0.9),
    (3.0, 2, 13, 12, 0, 0.8),  # IoU 9/11 with the first
    (2.0, 2, 12, 12, 1, 0.7),
    (20.0, 20, 30, 26, 1, 0.3),
    (20.0, 2, 30, 8, 1, 0.01),
)


def test_of_objects_of_one_class_that_overlap_the_most_probable_is_kept() -> None:
    task = detection(FAINT, WHITE, NEAR, GREY, NOTHING)
    (found,) = task.objects(task.network(torch.zeros(1, 1, SIDE, SIDE)))
    torch.testing.assert_close(found, torch.tensor([GREY, WHITE, FAINT]), atol=1e-3, rtol=0)
    task = detection(GREY, NEAR, max_overlap=0.9, min_probability=0.85)
    assert len(task.objects(task.network(torch.zeros(1, 1, SIDE, SIDE)))[0]) == 1
    assert len(detection(GREY, NEAR, max_overlap=0.9).predict_rows(torch.zeros(1, 1, SIDE, SIDE))[0]["boxes"]) == 2


def test_predictions_list_objects_from_the_threshold_on() -> None:
    raw = torch.zeros(2, 1, SIDE, SIDE, dtype=torch.uint8)
    task = detection(GREY, WHITE, FAINT)
    (row, _) = task.predict_rows(raw)
    first = {"label": "grey", "probability": 0.9, "left": 2.0, "top": 2.0, "right": 12.0, "bottom": 12.0}
    assert row["objects"] == 2
    assert row["boxes"][0] == pytest.approx(first, abs=1e-4)
    assert task.cells(row) == ("grey, white",)
    assert task.details(row)[1][:2] == ("grey", "90.00%")
    task.use_threshold(0.2)
    assert task.predict_rows(raw)[0]["objects"] == 3
    task.use_threshold(0.95)
    (row, _) = task.predict_rows(raw)
    assert (row, task.cells(row), task.details(row)) == ({"objects": 0, "boxes": []}, ("no object",), [("no object",)])
    assert str(row["boxes"]) == "[]"


def test_perfect_boxes_have_the_precision_1_and_images_without_objects_count() -> None:
    objects = torch.tensor([[GREY[:5], FAINT[:5]], [[0, 0, 0, 0, NO_OBJECT], GREY[:5]]])
    raw = torch.zeros(2, 1, SIDE, SIDE, dtype=torch.uint8)
    found = metrics_of(detection((*GREY[:5], 0.9), (*FAINT[:5], 0.9)), (raw, objects))
    assert found["box_loss"] == pytest.approx(0, abs=1e-4)
    # Of the two white boxes that are found, one is right, and both are as probable; the grey ones are right.
    assert 0.7 < found["map"] <= 1
    assert found["map50"] == found["map"]
    alone = metrics_of(detection((*GREY[:5], 0.9)), (raw[:1], objects[1:]))
    assert alone["map"] == alone["map50"] == 1
    task = detection(GREY)
    assert set(alone) == {metric.name for metric in task.metrics_of("test")}
    empty = torch.tensor([0.0, 0, 0, 0, NO_OBJECT]).expand(2, 1, 5)
    assert math.isnan(metrics_of(task, (raw, empty))["map"])
    assert math.isfinite(metrics_of(task, (raw, empty))["loss"])


def test_it_overfits_a_batch() -> None:
    torch.manual_seed(0)
    network = FCOS(BOXES, depth=2, base_channels=8, channels=16, stride=4, num_levels=1)
    task, (raw, targets) = Detection(BOXES, network, augment(BOXES)), scenes(8, (0, 2))
    train_on(task, (raw, targets), steps=100, lr=0.01)
    assert metrics_of(task, (raw, targets))["map50"] > 0.95
    found = task.figures(raw, targets, is_final=False)
    assert found.keys() == {"boxes", "true_boxes"}
    assert all(isinstance(images, Tensor) and images.shape == (8, 3, 8 * SIDE, 8 * SIDE) for images in found.values())


def test_a_run_trains_with_augmentation() -> None:
    words = "model=fcos", "monitor=val/map50", "augment=light", "augment.padding=zero", "model.channels=16"
    module, _ = fit(BOXES, scenes(8, (0, 3)), *words, batch_size=4)
    assert {"train/centre_loss", "val/map", "val/map50"} <= set(module.metrics)
    assert "train/map" not in module.metrics


def test_errors() -> None:
    with pytest.raises(
        ValueError, match="task=detection: must have a network that detects objects, such as model=fcos"
    ):
        Detection(BOXES, CNN(BOXES), augment(BOXES))
    with pytest.raises(ValueError, match="task=localisation: must be detection, which trains FCOS"):
        build_task(RunConfig.from_overrides("model=fcos", "task=localisation"), BOXES)
    with pytest.raises(ValueError, match=r"^max_overlap=0: must be above 0 and at most 1"):
        detection(GREY, max_overlap=0)
    with pytest.raises(ValueError, match="task=detection: must be a task that exports"):
        detection(GREY).answers(torch.zeros(1, 1, SIDE, SIDE, dtype=torch.uint8))
