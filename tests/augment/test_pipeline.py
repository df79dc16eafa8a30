from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as reference

from firstlight import augment
from firstlight.augment import Augment, pipeline
from firstlight.augment.step import Step
from firstlight.config.checking.steps import step_names, step_target
from firstlight.spec import DataSpec
from helpers.samples import grey_levels, image_spec, noisy_images, smooth_images

pytestmark = pytest.mark.usefixtures("the_same_draws")

CPU = torch.device("cpu")
ALL_STEPS: dict[str, Any] = {name: getattr(augment, step_target(name).rpartition(".")[2]) for name in step_names()}
IMAGE_STEPS = [name for name, step in ALL_STEPS.items() if step.accepts == "images"]
CLASSES = torch.arange(64) % 7


def run(raw: Tensor, *, margin: int = 0, min_size: int = 1, **options: Any) -> Tensor:
    """Augment a batch and return the network's input."""
    _, channels, height, width = raw.shape
    spec = image_spec(channels, height - 2 * margin, width - 2 * margin, margin)
    return Augment(spec, min_size=min_size, **options)(raw, CLASSES[: len(raw)])[0]


def levels(normalised: Tensor) -> Tensor:
    """Convert a network's input to grey levels from 0 to 255."""
    spec = image_spec(normalised.shape[1], 1, 1)
    mean, std = torch.tensor(spec.mean)[:, None, None], torch.tensor(spec.std)[:, None, None]
    return (normalised * std + mean) * 255


def rotated(image: Tensor, degrees: float) -> Tensor:
    return reference.rotate(image, degrees, interpolation=InterpolationMode.BILINEAR)


def sheared(image: Tensor, degrees: float) -> Tensor:
    return reference.affine(image, 0, [0, 0], 1, [-degrees, 0], InterpolationMode.BILINEAR)


def maximal(step: Step) -> Step:
    """Make a step always draw the largest possible number."""
    vars(step)["uniform"] = lambda shape, low, high, device: torch.full(shape, float(high), device=device)
    return step


FLIP, ROTATE, SHEAR = (
    augment.Flip(p=1),
    maximal(augment.Rotate(degrees=20)),
    maximal(augment.Shear(degrees=15)),
)
BRIGHTNESS, CONTRAST = (
    maximal(augment.Brightness(change=0.3)),
    maximal(augment.Contrast(change=0.2)),
)
HUE = maximal(augment.Hue(turns=0.2))
SEQUENCES: dict[str, tuple[list[Step], Callable[[Tensor], Tensor]]] = {
    "flip, rotate": ([FLIP, ROTATE], lambda x: rotated(reference.horizontal_flip(x), 20)),
    "rotate, flip": ([ROTATE, FLIP], lambda x: reference.horizontal_flip(rotated(x, 20))),
    "shear, rotate": (
        [SHEAR, ROTATE],
        lambda x: rotated(sheared(x, 15), 20),
    ),
    "rotate, shear": (
        [ROTATE, SHEAR],
        lambda x: sheared(rotated(x, 20), 15),
    ),
    "brightness, contrast": (
        [BRIGHTNESS, CONTRAST],
        lambda x: reference.adjust_contrast(reference.adjust_brightness(x, 1.3), 1.2),
    ),
    "contrast, brightness": (
        [CONTRAST, BRIGHTNESS],
        lambda x: reference.adjust_brightness(reference.adjust_contrast(x, 1.2), 1.3),
    ),
    "brightness, hue": (
        [BRIGHTNESS, HUE],
        lambda x: reference.adjust_hue(reference.adjust_brightness(x, 1.3), 0.2),
    ),
}


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_steps_are_applied_in_order_as_in_torchvision(sequence: str) -> None:
    steps, expected = SEQUENCES[sequence]
    raw = smooth_images(2, 3, 96, 128) // 2 + 20  # no value is clamped between two steps
    named: dict[str, Any] = {f"step{number}": step for number, step in enumerate(steps)}
    found = levels(run(raw, padding="zero", **named))
    assert grey_levels(found, expected(raw), margin=30) < 1
    assert grey_levels(found, raw, margin=30) > 3


def test_colours_are_clamped_to_black_and_white() -> None:
    raw = noisy_images(4, 3, 8, 8)
    found = levels(run(raw, brightness=maximal(augment.Brightness(change=1))))
    assert grey_levels(found, reference.adjust_brightness(raw, 2.0)) < 1e-3
    found = levels(run(raw, channel_shift=augment.ChannelShift(change=1)))
    torch.testing.assert_close(torch.stack(found.aminmax()), torch.tensor([0.0, 255.0]), atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [None, 30, 64])
