import pytest
import torch
from samples import assert_uniform, grey_levels, noisy_pictures, smooth_pictures
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from firstlight.augment import Hue
from firstlight.augment.hue import turn_hues

pytestmark = pytest.mark.usefixtures("the_same_draws")


def turned(pictures: Tensor, *turns: float) -> Tensor:
    pixels = pictures.float()
    turn_hues(pixels, torch.tensor(turns).expand(len(pixels)))
    return pixels


@pytest.mark.parametrize("turn", [-0.5, -0.21, -0.05, 0.0, 0.1, 1 / 3, 0.5])
@pytest.mark.parametrize("make", [smooth_pictures, noisy_pictures])
def test_hues_turn_as_in_torchvision(make: type[Tensor], turn: float) -> None:
    picture = make(2, 3, 20, 30)
    assert grey_levels(turned(picture, turn), reference.adjust_hue(picture, turn)) < 1
    assert grey_levels(turned(picture, turn), reference.adjust_hue(picture / 255, turn) * 255) < 0.05


def test_a_third_of_the_wheel_takes_red_to_green_to_blue() -> None:
    colours = torch.tensor([[200, 0, 0], [0, 200, 0], [0, 0, 200]])[:, :, None, None]
    torch.testing.assert_close(turned(colours, 1 / 3), colours.roll(-1, 0).float(), atol=1e-3, rtol=0)
    torch.testing.assert_close(turned(colours, -1 / 3), colours.roll(1, 0).float(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("turn", [0.0, 1.0, -1.0])
def test_whole_turns_change_nothing(turn: float) -> None:
    picture = noisy_pictures(2, 3, 20, 30)
    torch.testing.assert_close(turned(picture, turn), picture.float(), atol=1e-2, rtol=0)


def test_light_and_saturation_stay() -> None:
    picture = noisy_pictures(2, 3, 20, 30)
    for kept in (torch.amax, torch.amin):
        torch.testing.assert_close(kept(turned(picture, 0.17), 1), kept(picture.float(), 1), atol=1e-3, rtol=0)


def test_what_is_grey_stays_so() -> None:
    greys = torch.arange(256.0).reshape(1, 1, 16, 16).expand(1, 3, 16, 16)
    assert torch.equal(turned(greys.clone(), 0.3), greys)


def test_every_sample_turns_by_its_own_share() -> None:
    picture = smooth_pictures(2, 3, 20, 30)
    both = turned(picture, 0.1, -0.2)
    assert torch.equal(both, torch.cat([turned(picture[:1], 0.1), turned(picture[1:], -0.2)]))


def test_turns_are_uniform_for_a_share_p_of_the_samples() -> None:
    cpu = torch.device("cpu")
    assert_uniform(Hue(turns=0.2).draw(20_000, cpu), -0.2, 0.2)
    turns = Hue(turns=0.2, p=0.3).draw(20_000, cpu)
    assert (turns != 0).float().mean().item() == pytest.approx(0.3, abs=0.015)
    assert_uniform(turns[turns != 0], -0.2, 0.2)


@pytest.mark.parametrize("turns", [-0.1, 0.6])
def test_more_than_half_a_turn_is_refused(turns: float) -> None:
    with pytest.raises(ValueError, match=rf"turns={turns}: from 0 to 0\.5"):
        Hue(turns=turns)
