import pytest
import torch

from firstlight.networks.kernels import KERNELS, Rows, stack_kernels

KEEP_BRIGHTNESS = ("identity", "blur", "gaussian", "sharpen", "emboss")


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_keeps_the_brightness_of_what_is_flat_or_finds_nothing_there(name: str) -> None:
    assert float(stack_kernels([name]).sum()) == pytest.approx(float(name in KEEP_BRIGHTNESS), abs=1e-6)


@pytest.mark.parametrize("kind", ["sobel", "prewitt"])
def test_the_change_from_top_to_bottom_is_that_from_left_to_right_turned(kind: str) -> None:
    horizontal, vertical = stack_kernels([f"{kind}_x", f"{kind}_y"])
    assert torch.equal(horizontal.T, vertical)
    assert torch.equal(horizontal.sign()[1], torch.tensor([-1.0, 0.0, 1.0]))


def test_smaller_kernels_lie_in_the_middle_of_zeros() -> None:
    stacked = stack_kernels(["identity", [[1, 2, 3, 4, 5]], [[1], [2], [3]]])
    assert stacked.shape == (3, 5, 5)
    assert stacked[0, 2, 2] == 1
    assert stacked[1, 2].tolist() == [1, 2, 3, 4, 5]
    assert stacked[2, :, 2].tolist() == [0, 1, 2, 3, 0]
    assert stacked.abs().sum() == 1 + 15 + 6


@pytest.mark.parametrize("rows", [[], [[]], [[1, 2]], [[1], [2]], [[1, 2, 3], [4, 5, 6], [7, 8]]])
def test_rows_without_a_middle_are_refused(rows: Rows) -> None:
    with pytest.raises(ValueError, match=r"kernels=.*: rows of the same length, an odd number of them"):
        stack_kernels([rows])


def test_a_value_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="every value has to be a number"):
        stack_kernels([[[float("nan")]]])


def test_an_unknown_kernel_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"kernels=sharp: .* did you mean 'sharpen'\?"):
        stack_kernels(["blur", "sharp"])


def test_no_kernel_at_all_is_refused_with_all_there_are() -> None:
    with pytest.raises(ValueError, match=r"one kernel or more\. There are: blur, edges, "):
        stack_kernels([])


def test_a_name_alone_is_one_kernel() -> None:
    assert torch.equal(stack_kernels("blur"), stack_kernels(["blur"]))


def test_one_matrix_in_place_of_a_list_of_them_is_told() -> None:
    with pytest.raises(ValueError, match=r"kernels: \[0, 1, 0\] is a row; a kernel is a list of rows"):
        stack_kernels([[0, 1, 0], [1, 0, 1], [0, 1, 0]])  # type: ignore[list-item]
