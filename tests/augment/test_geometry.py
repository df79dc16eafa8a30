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
SIZE = (48, 64)  # what is turned or slanted must not depend on the image's shape
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


NONE = torch.zeros(2)


def still() -> Tensor:
    return identity(1, CPU)


FORMS: dict[str, tuple[Tensor, Callable[[Tensor], Tensor]]] = {
    "flip": (scale(still(), x=torch.tensor([-1.0])), reference.horizontal_flip),
    "vertical flip": (scale(still(), y=torch.tensor([-1.0])), reference.vertical_flip),
    "rotation": (
        rotate(still(), torch.tensor([25.0])),
        lambda image: reference.rotate(image, 25, interpolation=InterpolationMode.BILINEAR),
    ),
    "zoom in": (
        scale(still(), *torch.full((2, 1), 1 / 1.3)),
        lambda image: affine(image, scale=1.3, shear=NONE),
    ),
    "zoom out": (
        scale(still(), *torch.full((2, 1), 1 / 0.7)),
        lambda image: affine(image, scale=0.7, shear=NONE),
    ),
    "shift": (
        translate(still(), torch.tensor([[7.0, -3.0]])),
        lambda image: affine(image, translate=(7, -3), shear=NONE),
    ),
    "shift by parts of a pixel": (
        translate(still(), torch.tensor([[2.5, 1.25]])),
        lambda image: affine(image, translate=(2.5, 1.25), shear=NONE),
    ),
    # torchvision counts its angles the other way round.
    "shear": (
        shear(still(), torch.tensor([[20.0, 0.0]])),
        lambda image: affine(image, shear=torch.tensor([-20.0, 0.0])),
    ),
    "shear both ways": (
        shear(still(), torch.tensor([[-12.0, 9.0]])),
        lambda image: affine(image, shear=torch.tensor([12.0, -9.0])),
    ),
    "homography": (
        homography(still(), MOVES[None] / HALF, SIZE),
        lambda image: reference.perspective(
            image, CORNERS.tolist(), (CORNERS + MOVES).tolist(), interpolation=InterpolationMode.BILINEAR
        ),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_image_moves_as_in_torchvision(form: str) -> None:
    matrix, expected = FORMS[form]
    image = smooth_images(1, 3, *SIZE)
    found = resample(image, matrix, SIZE, SIZE, "zero")
    assert grey_levels(found, expected(image.float())) < 0.05
    assert grey_levels(found, expected(image), margin=4) < 1  # in whole grey levels
    assert grey_levels(found, image) > 5  # it does move


def test_a_piece_becomes_as_large_as_the_whole_as_in_torchvision() -> None:
    crop = scale(still(), x=torch.tensor([40 / 64]), y=torch.tensor([36 / 48]))
    left, top = 10, 8
    crop[0, 0, 2], crop[0, 1, 2] = left + 40 / 2 - 32, top + 36 / 2 - 24
    image = smooth_images(1, 3, *SIZE)
    expected = reference.resized_crop(image.float(), top, left, 36, 40, list(SIZE), antialias=False)
    # At the very edge torchvision does not look beyond the piece.
    assert grey_levels(resample(image, crop, SIZE, SIZE, "zero"), expected, margin=1) < 0.05


def drawn(step: Geometry, num_samples: int = 20_000) -> Tensor:
    return step.change(identity(num_samples, CPU), SIZE).double()


def degrees_of(matrices: Tensor) -> Tensor:
    return torch.atan2(matrices[:, 1, 0], matrices[:, 0, 0]) * 180 / math.pi


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("step", "axis"), [(Flip, 0), (VerticalFlip, 1)])
def test_a_share_p_of_the_samples_is_mirrored_along_one_axis(step: type[Flip], axis: int, p: float) -> None:
    matrices = drawn(step(p=p))
    mirrored = matrices[:, axis, axis] == -1
    assert mirrored.double().mean().item() == pytest.approx(p, abs=0.015)
    matrices[mirrored, axis, axis] = 1
    assert torch.equal(matrices, identity(20_000, CPU).double())


def test_angles_are_uniform() -> None:
    matrices = drawn(Rotate(degrees=15))
    assert_uniform(degrees_of(matrices), -15, 15)
    torch.testing.assert_close(matrices.det(), torch.ones(20_000).double(), atol=1e-5, rtol=0)


def test_zooms_are_uniform_and_the_same_in_both_directions() -> None:
    matrices = drawn(Zoom(low=0.8, high=1.5))
    assert_uniform(1 / matrices[:, 0, 0], 0.8, 1.5)
    assert torch.equal(matrices[:, 0, 0], matrices[:, 1, 1])


@pytest.mark.parametrize(
    ("step", "most"),
    [(Shift(width=0.1, height=0.25), (6, 12)), (PadAndCrop(pixels=4), (4, 4)), (Shift(width=0), (0, 5))],
)
def test_every_number_of_whole_pixels_up_to_the_largest_is_equally_likely(
    step: Geometry, most: tuple[int, int]
) -> None:
    matrices = drawn(step)
    for axis, largest in enumerate(most):
        values, counts = matrices[:, axis, 2].unique(return_counts=True)
        assert values.tolist() == list(range(-largest, largest + 1))
        expected = 20_000 / len(values)
        assert ((counts - expected).abs() < 5 * expected**0.5).all()


def test_both_directions_are_drawn_by_themselves() -> None:
    matrices = drawn(Shift(width=0.5, height=0.5))
    assert abs(torch.corrcoef(matrices[:, :2, 2].T)[0, 1]) < 0.03


def test_slants_are_uniform_in_degrees() -> None:
    matrices = drawn(Shear(degrees=30, vertical_degrees=10))
    assert_uniform(torch.atan(-matrices[:, 0, 1]) * 180 / math.pi, -30, 30)
    assert_uniform(torch.atan(-matrices[:, 1, 0]) * 180 / math.pi, -10, 10)
    assert drawn(Shear(degrees=30))[:, 1, 0].abs().max() == 0


def test_each_corner_moves_by_itself_and_uniformly() -> None:
    matrices = drawn(Perspective(distortion=0.3))
    corners = torch.cat([CORNERS - HALF, torch.ones(4, 1)], 1).double()
    places = torch.linalg.inv(matrices) @ corners.T  # where the input's corners come to lie
    moves = (places[:, :2] / places[:, 2:]).mT - (CORNERS - HALF).double()
    assert_uniform(moves[..., 0], -0.3 * 32, 0.3 * 32)
    assert_uniform(moves[..., 1], -0.3 * 24, 0.3 * 24)
    correlations = torch.corrcoef(moves.flatten(1).T) - torch.eye(8)
    assert correlations.abs().max() < 0.04


def test_pieces_lie_in_the_image_with_uniform_areas() -> None:
    matrices = drawn(RandomResizedCrop(scale_low=0.2, scale_high=0.6))
    shares, centres = matrices[:, (0, 1), (0, 1)], matrices[:, :2, 2] / (2 * HALF)
    assert_uniform(shares.prod(1), 0.2, 0.6)
    assert (centres.abs() + shares / 2).max() <= 0.5 + 1e-6
    assert_uniform(centres / (1 - shares), -0.5, 0.5)
    ratios = shares[:, 0] / shares[:, 1]
    assert_uniform(ratios.log(), math.log(3 / 4), math.log(4 / 3))  # so small a piece can have any of them


def test_a_piece_that_would_be_wider_than_the_image_is_as_wide_as_it() -> None:
    shares = drawn(RandomResizedCrop(scale_low=0.9, ratio_low=0.5, ratio_high=2))[:, (0, 1), (0, 1)]
    assert shares.max() == pytest.approx(1)
    assert_uniform(shares.prod(1), 0.9, 1)


STEPS = [Rotate, Zoom, Shift, PadAndCrop, Shear, Perspective, RandomResizedCrop]


@pytest.mark.parametrize("step", STEPS)
def test_a_share_p_of_the_samples_is_moved_and_each_in_another_way(step: type[Rotate]) -> None:
    matrices = drawn(step(p=0.3))
    moved = (matrices - identity(1, CPU)).abs().amax((1, 2)) > 1e-6
    still = 0.3 / 81 if step is PadAndCrop else 0.3 / 143 if step is Shift else 0  # drawn to be moved by nothing
    assert moved.double().mean().item() == pytest.approx(0.3 - still, abs=0.015)
    assert len(matrices[moved].unique(dim=0)) > (50 if step.exact else 5000)
    assert not drawn(step(p=0)).sub(identity(1, CPU)).abs().gt(1e-6).any()


@pytest.mark.parametrize(
    ("step", "options", "complaint"),
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
def test_wrong_values_are_refused_by_their_names(step: type, options: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        step(**options)
