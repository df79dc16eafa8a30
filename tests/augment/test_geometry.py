import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as reference

from firstlight.augment import (
    Flip,
    PadAndCrop,
    Perspective,
    RandomResizedCrop,
    Rotate,
    Shear,
    Shift,
    VerticalFlip,
    Zoom,
)
from firstlight.augment.geometry import Geometry
from firstlight.augment.matrices import homography, identity, rotate, scale, shear, translate
from firstlight.augment.resample import resample
from helpers.samples import assert_uniform, grey_levels, smooth_images

pytestmark = pytest.mark.usefixtures("the_same_draws")

CPU = torch.device("cpu")
SIZE = (48, 64)  # not square, because rotations and shears must not depend on the shape
HALF = torch.tensor([32.0, 24.0])
CORNERS = torch.tensor([[0.0, 0.0], [64.0, 0.0], [64.0, 48.0], [0.0, 48.0]])
MOVES = torch.tensor([[5.0, 3.0], [-9.0, 4.0], [-2.0, -6.0], [7.0, -1.0]])


def affine(image: Tensor, *, translate: tuple[float, float] = (0, 0), scale: float = 1, shear: Tensor) -> Tensor:
    return reference.affine(
        image,
        angle=0,
        translate=list(translate),
        scale=scale,
        shear=shear.tolist(),
        interpolation=InterpolationMode.BILINEAR,
    )


NO_SHEAR = torch.zeros(2)


def identity_matrix() -> Tensor:
    return identity(1, CPU)


TRANSFORMS: dict[str, tuple[Tensor, Callable[[Tensor], Tensor]]] = {
    "flip": (scale(identity_matrix(), x=torch.tensor([-1.0])), reference.horizontal_flip),
    "vertical flip": (scale(identity_matrix(), y=torch.tensor([-1.0])), reference.vertical_flip),
    "rotation": (
        rotate(identity_matrix(), torch.tensor([25.0])),
        lambda image: reference.rotate(image, 25, interpolation=InterpolationMode.BILINEAR),
    ),
    "zoom in": (
        scale(identity_matrix(), *torch.full((2, 1), 1 / 1.3)),
        lambda image: affine(image, scale=1.3, shear=NO_SHEAR),
    ),
    "zoom out": (
        scale(identity_matrix(), *torch.full((2, 1), 1 / 0.7)),
        lambda image: affine(image, scale=0.7, shear=NO_SHEAR),
    ),
    "shift": (
        translate(identity_matrix(), torch.tensor([[7.0, -3.0]])),
        lambda image: affine(image, translate=(7, -3), shear=NO_SHEAR),
    ),
    "shift by parts of a pixel": (
        translate(identity_matrix(), torch.tensor([[2.5, 1.25]])),
        lambda image: affine(image, translate=(2.5, 1.25), shear=NO_SHEAR),
    ),
    # torchvision counts angles in the opposite direction.
    "shear": (
        shear(identity_matrix(), torch.tensor([[20.0, 0.0]])),
        lambda image: affine(image, shear=torch.tensor([-20.0, 0.0])),
    ),
    "shear both ways": (
        shear(identity_matrix(), torch.tensor([[-12.0, 9.0]])),
        lambda image: affine(image, shear=torch.tensor([12.0, -9.0])),
    ),
    "homography": (
        homography(identity_matrix(), MOVES[None] / HALF, SIZE),
        lambda image: reference.perspective(
            image, CORNERS.tolist(), (CORNERS + MOVES).tolist(), interpolation=InterpolationMode.BILINEAR
        ),
    ),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_an_image_moves_as_in_torchvision(name: str) -> None:
    matrix, expected = TRANSFORMS[name]
    image = smooth_images(1, 3, *SIZE)
    found = resample(image, matrix, SIZE, SIZE, "zero")
    assert grey_levels(found, expected(image.float())) < 0.05
    assert grey_levels(found, expected(image), margin=4) < 1  # in whole grey levels
    assert grey_levels(found, image) > 5  # the image does move


def test_a_crop_is_resized_as_in_torchvision() -> None:
    crop = scale(identity_matrix(), x=torch.tensor([40 / 64]), y=torch.tensor([36 / 48]))
    left, top = 10, 8
    crop[0, 0, 2], crop[0, 1, 2] = left + 40 / 2 - 32, top + 36 / 2 - 24
    image = smooth_images(1, 3, *SIZE)
    expected = reference.resized_crop(image.float(), top, left, 36, 40, list(SIZE), antialias=False)
    # At the edges torchvision does not use pixels outside the crop.
    assert grey_levels(resample(image, crop, SIZE, SIZE, "zero"), expected, margin=1) < 0.05


def draw_matrices(step: Geometry, num_samples: int = 20_000) -> Tensor:
    return step.change(identity(num_samples, CPU), SIZE).double()


def degrees_of(matrices: Tensor) -> Tensor:
    return torch.atan2(matrices[:, 1, 0], matrices[:, 0, 0]) * 180 / math.pi


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("step", "axis"), [(Flip, 0), (VerticalFlip, 1)])
def test_a_fraction_p_of_the_samples_is_mirrored_along_one_axis(step: type[Flip], axis: int, p: float) -> None:
    matrices = draw_matrices(step(p=p))
    mirrored = matrices[:, axis, axis] == -1
    assert mirrored.double().mean().item() == pytest.approx(p, abs=0.015)
    matrices[mirrored, axis, axis] = 1
    assert torch.equal(matrices, identity(20_000, CPU).double())


