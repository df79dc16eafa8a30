import pytest
import torch
from torch import nn
from torch.nn import functional as F

from firstlight.networks.fcn import FCN, enlarge
from firstlight.spec import DataSpec


def spec(height: int, width: int) -> DataSpec:
    return DataSpec((3, height, width), 3, tuple("abc"), (0.5,) * 3, (0.2,) * 3, target_type="masks")


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_transposed_convolution_begins_as_bilinear_interpolation(factor: int) -> None:
    images = torch.randn(1, 2, 6, 5)
    with torch.no_grad():
        found = enlarge(2, factor)(images)
    expected = F.interpolate(images, scale_factor=factor, mode="bilinear")
    inside = slice(factor, -factor)  # beyond the edges, one takes zeros and the other the border
    torch.testing.assert_close(found[:, :, inside, inside], expected[:, :, inside, inside])


@pytest.mark.parametrize(("skips", "stride"), [(0, 32), (1, 16), (2, 8), (None, 1)])
def test_skips_say_which_stride_the_finest_logits_have(skips: int | None, stride: int) -> None:
    network = FCN(spec(64, 96), base_channels=2, skips=skips).eval()
    seen: list[tuple[int, ...]] = []
    network.logits[0].register_forward_hook(lambda _m, _i, outputs: seen.append(tuple(outputs.shape[2:])))
    with torch.no_grad():
        assert network(torch.randn(1, 3, 64, 96)).shape == (1, 3, 64, 96)
    assert seen == [(64 // stride, 96 // stride)]
    last = [layer.stride for layer in network.last.modules() if isinstance(layer, nn.ConvTranspose2d)]
    assert last == ([(stride, stride)] if stride > 1 else [])


@pytest.mark.parametrize("encoder", [None, "mobilenet", "vgg11"])
def test_it_takes_images_of_any_size(encoder: str | None) -> None:
    network = FCN(spec(37, 53), base_channels=2, skips=2, encoder=encoder).eval()
    with torch.no_grad():
        assert network(torch.randn(2, 3, 37, 53)).shape == (2, 3, 37, 53)
