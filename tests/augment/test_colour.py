import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from firstlight.augment import Brightness, ChannelShift, Contrast, Grey, Hue, Saturation
from firstlight.augment.colour import (
    LUMA,
    Colour,
    apply_transforms,
    identity_transforms,
    scale_brightness,
    scale_contrast,
    scale_saturation,
)
from helpers.samples import assert_uniform, grey_levels, noisy_images, smooth_images

pytestmark = pytest.mark.usefixtures("the_same_draws")

FUNCTIONS = {
    "brightness": (scale_brightness, reference.adjust_brightness),
    "contrast": (scale_contrast, reference.adjust_contrast),
    "saturation": (scale_saturation, reference.adjust_saturation),
}
FACTORS = [0.2, 0.6, 1.0, 1.4, 2.5]


def identity_for(images: Tensor) -> Tensor:
    return identity_transforms(images.float().mean((2, 3)))


def split_parts(transforms: Tensor) -> tuple[Tensor, Tensor]:
    """The matrices and the offsets of transforms."""
    return transforms[:, :, :-2], transforms[:, :, -2]


def transformed(transforms: Tensor, images: Tensor) -> Tensor:
    return apply_transforms(transforms, images.float()).clamp(0, 255)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_colours_change_as_in_torchvision(name: str, factor: float) -> None:
    ours, theirs = FUNCTIONS[name]
    image = smooth_images(1, 3, 20, 30)
    found = transformed(ours(identity_for(image), torch.tensor([factor])), image)
    assert grey_levels(found, theirs(image, factor)) < 1
    assert grey_levels(found, theirs(image / 255, factor) * 255) < 0.05
    assert factor == 1 or grey_levels(found, image) > 5


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("name", ["brightness", "contrast"])
def test_grey_images_change_as_in_torchvision(name: str, factor: float) -> None:
    ours, theirs = FUNCTIONS[name]
    image = smooth_images(1, 1, 20, 30)
    found = transformed(ours(identity_for(image), torch.tensor([factor])), image)
    assert grey_levels(found, theirs(image, factor)) < 1


def test_grey_is_the_same_as_in_torchvision() -> None:
    image = smooth_images(2, 3, 20, 30)
    found = transformed(Grey(p=1).change(identity_for(image)), image)
    assert grey_levels(found, reference.rgb_to_grayscale(image, num_output_channels=3)) < 1


def test_grey_changes_a_fraction_p_of_the_samples() -> None:
    matrices, offsets = split_parts(Grey(p=0.2).change(identity_transforms(torch.zeros(20_000, 3))))
    to_grey = torch.tensor(LUMA).expand(3, 3)
    is_grey = torch.isclose(matrices, to_grey).all(2).all(1)
    assert is_grey.float().mean().item() == pytest.approx(0.2, abs=0.015)
    assert torch.equal(matrices[~is_grey], torch.eye(3).expand(int((~is_grey).sum()), 3, 3))
    assert not offsets.any()


def test_channel_shifts_are_independent_and_uniform_fractions_of_white() -> None:
    matrices, offsets = split_parts(ChannelShift(change=0.1).change(identity_transforms(torch.rand(20_000, 3))))
    assert torch.equal(matrices, torch.eye(3).expand(20_000, 3, 3))
    assert_uniform(offsets, -25.5, 25.5)
    assert (torch.corrcoef(offsets.T) - torch.eye(3)).abs().max() < 0.03


@pytest.mark.parametrize("change", [0.3, 1.0])
@pytest.mark.parametrize("step", [Brightness, Contrast, Saturation])
def test_factors_are_uniform(step: type[Brightness], change: float) -> None:
    matrices, _ = split_parts(step(change=change).change(identity_transforms(torch.full((20_000, 3), 100.0))))
    # This difference is the factor, because mixing in grey changes both entries equally.
    assert_uniform(matrices[:, 0, 0] - matrices[:, 1, 0], 1 - change, 1 + change)


def test_no_factor_is_negative() -> None:
    assert_uniform(Brightness(change=2).change(identity_transforms(torch.zeros(20_000, 3)))[:, 0, 0], 0, 3)


@pytest.mark.parametrize("step", [Brightness, Contrast, Saturation, ChannelShift])
def test_a_fraction_p_of_the_samples_is_changed_each_by_its_own_random_number(step: type[Brightness]) -> None:
    both = step(p=0.3).change(identity_transforms(torch.full((20_000, 3), 100.0)))[:, :, :-1]
    neutral = torch.eye(3, 4)
    is_changed = (both - neutral).abs().amax((1, 2)) > 1e-6
    assert is_changed.float().mean().item() == pytest.approx(0.3, abs=0.015)
    assert len(both[is_changed].unique(dim=0)) > 5000


def test_contrast_keeps_the_mean_grey() -> None:
    image = smooth_images(4, 3, 20, 30)
    luma = torch.tensor(LUMA)
    found = apply_transforms(Contrast(change=0.5).change(identity_for(image)), image.float())
    before, after = image.float().mean((2, 3)), found.mean((2, 3))
    torch.testing.assert_close(after @ luma, before @ luma, atol=1e-3, rtol=0)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_one_transform_equals_its_steps_applied_one_after_another(channels: int) -> None:
    image = noisy_images(5, channels, 6, 7).float()
    steps: list[Colour] = [Contrast(change=0.5), Brightness(change=0.5), ChannelShift(change=0.2), Contrast(change=0.9)]
    if channels == 3:
        steps += [Saturation(change=0.5), Hue(turns=0.3, exact=False), Grey(p=0.5), ChannelShift(change=0.2)]
    state = torch.get_rng_state()
    together = identity_for(image)
    for step in steps:
        together = step.change(together)
    torch.set_rng_state(state)
    expected = image
    for step in steps:
        expected = apply_transforms(step.change(identity_for(expected)), expected)
    torch.testing.assert_close(apply_transforms(together, image), expected, atol=1e-2, rtol=0)
    torch.testing.assert_close(together[:, :, -1], expected.mean((2, 3)), atol=1e-2, rtol=0)


@pytest.mark.parametrize("step", [Brightness, Contrast, Saturation, ChannelShift])
def test_invalid_options_raise_an_error(step: type[Brightness]) -> None:
    with pytest.raises(ValueError, match=r"change=-0\.1: must be at least 0"):
        step(change=-0.1)
    with pytest.raises(ValueError, match="p=2: must be at least 0 and at most 1"):
        step(p=2)
