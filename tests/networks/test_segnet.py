import torch
from torch import nn

from firstlight.networks.segnet import SegNet, pool, unpool
from firstlight.spec import DataSpec

SPEC = DataSpec((3, 37, 53), 4, tuple("abcd"), (0.5,) * 3, (0.2,) * 3, target_type="masks")


def test_unpooling_gives_back_the_places_that_pooling_took_bit_for_bit() -> None:
    inputs = torch.randn(2, 3, 7, 10, generator=torch.Generator().manual_seed(0))
    pooled, places = pool(inputs)
    back = unpool(pooled, places, (7, 10))
    expected = torch.zeros_like(inputs)
    for row in range(3):
        for column in range(5):
            part = inputs[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            largest = part == part.amax((2, 3), keepdim=True)
            expected[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = part * largest
    assert torch.equal(back, expected)
    assert torch.equal(back, nn.MaxUnpool2d(2)(pooled, places, (7, 10)))
    assert torch.equal(pool(back.where(back != 0, -9.0))[1], places)


def test_the_decoder_of_each_level_gets_the_places_of_the_encoder_of_this_level() -> None:
    network = SegNet(SPEC, depth=3, base_channels=4).eval()
    seen: dict[str, torch.Tensor] = {}
    network.encoder[1].register_forward_hook(lambda _m, _i, outputs: seen.update(encoded=outputs))
    network.decoder[1].register_forward_hook(lambda _m, inputs, _o: seen.update(unpooled=inputs[0]))
    with torch.no_grad():
        assert network(torch.randn(2, 3, 37, 53)).shape == (2, 4, 37, 53)
    places = pool(seen["encoded"])[1].flatten(2)
    kept = torch.zeros_like(seen["unpooled"]).flatten(2).scatter(2, places, 1.0).view_as(seen["unpooled"]) > 0
    assert seen["unpooled"].shape == seen["encoded"].shape
    assert not seen["unpooled"][~kept].any()
    assert seen["unpooled"][kept].any()


def test_it_has_the_layers_of_the_paper() -> None:
    network = SegNet(DataSpec((3, 64, 64), 4, tuple("abcd"), (0.5,) * 3, (0.2,) * 3), base_channels=2)
    channels = [32 * layer.out_channels for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert channels[:13] == [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    assert channels[13:] == [512, 512, 512, 512, 512, 256, 256, 256, 128, 128, 64, 64, 32 * 4]
