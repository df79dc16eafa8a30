import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from firstlight.augment import Augment, Hue
from firstlight.augment.hue import grey_rotation, turn_hues
from firstlight.augment.preprocess import ImagePreprocess
from firstlight.spec import DataSpec
from helpers.samples import assert_uniform, grey_levels, noisy_images, smooth_images

pytestmark = pytest.mark.usefixtures("the_same_draws")


def turned(images: Tensor, *turns: float) -> Tensor:
    pixels = images.float()
    turn_hues(pixels, torch.tensor(turns).expand(len(pixels)))
    return pixels


@pytest.mark.parametrize("turn", [-0.5, -0.21, -0.05, 0.0, 0.1, 1 / 3, 0.5])
@pytest.mark.parametrize("make", [smooth_images, noisy_images])
def test_hues_turn_as_in_torchvision(make: type[Tensor], turn: float) -> None:
    image = make(2, 3, 20, 30)
    assert grey_levels(turned(image, turn), reference.adjust_hue(image, turn)) < 1
    assert grey_levels(turned(image, turn), reference.adjust_hue(image / 255, turn) * 255) < 0.05


def test_a_third_of_a_turn_changes_red_to_green_and_green_to_blue() -> None:
    colours = torch.tensor([[200, 0, 0], [0, 200, 0], [0, 0, 200]])[:, :, None, None]
    torch.testing.assert_close(turned(colours, 1 / 3), colours.roll(-1, 0).float(), atol=1e-3, rtol=0)
    torch.testing.assert_close(turned(colours, -1 / 3), colours.roll(1, 0).float(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("turn", [0.0, 1.0, -1.0])
def test_whole_turns_change_nothing(turn: float) -> None:
    image = noisy_images(2, 3, 20, 30)
    torch.testing.assert_close(turned(image, turn), image.float(), atol=1e-2, rtol=0)


def test_brightness_and_saturation_stay_equal() -> None:
    image = noisy_images(2, 3, 20, 30)
    for kept in (torch.amax, torch.amin):
        torch.testing.assert_close(kept(turned(image, 0.17), 1), kept(image.float(), 1), atol=1e-3, rtol=0)


def test_greys_do_not_change() -> None:
    greys = torch.arange(256.0).reshape(1, 1, 16, 16).expand(1, 3, 16, 16)
    assert torch.equal(turned(greys.clone(), 0.3), greys)


def test_every_sample_has_its_own_turn() -> None:
    image = smooth_images(2, 3, 20, 30)
    both = turned(image, 0.1, -0.2)
    assert torch.equal(both, torch.cat([turned(image[:1], 0.1), turned(image[1:], -0.2)]))


def test_turns_are_uniform_for_a_fraction_p_of_the_samples() -> None:
    cpu = torch.device("cpu")
    assert_uniform(Hue(turns=0.2).draw(20_000, cpu), -0.2, 0.2)
    turns = Hue(turns=0.2, p=0.3).draw(20_000, cpu)
    assert (turns != 0).float().mean().item() == pytest.approx(0.3, abs=0.015)
    assert_uniform(turns[turns != 0], -0.2, 0.2)


@pytest.mark.parametrize("turns", [-0.1, 0.6])
def test_a_turn_outside_its_range_raises_an_error(turns: float) -> None:
    with pytest.raises(ValueError, match=rf"turns={turns}: must be at least 0 and at most 0\.5"):
        Hue(turns=turns)


def test_a_rotation_around_the_grey_axis_keeps_greys_and_equals_the_exact_turn_at_thirds() -> None:
    greys, colours = torch.rand(2, 1, 4, 4).expand(-1, 3, -1, -1), torch.rand(2, 3, 4, 4)
    for turns in (-1 / 3, 1 / 3, 0.07):
        matrices = grey_rotation(torch.full((2,), turns))
        torch.testing.assert_close(torch.einsum("bij,bjhw->bihw", matrices, greys), greys)
        if turns != 0.07:
            turned = colours.clone()
            turn_hues(turned, torch.full((2,), turns))
            torch.testing.assert_close(torch.einsum("bij,bjhw->bihw", matrices, colours), turned)


def test_an_inexact_hue_is_a_colour_transform_similar_to_the_exact_one() -> None:
    spec = DataSpec((3, 8, 8), 2, ("a", "b"), (0.5,) * 3, (0.25,) * 3)
    raw = (100 + 40 * torch.rand(64, 3, 8, 8)).to(torch.uint8)  # colours of low saturation
    pipelines = [Augment(spec, hue=Hue(turns=0.1, exact=exact)) for exact in (True, False)]
    assert [len(pipeline.colour) for pipeline in pipelines] == [0, 1]
    found = []
    for pipeline in pipelines:
        torch.default_generator.manual_seed(1)
        assert isinstance(pipeline.preprocess, ImagePreprocess)
        found.append(pipeline.preprocess.to_pixels(pipeline(raw, torch.zeros(64, dtype=torch.int64))[0]) * 255)
    assert 0.1 < (found[0] - found[1]).abs().mean() < 4
    assert (found[1] - raw).abs().mean() > 2
