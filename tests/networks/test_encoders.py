import pytest
import torch

from firstlight.networks import EfficientNetLite, MobileNet, ResNet
from firstlight.networks.encoders import Encoder, shapes_of
from firstlight.spec import DataSpec

SPEC = DataSpec((3, 72, 70), 2, ("a", "b"), (0.5,) * 3, (0.5,) * 3)
SIZES = [(36, 35), (18, 18), (9, 9), (5, 5), (3, 3)]
CHANNELS = {
    "efficientnet_lite0": [16, 24, 40, 112, 320],
    "mobilenet": [16, 24, 32, 96, 1280],
    "resnet18": [64, 64, 128, 256, 512],
}


@pytest.mark.parametrize("name", CHANNELS)
def test_an_encoder_returns_the_last_feature_map_of_each_size(name: str) -> None:
    encoder = Encoder(SPEC, name).eval()
    with torch.no_grad():
        found = encoder(torch.randn(1, 3, 72, 70))
    assert [tuple(each.shape[1:]) for each in found] == [
        (channels, *size) for channels, size in zip(CHANNELS[name], SIZES, strict=True)
    ]
    assert shapes_of(encoder, SPEC) == [tuple(each.shape[1:]) for each in found]


@pytest.mark.parametrize(("name", "network"), [("mobilenet", MobileNet), ("resnet18", ResNet)])
def test_the_smallest_feature_map_is_what_the_network_classifies(name: str, network: type) -> None:
    encoder, whole, images = Encoder(SPEC, name).eval(), network(SPEC).eval(), torch.randn(2, 3, 72, 70)
    whole.load_state_dict(encoder.network.state_dict(), strict=False)
    layer = whole.classifier if name == "mobilenet" else whole.fc
    with torch.no_grad():
        torch.testing.assert_close(layer(encoder(images)[-1].mean((2, 3))), whole(images))


def test_the_stem_of_small_images_keeps_their_size() -> None:
    small = DataSpec((1, 32, 32), 2, ("a", "b"), (0.5,), (0.5,))
    assert [shape[1] for shape in shapes_of(Encoder(small, "efficientnet_lite0"), small)] == [32, 16, 8, 4]
    assert not hasattr(Encoder(small, "efficientnet_lite0").network, "conv_head")
    assert hasattr(EfficientNetLite(small), "conv_head")
