import pytest
import torch

from firstlight.networks.same_padding import SameConv2d


@pytest.mark.parametrize("side", [1, 4, 7, 8])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 2), (3, 1), (3, 2), (5, 2), (5, 3)])
def test_an_output_side_is_the_input_side_divided_by_the_stride_rounded_up(side: int, kernel: int, stride: int) -> None:
    found = SameConv2d(1, 2, kernel, stride)(torch.ones(3, 1, side, 8))
    assert found.shape == (3, 2, -(-side // stride), -(-8 // stride))


@pytest.mark.parametrize(("side", "first"), [(8, 0), (7, -1)])
def test_the_extra_pixel_of_odd_padding_is_at_the_right_and_at_the_bottom(side: int, first: int) -> None:
    layer = SameConv2d(1, 1, 3, stride=2, bias=False)
    torch.nn.init.ones_(layer.weight)
    pixels = torch.arange(side * side, dtype=torch.float32).view(side, side)
    seen = {row: [r for r in range(first + row, first + row + 3) if 0 <= r < side] for row in range(0, side, 2)}
    expected = torch.tensor([[pixels[rows][:, columns].sum() for columns in seen.values()] for rows in seen.values()])
    assert torch.equal(layer(pixels[None, None])[0, 0], expected)


def test_stride_1_pads_as_pytorch_does() -> None:
    same, plain = SameConv2d(2, 3, 5), torch.nn.Conv2d(2, 3, 5, padding="same")
    plain.load_state_dict(same.state_dict())
    inputs = torch.randn(2, 2, 9, 12)
    torch.testing.assert_close(same(inputs), plain(inputs))
