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


def test_images_are_normalised_by_mean_and_std() -> None:
    raw = images(5, 3, 40, 24)
    found = ImagePreprocess(COLOUR)(raw)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, normalised(raw, COLOUR))


def test_a_normalised_training_split_has_mean_0_and_std_1() -> None:
    raw = images(50, 3, 40, 24)
    channels = (raw.double() / 255).transpose(0, 1).flatten(1)
    mean, std = channels.mean(1), channels.std(1, correction=0)
    spec = DataSpec((3, 40, 24), 2, ("cat", "dog"), tuple(mean.tolist()), tuple(std.tolist()))
    found = ImagePreprocess(spec)(raw).transpose(0, 1).flatten(1)
    torch.testing.assert_close(found.mean(1), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.std(1, correction=0), torch.ones(3), atol=1e-5, rtol=0)


def test_raw_images_are_not_modified() -> None:
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
def test_images_get_the_shape_of_the_output_spec(min_size: int, size: int | None, expected: tuple[int, ...]) -> None:
    preprocess = ImagePreprocess(COLOUR, min_size=min_size, size=size)
    assert preprocess.output_spec.input_shape == expected
    assert preprocess(images(2, 3, 40, 24)).shape == (2, *expected)


def test_the_output_spec_differs_from_the_data_in_its_shape_only() -> None:
    assert ImagePreprocess(GREY, min_size=32).output_spec == GREY.resized(32, 32)
    assert ImagePreprocess(GREY).output_spec == GREY


@pytest.mark.parametrize("size", [(8, 8), (5, 31), (100, 3), (1, 1)])
def test_images_of_another_size_than_the_data_are_resized(size: tuple[int, int]) -> None:
    assert ImagePreprocess(GREY, min_size=32)(images(2, 1, *size)).shape == (2, 1, 32, 32)


@pytest.mark.parametrize("size", [16, 32, 64])
def test_images_are_resized_as_in_torchvision(size: int) -> None:
    raw = images(2, 3, 40, 24)  # shrinks both sides, shrinks one and enlarges the other, enlarges both
    expected = reference.resize(normalised(raw, COLOUR), [size, size], antialias=True)
    torch.testing.assert_close(ImagePreprocess(COLOUR, size=size)(raw), expected, atol=1e-5, rtol=1e-5)


def test_a_preprocess_has_no_parameters_and_an_empty_state() -> None:
    preprocess = ImagePreprocess(GREY)
    assert list(preprocess.parameters()) == []
    assert preprocess.state_dict() == {}


@pytest.mark.parametrize("size", [0, -3])
def test_a_size_below_one_pixel_raises_an_error(size: int) -> None:
    with pytest.raises(ValueError, match=rf"^augment\.size={size}: must be at least 1"):
        ImagePreprocess(GREY, size=size)


@pytest.mark.parametrize(("size", "expected"), [(None, 48), (16, 16)])
def test_the_size_of_the_spec_is_the_default(size: int | None, expected: int) -> None:
    preprocess = ImagePreprocess(replace(COLOUR, size=48), min_size=64, size=size)
    assert preprocess(images(2, 3, 40, 24)).shape == (2, 3, expected, expected)


def test_grey_images_get_three_channels_if_the_spec_has_three_means() -> None:
    spec, raw = replace(GREY, mean=COLOUR.mean, std=COLOUR.std), images(2, 1, 8, 8)
    preprocess = ImagePreprocess(spec)
    assert preprocess.output_spec.input_shape == (3, 8, 8)
    torch.testing.assert_close(preprocess(raw), normalised(raw.expand(-1, 3, -1, -1), COLOUR))


def test_images_are_resized_with_the_interpolation_of_the_spec() -> None:
    raw = images(2, 3, 40, 24)
    sharp, soft = (ImagePreprocess(replace(COLOUR, interpolation=kind), size=20) for kind in ("bicubic", "bilinear"))
    expected = reference.resize(raw.float(), [20, 20], reference.InterpolationMode.BICUBIC, antialias=True)
    torch.testing.assert_close(sharp.to_pixels(sharp(raw)), (expected / 255).clamp(0, 1), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(sharp(raw), soft(raw), atol=0.1)


def test_the_margin_of_stored_images_is_cropped_and_other_images_are_resized() -> None:
    spec = replace(COLOUR, margin=3)
    raw = images(2, 3, 46, 30)
    torch.testing.assert_close(ImagePreprocess(spec)(raw), normalised(raw[:, :, 3:43, 3:27], spec))
    assert ImagePreprocess(spec)(images(2, 3, 80, 48)).shape == (2, 3, 40, 24)


def test_columns_are_standardised() -> None:
    raw = torch.tensor([[1.0, 50], [3, 70]])
    spec = DataSpec((2,), 1, ("price",), (2.0, 60.0), (1.0, 10.0), target_mean=(1.0,), target_std=(2.0,))
    assert preprocess_for(spec)(raw).tolist() == [[-1, -1], [1, 1]]
    assert isinstance(preprocess_for(spec), NumberPreprocess)


def test_tokens_are_converted_to_int64() -> None:
    found = preprocess_for(DataSpec((3,), 2, ("a", "b"), (), ()))(torch.tensor([[0, 1, 1]], dtype=torch.int32))
    assert (found.tolist(), found.dtype) == ([[0, 1, 1]], torch.int64)
    assert isinstance(TokenPreprocess(GREY).output_spec, DataSpec)


def test_a_size_for_other_data_than_images_raises_an_error() -> None:
    with pytest.raises(ValueError, match=r"augment\.size=8: must be null, because the data holds tokens"):
        preprocess_for(DataSpec((3,), 2, ("a", "b"), (), ()), size=8)
