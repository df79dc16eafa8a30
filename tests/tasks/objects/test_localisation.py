from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment import Augment
from firstlight.augment.geometry import Shift
from firstlight.config import RunConfig
from firstlight.data import Split
from firstlight.networks import CNN
from firstlight.spec import NO_OBJECT, DataSpec
from firstlight.tasks import Localisation
from firstlight.tasks.build import build_task
from helpers.scenes import BOXES, SIDE, scenes
from helpers.small import IMAGES, augment, fit, metrics_of, train_on


class Fixed(nn.Module):
    """Returns the same outputs, whatever it sees."""

    def __init__(self, outputs: Tensor) -> None:
        super().__init__()
        self.outputs = nn.Parameter(outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.outputs[: len(inputs)]


def perfect(targets: Tensor) -> Tensor:
    """Return outputs that stand for the true classes and boxes."""
    left, top, right, bottom, number = targets[:, 0].unbind(1)
    box = torch.stack([left + right, top + bottom, 2 * (right - left), 2 * (bottom - top)], 1) / (2 * SIDE)
    return torch.cat([20 * F.one_hot(number.long(), 2).float(), torch.logit(box)], 1)


def localisation(outputs: Tensor, spec: DataSpec = BOXES, **options: Any) -> Localisation:
    return Localisation(spec, Fixed(outputs), augment(spec), **options)


@pytest.mark.parametrize("box_loss", ["giou", "smooth_l1"])
def test_perfect_outputs_have_the_metrics_1_and_no_loss(box_loss: str) -> None:
    raw, targets = scenes(6)
    found = metrics_of(localisation(perfect(targets), box_loss=box_loss), (raw, targets))
    expected = {"loss": 0, "class_loss": 0, "box_loss": 0, "iou": 1, "accuracy": 1, "both": 1}
    assert found == pytest.approx(expected, abs=1e-4)


def test_the_metrics_equal_hand_computed_values_and_images_without_an_object_do_not_count() -> None:
    spec = DataSpec((1, 10, 10), 2, ("a", "b"), (0.5,), (0.25,), target_type="boxes")
    empty, wide = [0.0, 0, 0, 0, NO_OBJECT], [0.0, 0, 10, 5, 0]
    targets = torch.tensor([[empty, wide], [[2.5, 2.5, 7.5, 7.5, 1], empty], [empty, empty]])
    outputs = torch.tensor([[1.0, 0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0, 0], [9.0, 0, 0, 0, 0, 0]])  # 2.5 to 7.5
    task = localisation(outputs, spec, box_weight=3)
    found = metrics_of(task, (torch.zeros(3, 1, 10, 10, dtype=torch.uint8), targets))
    overlap = 12.5 / (50 + 25 - 12.5)
    class_loss = (F.softplus(torch.tensor(-1.0)) + F.softplus(torch.tensor(1.0))).item() / 2
    box_loss = (1 - overlap + (75 - 62.5) / 75) / 2
    expected = {"class_loss": class_loss, "box_loss": box_loss, "loss": class_loss + 3 * box_loss}
    expected |= {"iou": (overlap + 1) / 2, "accuracy": 0.5, "both": 0}
    assert found == pytest.approx(expected, abs=1e-4)


def test_a_batch_without_objects_has_the_loss_0_and_gradients() -> None:
    targets = torch.tensor([0.0, 0, 0, 0, NO_OBJECT]).expand(4, 1, 5)
    task = localisation(torch.randn(4, 6)).train()
    loss = task.batch_loss((torch.zeros(4, 1, SIDE, SIDE, dtype=torch.uint8), targets), task.new_meter())
    loss.backward()
    assert loss.item() == 0
    assert not task.network.outputs.grad.any()


def test_an_object_that_augmentation_moves_out_of_sight_does_not_count() -> None:
    raw, targets = scenes(40)
    task = Localisation(
        BOXES, Fixed(torch.zeros(40, 6)), Augment(BOXES, padding="zero", far=Shift(width=0.9, height=0.9))
    ).train()
    torch.manual_seed(0)
    meter = task.new_meter()
    assert task.batch_loss((raw, targets), meter).isfinite()
    assert 0 < meter.totals[0] < 40


def test_it_overfits_a_batch_and_predicts_its_boxes() -> None:
    torch.manual_seed(0)
    spec = Localisation.network_spec(BOXES)
    network = CNN(spec, filters=(8, 16), hidden_sizes=(32,), dropout=0, head_dropout=0)
    task, (raw, targets) = Localisation(BOXES, network, augment(BOXES)), scenes(8)
    train_on(task, (raw, targets), steps=120, lr=0.01)
    assert metrics_of(task, (raw, targets))["both"] == 1
    row = task.predict_rows(raw)[0]
    assert row["label"] == row["boxes"][0]["label"] == BOXES.labels[int(targets[0, 0, 4])]
    edges = [row["boxes"][0][name] for name in ("left", "top", "right", "bottom")]
    assert edges == pytest.approx(targets[0, 0, :4].tolist(), abs=3)
    assert str(row["boxes"]).startswith('[{"label": "')
    assert task.cells(row)[0] == row["label"]
    assert task.details(row)[1][0] == "left"
    for images in task.figures(raw, targets, is_final=True).values():
        assert isinstance(images, Tensor)
        assert images.shape == (8, 3, 8 * SIDE, 8 * SIDE)
        assert (images[0, 0] != images[0, 2]).any()  # the box has a colour, and the images are grey


def test_the_margin_of_stored_images_is_part_of_their_pixels() -> None:
    spec = DataSpec((1, 10, 10), 1, ("a",), (0.5,), (0.25,), margin=3, target_type="boxes")
    task = localisation(torch.zeros(1, 5), spec)
    (box,) = task.eval().predict_rows(torch.zeros(1, 1, 16, 16, dtype=torch.uint8))[0]["boxes"]
    assert [box[name] for name in ("left", "top", "right", "bottom")] == [5.5, 5.5, 10.5, 10.5]


def test_any_classifier_trains() -> None:
    module, _ = fit(BOXES, scenes(8), "model=lenet", "task=localisation", "monitor=val/iou", batch_size=4)
    assert {"train/iou", "val/both"} <= set(module.metrics)
    assert module.task.network(torch.zeros(1, 1, SIDE, SIDE)).shape == (1, 6)


def test_errors() -> None:
    raw, targets = scenes(4, (2, 3))
    task = localisation(torch.zeros(4, 6))
    one = Split(*scenes(4))
    with pytest.raises(ValueError, match=r"must be detection, because sample \d of val has [23] objects"):
        task.adapt_to(one, Split(raw, targets))
    with pytest.raises(ValueError, match="must be detection, because sample"):
        metrics_of(task, (raw, targets))
    none = torch.tensor([0.0, 0, 0, 0, NO_OBJECT]).expand(4, 1, 5)
    with pytest.raises(ValueError, match="must have images with an object, and train has none"):
        task.adapt_to(Split(raw, none), one)
    assert task.adapt_to(one, Split(raw, none)) == ["4 of 4 images in val have no object, and do not count"]
    with pytest.raises(ValueError, match=r"^box_loss=iou: unknown loss of boxes, did you mean 'giou'\?"):
        localisation(torch.zeros(4, 6), box_loss="iou")
    with pytest.raises(ValueError, match="task=localisation: must be classification"):
        build_task(RunConfig.from_overrides("task=localisation"), IMAGES)
    with pytest.raises(ValueError, match="task: must be detection or localisation"):
        build_task(RunConfig.from_overrides("task=auto", "model=linear"), BOXES)
