from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from firstlight.augment.matrices import identity, rotate, scale, translate
from firstlight.augment.resample import PADDINGS, move_whole_pixels, resample
from helpers.samples import grey_levels, noisy_images, smooth_images

pytestmark = pytest.mark.usefixtures("the_same_draws")

NUMPY: dict[str, Any] = {"zero": "constant", "mirror": "symmetric", "border": "edge"}


def identity_matrix() -> Tensor:
    return identity(1, torch.device("cpu"))


@pytest.mark.parametrize("size", [(32, 48), (48, 48), (90, 100)])
@pytest.mark.parametrize("padding", ["mirror", "border"])
def test_enlarging_by_the_identity_equals_interpolation(size: tuple[int, int], padding: str) -> None:
    raw = noisy_images(1, 3, 32, 48)
    expected = F.interpolate(raw.float(), size, mode="bilinear")
    torch.testing.assert_close(resample(raw, identity_matrix(), (32, 48), size, padding), expected, atol=1e-2, rtol=0)


def test_enlarged_images_fade_out_at_the_edges_with_zero_padding() -> None:
    raw = torch.full((1, 1, 8, 8), 200, dtype=torch.uint8)
    found = resample(raw, identity_matrix(), (8, 8), (32, 32), "zero")
    torch.testing.assert_close(found[:, :, 2:-2, 2:-2], torch.full((1, 1, 28, 28), 200.0))
    assert (found[:, :, 0] < 200).all()


@pytest.mark.parametrize("size", [(25, 25), (17, 47)])
def test_shrinking_by_less_than_half_equals_interpolation(size: tuple[int, int]) -> None:
    raw = noisy_images(1, 3, 32, 48)
    expected = F.interpolate(raw.float(), size, mode="bilinear")
    torch.testing.assert_close(resample(raw, identity_matrix(), (32, 48), size, "mirror"), expected, atol=1e-2, rtol=0)


@pytest.mark.parametrize("size", [(16, 24), (5, 48), (64, 6)])
def test_shrinking_by_half_or_more_uses_every_pixel(size: tuple[int, int]) -> None:
    raw = noisy_images(1, 3, 32, 48)
    expected = F.interpolate(raw.float(), size, mode="bilinear", antialias=True)
    torch.testing.assert_close(resample(raw, identity_matrix(), (32, 48), size, "mirror"), expected, atol=1e-2, rtol=0)


def test_rotating_and_shrinking_equals_rotating_the_shrunken_image() -> None:
    raw, turn = smooth_images(1, 3, 96, 128), rotate(identity_matrix(), torch.tensor([20.0]))
    small = F.interpolate(raw.float(), (24, 32), mode="bilinear", antialias=True)
    expected = resample(small, turn, (24, 32), (24, 32), "zero")
    assert grey_levels(resample(raw, turn, (96, 128), (24, 32), "zero"), expected) < 0.05


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 10), (1, 3)])
def test_whole_pixels_move_bit_for_bit(height: int, width: int, mirrored: bool, padding: str) -> None:
    raw = noisy_images(1, 3, height, width)
    border = 2 * width + 5
    for right, down in [(0, 0), (1, 0), (-2, 3), (width, -height), (-border, 4), (border, -border)]:
        # The image is mirrored, then moved. NumPy gives the expected result by padding and cropping.
        matrix = scale(identity_matrix(), x=torch.tensor([-1.0 if mirrored else 1.0]))
        matrix = translate(matrix, torch.tensor([[right, down]]) * 1.0)
        image = raw.numpy()[0, :, :, ::-1] if mirrored else raw.numpy()[0]
        padded = np.pad(image, ((0, 0), (border, border), (border, border)), mode=NUMPY[padding])
        top, left = border - down, border - right
        expected = padded[:, top : top + height, left : left + width]
        found = move_whole_pixels(raw, matrix, (height, width), padding)
        assert found.dtype == torch.uint8
        np.testing.assert_array_equal(found[0].numpy(), expected)


def test_every_sample_is_moved_by_its_own_matrix() -> None:
    raw = noisy_images(3, 2, 6, 6)
    upside_down, moved = (
        scale(identity_matrix(), y=torch.tensor([-1.0])),
        translate(identity_matrix(), torch.tensor([[0.0, 2.0]])),
    )
    matrices = torch.cat([identity_matrix(), upside_down, moved])
    found = move_whole_pixels(raw, matrices, (6, 6), "border")
    assert torch.equal(found[0], raw[0])
    assert torch.equal(found[1], raw[1].flip(1))
    assert torch.equal(found[2], raw[2][:, [0, 0, 0, 1, 2, 3]])


@pytest.mark.parametrize("padding", PADDINGS)
def test_shifted_images_show_the_margin_before_any_padding(padding: str) -> None:
    raw = noisy_images(1, 3, 14, 16)  # 10x12, and two pixels on every side
    found = move_whole_pixels(raw, translate(identity_matrix(), torch.tensor([[2.0, -2.0]])), (10, 12), padding)
    assert torch.equal(found, raw[:, :, 4:14, 0:12])
    found = move_whole_pixels(raw, translate(identity_matrix(), torch.tensor([[3.0, 0.0]])), (10, 12), padding)
    beyond = found[0, :, :, 0]
    nearest = raw[0, :, 2:12, 0]
    assert torch.equal(beyond, torch.zeros_like(nearest) if padding == "zero" else nearest)


@pytest.mark.parametrize("padding", PADDINGS)
def test_interpolation_at_whole_pixels_gives_the_same_pixels(padding: str) -> None:
    raw = noisy_images(1, 3, 14, 17)  # with margin above and below, and at the sides
    for right, down in [(0, 0), (3, -1), (-9, 12), (40, -35)]:
        matrix = translate(identity_matrix(), torch.tensor([[float(right), float(down)]]))
        matrix = scale(matrix, x=torch.tensor([-1.0]))
        exact = move_whole_pixels(raw, matrix, (10, 13), padding).float()
        torch.testing.assert_close(resample(raw, matrix, (10, 13), (10, 13), padding), exact, atol=1e-2, rtol=0)


@pytest.mark.parametrize("padding", PADDINGS)
def test_positions_far_away_and_behind_the_horizon_have_valid_colours(padding: str) -> None:
    raw = noisy_images(1, 1, 8, 8)
    far = identity(3, torch.device("cpu"))
    far[0, 0, 2], far[1, 2, 0], far[2, 2, 2] = 1e30, 1.0, 0.0
    found = resample(raw.expand(3, -1, -1, -1), far, (8, 8), (8, 8), padding)
    assert found.isfinite().all()
    assert 0 <= found.min() <= found.max() <= 255


def test_the_image_does_not_appear_again_behind_the_horizon() -> None:
    raw = torch.full((1, 1, 9, 9), 200, dtype=torch.uint8)
    matrix = identity(1, torch.device("cpu"))
    matrix[0, 2, 0] = 0.6  # the horizon is a vertical line through x = -1.67
    found = resample(raw, matrix, (9, 9), (9, 9), "zero")[0, 0]
    assert (found[:, :3] == 0).all()
    assert found[4, 4] == 200
