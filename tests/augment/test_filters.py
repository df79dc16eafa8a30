import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from firstlight.augment import Blur, Cutout, Noise
from firstlight.augment.filters import blur, random_rectangles
from helpers.samples import assert_uniform, noisy_images

pytestmark = pytest.mark.usefixtures("the_same_draws")

STD = torch.tensor([0.2, 0.5, 0.25])


def normal_images(*shape: int) -> torch.Tensor:
    return noisy_images(*shape).float() / 74 - 1.7


def test_noise_has_a_uniform_std_that_is_the_same_fraction_of_white_in_every_channel() -> None:
    images = normal_images(3000, 3, 24, 24)
    noise = (Noise(std=0.1).filter(images, STD) - images) * STD[:, None, None]
    noise_std = noise.std((1, 2, 3))
    assert noise_std.max() < 0.11
    assert noise_std.mean().item() == pytest.approx(0.05, abs=0.003)
    assert (noise.std((0, 2, 3)) / noise.std()).sub(1).abs().max() < 0.02
    assert abs(noise.mean()) < 1e-3
    torch.testing.assert_close(noise.std((2, 3)).std(1), torch.zeros(3000), atol=0.012, rtol=0)


def test_blur_is_the_same_as_in_torchvision() -> None:
    images = normal_images(3, 3, 20, 30)
    found = blur(images, torch.tensor([0.3, 1.0, 2.0]), radius=6)
    for one, image, sigma in zip(found, images, [0.3, 1.0, 2.0], strict=True):
        torch.testing.assert_close(one, reference.gaussian_blur(image, [13, 13], [sigma, sigma]), atol=1e-4, rtol=0)


def test_the_std_of_blur_is_uniform() -> None:
    points = torch.zeros(4000, 1, 25, 25)
    points[:, :, 12, 12] = 1
    rows = Blur(low=1, high=2, p=1).filter(points, STD[:1]).sum((1, 2))
    assert_uniform((rows @ (torch.arange(25.0) - 12) ** 2).sqrt(), 1, 2)


def test_blur_leaves_an_image_of_one_colour_unchanged() -> None:
    even = torch.full((2, 3, 9, 9), 1.5)
    torch.testing.assert_close(Blur(p=1).filter(even, STD), even)


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (3, 1)])
def test_images_smaller_than_the_kernel_are_blurred(size: tuple[int, int]) -> None:
    images = normal_images(2, 3, *size)
    found = Blur(low=3, high=5, p=1).filter(images, STD)
    assert found.shape == images.shape
    assert found.std() <= images.std()


def test_cutout_fills_rectangles_of_uniform_height_and_width_with_the_mean_colour() -> None:
    found = Cutout(low=0.2, high=0.6, p=1).filter(torch.ones(20_000, 3, 20, 40), STD)
    is_cut = found == 0
    assert torch.equal(is_cut, is_cut[:, :1].expand_as(is_cut))
    assert ((found == 1) | is_cut).all()
    rows, columns = is_cut[:, 0].any(2).sum(1), is_cut[:, 0].any(1).sum(1)
    assert torch.equal(rows * columns, is_cut[:, 0].sum((1, 2)))  # the shape is a rectangle
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 12, 8, 24)
    assert rows.float().mean().item() == pytest.approx(8, abs=0.1)
    assert columns.float().mean().item() == pytest.approx(16, abs=0.15)
    assert abs(torch.corrcoef(torch.stack([rows, columns]).float())[0, 1]) < 0.03


def test_a_rectangle_lies_at_a_uniform_position_within_the_image() -> None:
    inside = random_rectangles(torch.full((20_000, 2), 0.5), torch.empty(20_000, 3, 8, 8))[:, 0]
    first = inside.any(2).float().argmax(1)
    assert inside.sum((1, 2)).unique().tolist() == [16]
    values, counts = first.unique(return_counts=True)
    assert values.tolist() == [0, 1, 2, 3, 4]
    assert (counts - 4000).abs().max() < 300


def test_a_rectangle_can_be_empty_or_the_whole_image() -> None:
    empty, whole = random_rectangles(torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.empty(2, 1, 5, 6))
    assert not empty.any()
    assert whole.all()


@pytest.mark.parametrize("step", [Noise(p=0.3), Blur(low=0.5, p=0.3), Cutout(low=0.2, p=0.3)])
def test_a_fraction_p_of_the_samples_is_changed_and_the_others_stay_equal(step: Noise | Blur | Cutout) -> None:
    images = normal_images(4000, 1, 8, 8)
    untouched = (step.filter(images, STD[:1]) == images).all(3).all(2).all(1)
    assert untouched.float().mean().item() == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize(
    ("step", "options", "message"),
    [
        (Noise, {"std": -1}, "std=-1: must be at least 0"),
        (Blur, {"low": 0}, "low=0: must be at least 0.01"),
        (Blur, {"low": 2}, "low=2: must be at most high=1.0"),
        (Cutout, {"low": -0.1}, "low=-0.1: must be at least 0"),
        (Cutout, {"high": 1.2}, "high=1.2: must be at least 0 and at most 1"),
        (Cutout, {"low": 0.5}, "low=0.5: must be at most high=0.4"),
        (Cutout, {"p": 7}, "p=7: must be at least 0 and at most 1"),
    ],
)
def test_invalid_options_raise_an_error_with_their_names(step: type, options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        step(**options)
