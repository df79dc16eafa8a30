import pytest
import torch

from firstlight.networks.kernels import KERNELS, Rows, stack_kernels

KEEP_BRIGHTNESS = ("identity", "blur", "gaussian", "sharpen", "emboss")


@pytest.mark.parametrize("name", KERNELS)
def test_the_sum_of_a_kernel_is_one_or_zero(name: str) -> None:
    assert float(stack_kernels([name]).sum()) == pytest.approx(float(name in KEEP_BRIGHTNESS), abs=1e-6)


@pytest.mark.parametrize("kind", ["sobel", "prewitt"])
def test_the_vertical_gradient_is_the_transposed_horizontal_gradient(kind: str) -> None:
    horizontal, vertical = stack_kernels([f"{kind}_x", f"{kind}_y"])
    assert torch.equal(horizontal.T, vertical)
    assert torch.equal(horizontal.sign()[1], torch.tensor([-1.0, 0.0, 1.0]))


def test_smaller_kernels_are_centred_and_padded_with_zeros() -> None:
    stacked = stack_kernels(["identity", [[1, 2, 3, 4, 5]], [[1], [2], [3]]])
    assert stacked.shape == (3, 5, 5)
    assert stacked[0, 2, 2] == 1
    assert stacked[1, 2].tolist() == [1, 2, 3, 4, 5]
    assert stacked[2, :, 2].tolist() == [0, 1, 2, 3, 0]
    assert stacked.abs().sum() == 1 + 15 + 6


@pytest.mark.parametrize("rows", [[], [[]], [[1, 2]], [[1], [2]], [[1, 2, 3], [4, 5, 6], [7, 8]]])
def test_kernels_of_even_size_or_unequal_rows_raise_an_error(rows: Rows) -> None:
    with pytest.raises(ValueError, match=r"kernels=.*: must be an odd number of rows of the same odd length"):
        stack_kernels([rows])


def test_a_value_that_is_not_finite_raises_an_error() -> None:
    with pytest.raises(ValueError, match="must be finite numbers"):
        stack_kernels([[[float("nan")]]])


def test_an_unknown_kernel_raises_an_error_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"kernels=sharp: .* did you mean 'sharpen'\?"):
        stack_kernels(["blur", "sharp"])


def test_an_empty_list_raises_an_error_with_all_names() -> None:
    with pytest.raises(ValueError, match=r"kernels=\[\]: must hold at least one convolution kernel; known: "):
        stack_kernels([])


def test_a_single_name_is_one_kernel() -> None:
    assert torch.equal(stack_kernels("blur"), stack_kernels(["blur"]))


def test_one_kernel_instead_of_a_list_of_kernels_raises_an_error() -> None:
    with pytest.raises(ValueError, match=r"kernels=\[0, 1, 0\]: must be a list of kernels, each a list of rows"):
        stack_kernels([[0, 1, 0], [1, 0, 1], [0, 1, 0]])  # type: ignore[list-item]