@pytest.mark.parametrize("step", IMAGE_STEPS)
def test_a_step_of_probability_zero_equals_preprocessing(step: str, size: int | None) -> None:
    raw = smooth_images(4, 3, 30, 40) if size == 30 else noisy_images(4, 3, 30, 40)
    spec = image_spec(3, 30, 40)
    augmentation = Augment(spec, size=size, **{step: ALL_STEPS[step](p=0.0)})
    # If images shrink by less than half, resampling uses four neighbours and preprocessing uses more.
    tolerance = 0.1 if size == 30 else 1e-4
    torch.testing.assert_close(augmentation(raw, CLASSES[:4])[0], augmentation.preprocess(raw), atol=tolerance, rtol=0)


@pytest.mark.parametrize("step", IMAGE_STEPS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_step_accepts_any_number_of_channels(channels: int, step: str) -> None:
    found = run(noisy_images(16, channels, 9, 12), **{step: ALL_STEPS[step]()})
    assert found.shape == (16, channels, 9, 12)
    assert found.isfinite().all()


@pytest.mark.parametrize("step", ["saturation", "hue", "grey"])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_steps_that_need_three_channels_leave_other_images_unchanged(channels: int, step: str) -> None:
    raw = noisy_images(4, channels, 9, 12)
    torch.testing.assert_close(run(raw, **{step: ALL_STEPS[step](p=1.0)}), run(raw), atol=1e-5, rtol=0)


@pytest.mark.parametrize("step", [step for step in IMAGE_STEPS if step not in ("mixup", "cutmix")])
def test_every_sample_of_a_batch_has_its_own_random_numbers(step: str) -> None:
    raw = noisy_images(1, 3, 24, 24).expand(64, -1, -1, -1)
    has_two_outcomes = step in ("flip", "vertical_flip", "grey")
    kinds = run(raw, **{step: ALL_STEPS[step](p=0.5 if has_two_outcomes else 1.0)}).flatten(1).unique(dim=0)
    assert len(kinds) == 2 if has_two_outcomes else len(kinds) > 20


def whole_pixels(**options: Any) -> dict[str, Any]:
    return {"flip": augment.Flip(), "pad_and_crop": augment.PadAndCrop(pixels=3), **options}


@pytest.mark.parametrize("padding", ["zero", "mirror", "border"])
def test_mirrored_and_shifted_images_keep_the_pixels_of_the_data_bit_for_bit(padding: str) -> None:
    raw = noisy_images(64, 3, 10, 12)
    augmentation = Augment(image_spec(3, 10, 12), padding=padding, **whole_pixels())
    found = augmentation(raw, CLASSES)[0]
    torch.manual_seed(0)
    matrices = augmentation._draw_matrices(64, CPU)
    padded = F.pad(raw.float(), (3, 3, 3, 3), mode="replicate")
    if padding == "zero":
        padded = F.pad(raw, (3, 3, 3, 3))
    elif padding == "mirror":
        padded = reference.pad(raw, [3], padding_mode="symmetric")
    for image, matrix, one in zip(padded, matrices, found, strict=True):
        mirrored = image.flip(2) if matrix[0, 0] == -1 else image
        left, top = 3 + int(matrix[0, 2] * matrix[0, 0]), 3 + int(matrix[1, 2])
        expected = mirrored[:, top : top + 10, left : left + 12].to(torch.uint8)
        assert torch.equal(one, augmentation.preprocess(expected[None])[0])


def test_shifted_images_show_the_margin_of_stored_images() -> None:
    raw = noisy_images(1, 3, 16, 18).clamp_min(1).expand(200, -1, -1, -1)
    black = levels(run(raw, margin=3, padding="zero", **whole_pixels())) < 0.5
    assert not black.any()
    black = levels(run(raw, margin=2, padding="zero", **whole_pixels())) < 0.5
    assert black.any()


@pytest.mark.parametrize(
    "steps", [{}, whole_pixels(), {"rotate": augment.Rotate()}, {"hue": augment.Hue()}], ids=",".join
)
def test_the_margin_of_stored_images_is_cropped(steps: dict[str, Any]) -> None:
    assert run(noisy_images(4, 3, 16, 18), margin=3, **steps).shape == (4, 3, 10, 12)


EVERYTHING: dict[str, Any] = {name: ALL_STEPS[name]() for name in IMAGE_STEPS}


@pytest.mark.parametrize("chunk", [1, 2000, 10**9])
@pytest.mark.parametrize("steps", [EVERYTHING, whole_pixels()], ids=["everything", "whole pixels"])
def test_the_number_of_samples_per_chunk_does_not_change_the_result(
    steps: dict[str, Any], chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = noisy_images(16, 3, 20, 24)
    expected = run(raw, min_size=32, **steps)
    monkeypatch.setattr(pipeline, "_CHUNK", chunk)
    torch.manual_seed(0)
    torch.testing.assert_close(run(raw, min_size=32, **steps), expected, atol=1e-5, rtol=1e-5)


def test_noise_is_the_same_fraction_of_white_in_every_channel() -> None:
    raw = noisy_images(16, 3, 64, 64)
    noise = levels(run(raw, noise=maximal(augment.Noise(std=0.1)))) - raw
    torch.testing.assert_close(noise.std((0, 2, 3)), torch.full((3,), 25.5), atol=0.3, rtol=0)


def test_the_raw_batch_is_not_modified() -> None:
    raw = noisy_images(16, 3, 20, 24)
    before = raw.clone()
    run(raw, **EVERYTHING)
    run(raw, hue=augment.Hue(turns=0.5))
    assert torch.equal(raw, before)


def test_targets_stay_classes_unless_samples_are_mixed() -> None:
    spec, raw = image_spec(1, 8, 8), noisy_images(64, 1, 8, 8)
    _, targets = Augment(spec, flip=augment.Flip(), cutout=augment.Cutout())(raw, CLASSES)
    assert torch.equal(targets, CLASSES)
    _, targets = Augment(spec, mixup=augment.Mixup(), cutmix=augment.Cutmix())(raw, CLASSES)
    assert targets.shape == (64, 7)
    torch.testing.assert_close(targets.sum(1), torch.ones(64))
    _, targets = Augment(spec, mixup=augment.Mixup(p=0.0))(raw, CLASSES)
    assert torch.equal(targets, F.one_hot(CLASSES, 7).float())


def test_numbers_are_standardised() -> None:
    spec = DataSpec((2,), 1, ("price",), (2.0, 60.0), (1.0, 10.0), target_mean=(1.0,), target_std=(2.0,))
    inputs, targets = Augment(spec)(torch.tensor([[1.0, 50]]), torch.tensor([[3.0]]))
    assert (inputs.tolist(), targets.tolist()) == ([[-1, -1]], [[3]])


GREY = image_spec(1, 8, 8)
TOKENS = DataSpec((5,), 2, ("a", "b"), (), ())
AGES = DataSpec((1, 8, 8), 1, ("age",), (99.0,), (60.0,), target_mean=(30.0,), target_std=(9.0,))


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        (GREY, {"padding": "mirrors"}, "augment.padding=mirrors: unknown padding, did you mean 'mirror'"),
        (GREY, {"size": 0}, "augment.size=0: must be at least 1"),
        (TOKENS, {"size": 8}, "augment.size=8: must be null, because the data holds tokens"),
        (GREY, {"views": -1}, "augment.views=-1: must be at least 0"),
        (GREY, {"views": 2, "mixup": augment.Mixup()}, "augment.views=2: must be 0, because augment.mixup mixes"),
        (GREY, {"own": augment.SwapTokens()}, "augment.own: must be a step for images; SwapTokens is for tokens"),
        (TOKENS, {"flip": augment.Flip()}, "augment.flip: must be a step for tokens; Flip is for images"),
        (TOKENS, {"mixup": augment.Mixup()}, "augment.mixup: must be a step for tokens; Mixup is for images"),
        (AGES, {"own": augment.Cutmix()}, "augment.own: must be null, because the data's targets are numbers"),
        (GREY, {"flip": 0.5}, r"augment.flip: must be a step or a torch\.nn\.Module, not an instance of float"),
        (GREY, {"own": Step(1)}, r"augment.own: must define apply\(samples\), see .*\.step\.Step; Step does not\."),
    ],
)
def test_options_and_steps_that_do_not_fit_raise_an_error(
    spec: DataSpec, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        Augment(spec, **options)


@pytest.mark.parametrize("exact", [True, False])
def test_mixed_precision_does_not_change_the_pixels(exact: bool) -> None:
    raw = noisy_images(8, 3, 20, 20)
    steps: dict[str, Any] = {name: ALL_STEPS[name]() for name in IMAGE_STEPS if name not in ("mixup", "cutmix")}
    steps["hue"] = augment.Hue(turns=0.3, exact=exact)
    torch.manual_seed(0)
    expected = run(raw, **steps)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(run(raw, **steps), expected)
