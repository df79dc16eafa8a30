import dataclasses

import pytest
import torch
from torch import Tensor, nn

from firstlight.augment import Augment
from firstlight.config import RunConfig
from firstlight.runs.explain.attributions import Attributions, explain_images
from firstlight.runs.explain.features import find_features
from firstlight.spec import DataSpec
from firstlight.tasks import Classification, Regression, Task
from firstlight.tasks.build import build_task
from helpers.small import IMAGES, augment, images, train_on

PLAIN = DataSpec((1, 4, 4), 2, ("a", "b"), (0.0,), (1.0,))  # the network's inputs are the pixels from 0 to 1


class TwoChannels(nn.Module):
    """The channels x and 2(1 - x), whose means are weighted by (3, 1) for class a and by (-1, -1) for class b."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(1, 2, 1)
        self.output = nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            self.features.weight.copy_(torch.tensor([1.0, -2.0]).view(2, 1, 1, 1))
            self.features.bias.copy_(torch.tensor([0.0, 2.0]))  # type: ignore[union-attr]
            self.output.weight.copy_(torch.tensor([[3.0, 1.0], [-1.0, -1.0]]))

    def forward(self, images: Tensor) -> Tensor:
        return self.output(self.features(images).mean((2, 3)))


def corner_image() -> Tensor:
    """Return a black image with a white square in the upper left corner, raw."""
    raw = torch.zeros(1, 1, 4, 4, dtype=torch.uint8)
    raw[..., :2, :2] = 255
    return raw


def test_grad_cam_is_the_weighted_sum_of_the_channels_computed_by_hand() -> None:
    task = Classification(PLAIN, TwoChannels(), augment(PLAIN)).eval()
    for parameter in task.parameters():
        parameter.requires_grad = False  # as a frozen backbone
    found = explain_images(task, corner_image().expand(2, -1, -1, -1), [0, 1])
    white = corner_image()[0, 0] > 0
    # Class a: 3 * 1 + 1 * 0 where the image is white, 3 * 0 + 1 * 2 where it is black. Class b: nothing is positive.
    assert found.grad_cam is not None
    assert found.grad_cam[0] == pytest.approx(torch.where(white, 1.0, 2 / 3), abs=1e-6)
    assert found.grad_cam[1].eq(0).all()
    assert found.layer == "features"
    # Of a linear network, a pixel adds its value times its weight: (3 - 2) / 16 to class a.
    assert found.integrated is not None
    assert found.integrated[0] == pytest.approx(white / 16, abs=1e-6)
    assert found.integrated[1] == pytest.approx(white / 16, abs=1e-6)  # (-1 + 2) / 16
    assert torch.equal(found.images[0, 0], white.float())
    assert all(parameter.grad is None for parameter in task.parameters())


@pytest.mark.parametrize(("model", "layer"), [("cnn", "features"), ("mlp", None), ("gru", None), ("vgg11", "features")])
def test_integrated_gradients_add_up_to_the_difference_of_the_logits(model: str, layer: str | None) -> None:
    torch.manual_seed(0)
    task = build_task(RunConfig.from_overrides(f"model={model}"), IMAGES).eval()
    raw, classes = images(3)
    found = explain_images(task, raw, classes.tolist())
    with torch.no_grad():
        logits = task.network(task.preprocess(torch.cat([raw, torch.zeros_like(raw[:1])])))
    expected = (logits[:3] - logits[3])[torch.arange(3), classes]
    assert found.integrated is not None
    assert found.differences == pytest.approx(expected, abs=1e-6)
    assert found.integrated.sum((1, 2)) == pytest.approx(expected, abs=0.02 + 0.02 * expected.abs().max().item())
    assert (found.layer or "").startswith(layer or "")
    assert (found.grad_cam is None) == (layer is None)


def test_the_likeliest_class_is_explained_and_a_light_ground_is_empty() -> None:
    spec = dataclasses.replace(PLAIN, ground="light")
    found = explain_images(Classification(spec, TwoChannels(), augment(spec)).eval(), 255 - corner_image())
    # The logits are 3 * 0.75 + 2 * 0.25 and -0.75 - 0.5. Only black pixels differ from the ground.
    assert found.chosen.tolist() == [0]
    assert found.integrated is not None
    assert found.integrated[0] == pytest.approx((corner_image()[0, 0] > 0) * -1 / 16, abs=1e-6)


def test_a_single_logit_speaks_for_the_second_class_and_against_the_first() -> None:
    network = TwoChannels()
    network.output = nn.Linear(2, 1, bias=False)
    task = Classification(PLAIN, network, augment(PLAIN), binary=True).eval()
    found = explain_images(task, corner_image().expand(2, -1, -1, -1), [0, 1])
    assert found.integrated is not None
    assert torch.equal(found.integrated[0], -found.integrated[1])
    assert found.integrated[0].abs().sum() > 0


def test_a_target_of_a_regression_is_explained_in_its_units() -> None:
    spec = dataclasses.replace(PLAIN, target_mean=(5.0, 1.0), target_std=(2.0, 10.0))
    found = explain_images(Regression(spec, TwoChannels(), augment(spec)).eval(), corner_image(), [1])
    assert found.differences == pytest.approx(torch.tensor([10 * 4 / 16]), abs=1e-5)
    assert found.integrated is not None
    assert found.integrated.sum().item() == pytest.approx(2.5, abs=1e-5)


def cue_samples(number: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return noise; a bright square in the lower left corner makes it class b."""
    random = torch.Generator().manual_seed(seed)
    raw = torch.randint(0, 120, (number, 1, 16, 16), generator=random, dtype=torch.uint8)
    classes = torch.randint(0, 2, (number,), generator=random)
    raw[:, :, -4:, :4] += (classes * 130).to(torch.uint8)[:, None, None, None]
    return raw, classes


