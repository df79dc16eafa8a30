from dataclasses import replace

import pytest
import torch
from torchvision.transforms import functional as reference

from firstlight.augment.preprocess import ImagePreprocess, NumberPreprocess, TokenPreprocess, preprocess_for
from firstlight.spec import DataSpec

GREY = DataSpec((1, 8, 8), 10, tuple("0123456789"), (0.3,), (0.4,))
COLOUR = DataSpec((3, 40, 24), 2, ("cat", "dog"), (0.5, 0.4, 0.3), (0.2, 0.1, 0.25))


def images(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def normalised(raw: torch.Tensor, spec: DataSpec) -> torch.Tensor:
    mean, std = (torch.tensor(values, dtype=torch.float64)[:, None, None] for values in (spec.mean, spec.std))
    return ((raw.double() / 255 - mean) / std).float()


def test_images_become_pixel_minus_mean_over_deviation() -> None:
    raw = images(5, 3, 40, 24)
    found = ImagePreprocess(COLOUR)(raw)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, normalised(raw, COLOUR))


def test_a_training_split_comes_out_with_mean_0_and_deviation_1() -> None:
    raw = images(50, 3, 40, 24)
    channels = (raw.double() / 255).transpose(0, 1).flatten(1)
    mean, std = channels.mean(1), channels.std(1, correction=0)
    spec = DataSpec((3, 40, 24), 2, ("cat", "dog"), tuple(mean.tolist()), tuple(std.tolist()))
    found = ImagePreprocess(spec)(raw).transpose(0, 1).flatten(1)
    torch.testing.assert_close(found.mean(1), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std(1, correction=0), torch.ones(3), atol=1e-5, rtol=0)


def test_raw_images_are_left_as_they_are() -> None:
    raw = images(2, 1, 8, 8)
    before = raw.clone()
    ImagePreprocess(GREY)(raw)
    assert torch.equal(raw, before)


@pytest.mark.parametrize(
    ("min_size", "size", "expected"),
    [
        (1, None, (3, 40, 24)),
        (24, None, (3, 40, 24)),
        (32, None, (3, 32, 32)),
        (1, 16, (3, 16, 16)),
        (32, 64, (3, 64, 64)),
    ],
)
def test_images_come_out_as_the_output_spec_says(min_size: int, size: int | None, expected: tuple[int, ...]) -> None:
    preprocess = ImagePreprocess(COLOUR, min_size=min_size, size=size)
    assert preprocess.output_spec.input_shape == expected
    assert preprocess(images(2, 3, 40, 24)).shape == (2, *expected)


def test_the_output_spec_differs_from_the_data_in_its_shape_alone() -> None:
    assert ImagePreprocess(GREY, min_size=32).output_spec == GREY.resized(32, 32)
    assert ImagePreprocess(GREY).output_spec == GREY


@pytest.mark.parametrize("size", [(8, 8), (5, 31), (100, 3), (1, 1)])
def test_images_of_another_size_than_the_data_are_resized_too(size: tuple[int, int]) -> None:
    assert ImagePreprocess(GREY, min_size=32)(images(2, 1, *size)).shape == (2, 1, 32, 32)


@pytest.mark.parametrize("size", [16, 32, 64])
def test_resizing_is_that_of_torchvision(size: int) -> None:
    raw = images(2, 3, 40, 24)  # smaller, one side of each, larger
    expected = reference.resize(normalised(raw, COLOUR), [size, size], antialias=True)
    torch.testing.assert_close(ImagePreprocess(COLOUR, size=size)(raw), expected, atol=1e-5, rtol=1e-5)


def test_a_preprocess_has_nothing_to_train_and_nothing_to_save() -> None:
    preprocess = ImagePreprocess(GREY)
    assert list(preprocess.parameters()) == []
    assert preprocess.state_dict() == {}


@pytest.mark.parametrize("size", [0, -3])
def test_a_size_below_one_pixel_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=rf"augment\.size={size}"):
        ImagePreprocess(GREY, size=size)


@pytest.mark.parametrize(("asked", "expected"), [(None, 48), (16, 16)])
def test_the_size_of_the_spec_is_taken_where_no_other_is_asked_for(asked: int | None, expected: int) -> None:
    preprocess = ImagePreprocess(replace(COLOUR, size=48), min_size=64, size=asked)
    assert preprocess(images(2, 3, 40, 24)).shape == (2, 3, expected, expected)


def test_grey_images_become_colour_where_the_spec_has_statistics_of_colour() -> None:
    spec, raw = replace(GREY, mean=COLOUR.mean, std=COLOUR.std), images(2, 1, 8, 8)
    preprocess = ImagePreprocess(spec)
    assert preprocess.output_spec.input_shape == (3, 8, 8)
    torch.testing.assert_close(preprocess(raw), normalised(raw.expand(-1, 3, -1, -1), COLOUR))


def test_images_are_resized_as_the_spec_says() -> None:
    raw = images(2, 3, 40, 24)
    sharp, soft = (ImagePreprocess(replace(COLOUR, interpolation=kind), size=20) for kind in ("bicubic", "bilinear"))
    expected = reference.resize(raw.float(), [20, 20], reference.InterpolationMode.BICUBIC, antialias=True)
    torch.testing.assert_close(sharp.to_pixels(sharp(raw)), (expected / 255).clamp(0, 1), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(sharp(raw), soft(raw), atol=0.1)


def test_stored_images_lose_their_margin_and_others_are_resized() -> None:
    spec = replace(COLOUR, margin=3)
    raw = images(2, 3, 46, 30)
    torch.testing.assert_close(ImagePreprocess(spec)(raw), normalised(raw[:, :, 3:43, 3:27], spec))
    assert ImagePreprocess(spec)(images(2, 3, 80, 48)).shape == (2, 3, 40, 24)


def test_columns_come_out_with_mean_0_and_deviation_1() -> None:
    raw = torch.tensor([[1.0, 50], [3, 70]])
    spec = DataSpec((2,), 1, ("price",), (2.0, 60.0), (1.0, 10.0), target_mean=(1.0,), target_std=(2.0,))
    assert preprocess_for(spec)(raw).tolist() == [[-1, -1], [1, 1]]
    assert isinstance(preprocess_for(spec), NumberPreprocess)


def test_tokens_come_out_as_they_are() -> None:
    found = preprocess_for(DataSpec((3,), 2, ("a", "b"), (), ()))(torch.tensor([[0, 1, 1]], dtype=torch.int32))
    assert (found.tolist(), found.dtype) == ([[0, 1, 1]], torch.int64)
    assert isinstance(TokenPreprocess(GREY).output_spec, DataSpec)


def test_what_is_no_image_has_no_size() -> None:
    with pytest.raises(ValueError, match=r"augment\.size=8: must be null, because the data holds tokens"):
        preprocess_for(DataSpec((3,), 2, ("a", "b"), (), ()), size=8)
