from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from firstlight.augment import Augment, Flip
from firstlight.data import Split
from firstlight.data.images.overlay import colour_of
from firstlight.networks import Linear, UNet
from firstlight.spec import IGNORED, DataSpec
from firstlight.tasks import Batch, Segmentation
from helpers.small import metrics_of, train_on

SPEC = DataSpec((1, 16, 12), 3, ("background", "dark", "warning"), (0.4,), (0.3,), target_type="masks")


class ByBrightness(nn.Module):
    """Class 2 for pixels above the mean of the data, class 0 below."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.cat([-inputs[:, :1], torch.full_like(inputs[:, :1], -9.0), inputs[:, :1]], 1)


def task_of(network: nn.Module | None = None, augment: Augment | None = None, **options: Any) -> Segmentation:
    torch.manual_seed(0)
    network = network or UNet(SPEC, depth=2, base_channels=8)
    return Segmentation(SPEC, network, augment or Augment(SPEC), **options)


def rectangles(number: int) -> Batch:
    """Return dark and light rectangles on a grey ground, and their masks with an ignored first row."""
    random = torch.Generator().manual_seed(0)
    raw = torch.full((number, 1, 16, 12), 80, dtype=torch.uint8)
    masks = torch.zeros(number, 16, 12, dtype=torch.uint8)
    for image, mask in zip(raw[:, 0], masks, strict=True):
        for kind, grey in ((1, 0), (2, 230)):
            top, left = (int(place) for place in torch.randint(0, 8, (2,), generator=random))
            image[top : top + 5, left : left + 4], mask[top : top + 5, left : left + 4] = grey, kind
    masks[:, 0] = IGNORED
    return raw, masks


def test_it_learns_masks_and_metrics_follow_from_its_predictions() -> None:
    task, batch = task_of(loss="cross_entropy+dice"), rectangles(8)
    train_on(task, batch, steps=60, lr=1e-2)
    found = metrics_of(task, *zip(batch[0].split([5, 3]), batch[1].split([5, 3]), strict=True))
    assert set(found) == set(task.metric_names)
    assert found["mean_iou"] > 0.9
    known = batch[1] != IGNORED
    predicted = task.logits(batch[0]).argmax(1)
    assert found["accuracy"] == pytest.approx(float((predicted == batch[1])[known].float().mean()))


def test_masks_move_with_their_images_in_training_and_are_resized_with_them() -> None:
    raw, masks = rectangles(4)
    task = task_of(ByBrightness(), Augment(SPEC, size=48, flip=Flip(p=1.0)))
    inputs, moved = task.train().prepared((raw, masks))
    assert moved.shape == (4, 48, 48)
    expected = F.interpolate(masks.flip(2)[:, None].float(), (48, 48), mode="nearest-exact")[:, 0]
    assert torch.equal(moved, expected.to(torch.uint8))
    assert task.output_shape() == (3, 48, 48)
    bright = moved[:, 6:] == 2
    assert (task.network(inputs).argmax(1)[:, 6:][bright] == 2).float().mean() > 0.9


def test_class_weights_count_in_training_alone() -> None:
    batch, weighted, plain = rectangles(4), task_of(class_weights=[1.0, 5.0, 2.0]), task_of()
    assert metrics_of(weighted, batch)["loss"] == metrics_of(plain, batch)["loss"]
    losses = [float(task.train().batch_loss(batch, task.new_meter()).detach()) for task in (weighted, plain)]
    assert losses[0] != losses[1]


def test_balance_weights_classes_by_their_pixels() -> None:
    raw, masks = rectangles(4)
    masks[masks == 1] = 0
    task = task_of(balance="weights")
    split = Split(raw, masks)
    assert task.adapt_to(split.part(torch.tensor([0, 2])), split) == [
        "classes without a pixel in the 2 training masks: dark"
    ]
    counts = [int((masks[[0, 2]] == number).sum()) for number in range(3)]
    assert task.class_weights is not None
    assert task.class_weights.tolist() == pytest.approx([sum(counts) / (3 * max(1, count)) for count in counts])


def test_the_rows_of_predictions_hold_the_fraction_of_each_class() -> None:
    raw, _ = rectangles(3)
    task = task_of(ByBrightness()).eval()
    rows = task.predict_rows(raw)
    bright = (raw[:, 0] / 255 > 0.4).flatten(1).float().mean(1)
    assert [list(row) for row in rows] == [["background", "dark", "class warning"]] * 3
    assert [row["class warning"] for row in rows] == pytest.approx(bright.tolist(), abs=1e-6)
    assert rows[0]["dark"] == 0
    part = f"{rows[0]['class warning']:.1%}"
    assert task.cells(rows[0]) == (f"background {rows[0]['background']:.1%} class warning {part}",)
    assert [name for name, _ in task.details(rows[0])] == ["background", "class warning"]
    answers = task.answers(raw)
    assert list(answers) == ["logits", "classes"]
    assert torch.equal(answers["classes"] == 2, raw[:, 0] / 255 > 0.4)


def test_figures_show_images_beside_true_and_predicted_masks() -> None:
    raw, masks = rectangles(2)
    (shown,) = task_of(ByBrightness()).eval().figures(raw, masks, is_final=False).values()
    assert isinstance(shown, torch.Tensor)
    assert shown.shape == (2, 3, 16, 36)
    image, true, predicted = shown[0].split(12, 2)
    torch.testing.assert_close(image, (raw[0] / 255).expand(3, -1, -1), atol=1e-5, rtol=0)
    dark = masks[0] == 1
    colour = torch.tensor(colour_of(1)) / 255
    torch.testing.assert_close(true[:, dark], 0.55 * colour[:, None].expand(-1, int(dark.sum())), atol=1e-5, rtol=0)
    kept = raw[0, 0] < 100  # class 0 keeps the image
    torch.testing.assert_close(predicted[:, kept], image[:, kept])
    pairs = task_of(ByBrightness()).eval().example_output(raw)
    torch.testing.assert_close(torch.cat([pairs[0], pairs[1]], 2), torch.cat([image, predicted], 2))


def test_metrics_of_torchmetrics_can_be_added() -> None:
    task, batch = task_of(), rectangles(4)
    task.add_metrics({"jaccard": {"_target_": "torchmetrics.JaccardIndex"}})
    found = metrics_of(task, batch)
    assert found["jaccard"] == pytest.approx(found["mean_iou"], abs=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": Linear}, "task=segmentation: must have a network that returns classes of pixels.*Linear does not"),
        ({"loss": "mse"}, "loss=mse: unknown loss"),
        ({"gamma": -1.0}, "gamma=-1.0: must be at least 0"),
        ({"class_weights": [1.0, 2.0]}, r"class_weights=\[1.0, 2.0\]: must be one number above 0 for each of backgr"),
        ({"class_weights": [1.0] * 3, "balance": "weights"}, "balance=weights: must be null if class_weights"),
        ({"balance": "sampler"}, "balance=sampler: unknown way to balance classes"),
    ],
)
def test_wrong_options_raise_errors_that_name_them(options: dict[str, Any], message: str) -> None:
    network = options.pop("network", ByBrightness)
    with pytest.raises(ValueError, match=message):
        task_of(network(SPEC) if network is Linear else network(), **options)