def fraction_in_corner(values: Tensor) -> float:
    return float(values[:, -6:, :6].abs().sum() / values.abs().sum())


def test_the_cue_that_decides_the_class_is_found(the_same_draws: None) -> None:
    spec = DataSpec((1, 16, 16), 2, ("without", "with"), (0.25,), (0.15,))
    layers = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
    task = Classification(spec, network, augment(spec))
    assert train_on(task, cue_samples(64, 0), 100, 0.02) < 0.05
    raw, classes = cue_samples(40, 1)
    found = explain_images(task.eval(), raw[classes == 1])
    assert found.chosen.eq(1).all()
    assert found.grad_cam is not None
    assert found.integrated is not None
    assert found.grad_cam.amax((1, 2)) == pytest.approx(torch.ones(len(found.images)))
    assert fraction_in_corner(found.grad_cam) > 0.7  # of 36 / 256 of the area
    assert fraction_in_corner(found.integrated) > 0.7


class Reused(nn.Module):
    """Calls one activation after the convolution and after the linear layer; a layer that is not called is skipped."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 3, 3, padding=1)
        self.activation = nn.ReLU(inplace=True)
        self.unused = nn.Conv2d(1, 1, 1)
        self.pooling = nn.AdaptiveAvgPool2d(1)
        self.output = nn.Linear(3, 2)

    def forward(self, images: Tensor) -> Tensor:
        features = self.pooling(self.activation(self.convolution(images)))
        return self.activation(self.output(features.flatten(1)))


def test_the_last_layer_with_places_is_explained() -> None:
    task = Classification(PLAIN, Reused(), augment(PLAIN)).eval()
    found = find_features(task.network, task.preprocess(corner_image()))
    assert [(each.name, tuple(each.values.shape)) for each in found] == [("convolution", (1, 3, 4, 4))]
    assert explain_images(task, corner_image(), integrated=False).layer == "convolution"
    assert not task.network.convolution._forward_hooks


def test_images_without_integrated_gradients_are_as_large_as_the_network_sees() -> None:
    task = build_task(RunConfig.from_overrides("model=lenet"), IMAGES).eval()
    found = explain_images(task, images(2)[0], integrated=False)
    assert isinstance(found, Attributions)
    assert found.grad_cam is not None
    assert found.grad_cam.shape == (2, 32, 32) == found.images[:, 0].shape
    assert found.integrated is found.differences is None


def test_other_tasks_are_refused() -> None:
    task: Task = build_task(RunConfig.from_overrides("model=autoencoder"), IMAGES)
    with pytest.raises(ValueError, match=r"^task=reconstruction: must be classification or regression"):
        explain_images(task, images(1)[0])
    assert isinstance(task.augment, Augment)