def test_rotation_angles_are_uniform() -> None:
    matrices = draw_matrices(Rotate(degrees=15))
    assert_uniform(degrees_of(matrices), -15, 15)
    torch.testing.assert_close(matrices.det(), torch.ones(20_000).double(), atol=1e-5, rtol=0)


def test_zoom_factors_are_uniform_and_equal_in_both_directions() -> None:
    matrices = draw_matrices(Zoom(low=0.8, high=1.5))
    assert_uniform(1 / matrices[:, 0, 0], 0.8, 1.5)
    assert torch.equal(matrices[:, 0, 0], matrices[:, 1, 1])


@pytest.mark.parametrize(
    ("step", "max_pixels"),
    [(Shift(width=0.1, height=0.25), (6, 12)), (PadAndCrop(pixels=4), (4, 4)), (Shift(width=0), (0, 5))],
)
def test_all_shifts_by_whole_pixels_are_equally_likely(step: Geometry, max_pixels: tuple[int, int]) -> None:
    matrices = draw_matrices(step)
    for axis, largest in enumerate(max_pixels):
        values, counts = matrices[:, axis, 2].unique(return_counts=True)
        assert values.tolist() == list(range(-largest, largest + 1))
        expected = 20_000 / len(values)
        assert ((counts - expected).abs() < 5 * expected**0.5).all()


def test_horizontal_and_vertical_shifts_are_independent() -> None:
    matrices = draw_matrices(Shift(width=0.5, height=0.5))
    assert abs(torch.corrcoef(matrices[:, :2, 2].T)[0, 1]) < 0.03


def test_shear_angles_are_uniform() -> None:
    matrices = draw_matrices(Shear(degrees=30, vertical_degrees=10))
    assert_uniform(torch.atan(-matrices[:, 0, 1]) * 180 / math.pi, -30, 30)
    assert_uniform(torch.atan(-matrices[:, 1, 0]) * 180 / math.pi, -10, 10)
    assert draw_matrices(Shear(degrees=30))[:, 1, 0].abs().max() == 0


def test_the_moves_of_the_corners_are_uniform_and_independent() -> None:
    matrices = draw_matrices(Perspective(distortion=0.3))
    corners = torch.cat([CORNERS - HALF, torch.ones(4, 1)], 1).double()
    moved = torch.linalg.inv(matrices) @ corners.T  # positions of the input's corners in the output
    moves = (moved[:, :2] / moved[:, 2:]).mT - (CORNERS - HALF).double()
    assert_uniform(moves[..., 0], -0.3 * 32, 0.3 * 32)
    assert_uniform(moves[..., 1], -0.3 * 24, 0.3 * 24)
    correlations = torch.corrcoef(moves.flatten(1).T) - torch.eye(8)
    assert correlations.abs().max() < 0.04


