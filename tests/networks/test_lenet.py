import pytest
import torch
from torch import nn

from firstlight.networks import LeNet
from firstlight.networks.network import num_parameters
from firstlight.spec import DataSpec


def spec(channels: int = 1, height: int = 32, width: int = 32, classes: int = 10) -> DataSpec:
    labels = tuple(str(number) for number in range(classes))
    return DataSpec((channels, height, width), classes, labels, (0.5,) * channels, (0.2,) * channels)


def kinds(network: nn.Module) -> list[type[nn.Module]]:
    return [type(module) for module in network.modules()]


def test_on_32x32_with_ten_classes_it_has_61706_parameters() -> None:
    layers = [
        6 * (25 + 1),
        16 * (6 * 25 + 1),
        120 * (16 * 25 + 1),
        84 * (120 + 1),
        10 * (84 + 1),
    ]
    assert num_parameters(LeNet(spec())) == sum(layers) == 61_706


def test_on_32x32_the_layers_have_the_shapes_of_the_paper() -> None:
    network, shapes = LeNet(spec()), []
    features = torch.randn(2, 1, 32, 32)
    for layer in network.features:
        features = layer(features)
        shapes.append(tuple(features.shape[1:]))
    assert shapes[::3] + shapes[2::3] == [(6, 28, 28), (16, 10, 10), (120, 1, 1), (6, 14, 14), (16, 5, 5)]
    assert network.hidden(features.flatten(1)).shape == (2, 84)


@pytest.mark.parametrize("size", [(32, 32), (33, 35), (32, 47), (36, 32), (64, 64)])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_32x32_or_more_have_a_logit_for_each_class(channels: int, size: tuple[int, int]) -> None:
    assert LeNet(spec(channels, *size, classes=7))(torch.randn(2, channels, *size)).shape == (2, 7)


def test_on_64x64_the_third_convolution_leaves_a_grid_of_9x9() -> None:
    network = LeNet(spec(1, 64, 64))
    assert network.features(torch.randn(2, 1, 64, 64)).shape == (2, 120, 9, 9)


@pytest.mark.parametrize("size", [(31, 32), (32, 31), (8, 8)])
def test_an_image_that_is_too_small_raises_an_error(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"at least 32x32, not {size[0]}x{size[1]}"):
        LeNet(spec(1, *size))


def test_the_defaults_are_tanh_and_average_pooling() -> None:
    found = kinds(LeNet(spec()))
    assert (found.count(nn.Tanh), found.count(nn.AvgPool2d)) == (4, 2)


def test_activation_and_pooling_can_be_chosen() -> None:
    found = kinds(LeNet(spec(), activation="relu", pooling="max"))
    assert (found.count(nn.ReLU), found.count(nn.MaxPool2d)) == (4, 2)
    assert nn.Tanh not in found
    assert nn.AvgPool2d not in found


def test_an_unknown_pooling_raises_an_error() -> None:
    with pytest.raises(ValueError, match="pooling=median: unknown pooling"):
        LeNet(spec(), pooling="median")


def test_an_unknown_activation_raises_an_error() -> None:
    with pytest.raises(ValueError, match=r"activation=tahn: .* did you mean 'tanh'\?"):
        LeNet(spec(), activation="tahn")