def test_crops_lie_within_the_image_and_have_uniform_areas() -> None:
    matrices = draw_matrices(RandomResizedCrop(scale_low=0.2, scale_high=0.6))
    sides, centres = matrices[:, (0, 1), (0, 1)], matrices[:, :2, 2] / (2 * HALF)
    assert_uniform(sides.prod(1), 0.2, 0.6)
    assert (centres.abs() + sides / 2).max() <= 0.5 + 1e-6
    assert_uniform(centres / (1 - sides), -0.5, 0.5)
    ratios = sides[:, 0] / sides[:, 1]
    assert_uniform(ratios.log(), math.log(3 / 4), math.log(4 / 3))  # crops this small can have all of these ratios


def test_a_crop_is_at_most_as_wide_and_high_as_the_image() -> None:
    sides = draw_matrices(RandomResizedCrop(scale_low=0.9, ratio_low=0.5, ratio_high=2))[:, (0, 1), (0, 1)]
    assert sides.max() == pytest.approx(1)
    assert_uniform(sides.prod(1), 0.9, 1)


STEPS = [Rotate, Zoom, Shift, PadAndCrop, Shear, Perspective, RandomResizedCrop]


@pytest.mark.parametrize("step", STEPS)
def test_a_fraction_p_of_the_samples_is_moved_each_by_its_own_random_numbers(step: type[Rotate]) -> None:
    matrices = draw_matrices(step(p=0.3))
    moved = (matrices - identity(1, CPU)).abs().amax((1, 2)) > 1e-6
    unmoved = 0.3 / 81 if step is PadAndCrop else 0.3 / 143 if step is Shift else 0  # shifts by 0 pixels
    assert moved.double().mean().item() == pytest.approx(0.3 - unmoved, abs=0.015)
    assert len(matrices[moved].unique(dim=0)) > (50 if step.exact else 5000)
    assert not draw_matrices(step(p=0)).sub(identity(1, CPU)).abs().gt(1e-6).any()


@pytest.mark.parametrize(
    ("step", "options", "message"),
    [
        (Flip, {"p": 1.5}, "p=1.5: must be at least 0 and at most 1"),
        (VerticalFlip, {"p": -0.1}, "p=-0.1: must be at least 0 and at most 1"),
        (Rotate, {"degrees": -1}, "degrees=-1: must be at least 0"),
        (Rotate, {"p": float("nan")}, "p=nan: must be at least 0 and at most 1"),
        (Zoom, {"low": 0}, "low=0: must be at least 0.01"),
        (Zoom, {"low": 1.2}, "low=1.2: must be at most high=1.1"),
        (Shift, {"width": -0.1}, "width=-0.1: must be at least 0"),
        (Shift, {"height": -0.1}, "height=-0.1: must be at least 0"),
        (PadAndCrop, {"pixels": -1}, "pixels=-1: must be at least 0"),
        (Shear, {"degrees": 90}, "degrees=90: must be at least 0 and at most 89"),
        (Shear, {"vertical_degrees": -1}, "vertical_degrees=-1: must be at least 0 and at most 89"),
        (Perspective, {"distortion": 0.5}, "distortion=0.5: must be at least 0 and at most 0.49"),
        (RandomResizedCrop, {"scale_low": 0}, "scale_low=0: must be at least 0.0001"),
        (RandomResizedCrop, {"scale_high": 1.1}, "scale_high=1.1: must be at least 0 and at most 1"),
        (RandomResizedCrop, {"scale_low": 0.5, "scale_high": 0.4}, "scale_low=0.5: must be at most scale_high=0.4"),
        (RandomResizedCrop, {"ratio_low": 2}, "ratio_low=2: must be at most ratio_high"),
    ],
)
def test_invalid_options_raise_an_error_with_their_names(step: type, options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        step(**options)
