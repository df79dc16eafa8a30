from typing import Any

import pytest
import torch
from torch import nn

from firstlight.networks import CNN
from firstlight.networks.network import num_parameters
from helpers.twin import images_of


def kinds(network: nn.Module) -> list[type[nn.Module]]:
    return [type(module) for module in network.modules() if not isinstance(module, nn.Sequential)]


def test_the_default_layers_are_those_that_courses_teach() -> None:
    block = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Dropout, nn.MaxPool2d]
    assert kinds(CNN(images_of(28)))[1:] == [*block * 3, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]


def test_the_number_of_parameters_on_1x28x28_is_that_counted_by_hand() -> None:
    convolutions = 25 * 9 + 50 * 25 * 9 + 75 * 50 * 9 + 2 * (25 + 50 + 75)
    linear = 512 * (75 * 3 * 3 + 1) + 10 * (512 + 1)
    assert num_parameters(CNN(images_of(28, channels=1))) == convolutions + linear


def test_blocks_and_linear_layers_have_the_given_sizes() -> None:
    network = CNN(images_of(32), filters=(4, 6), kernel_size=5, hidden_sizes=(20, 10))
    convolutions = [module for module in network.features if isinstance(module, nn.Conv2d)]
    assert [(layer.in_channels, layer.out_channels, layer.kernel_size) for layer in convolutions] == [
        (3, 4, (5, 5)),
        (4, 6, (5, 5)),
    ]
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [(6 * 64, 20), (20, 10), (10, 10)]


def test_all_optional_layers_can_be_omitted() -> None:
    network = CNN(images_of(8), filters=(4,), batch_norm=False, activation="linear", pooling=None, hidden_sizes=())
    assert kinds(network)[1:] == [nn.Conv2d, nn.Identity, nn.Dropout, nn.Linear]
    assert network.output.in_features == 4 * 8 * 8


def test_activation_pooling_and_dropout_can_be_chosen() -> None:
    network = CNN(images_of(32), activation="tanh", pooling="average", dropout=0.1, head_dropout=0.4)
    found = kinds(network)
    assert (found.count(nn.Tanh), found.count(nn.AvgPool2d)) == (4, 3)
    assert [module.p for module in network.modules() if isinstance(module, nn.Dropout)] == [0.1, 0.1, 0.1, 0.4]


@pytest.mark.parametrize("size", [(8, 8), (9, 31), (33, 10)])
def test_poolings_that_would_leave_a_single_pixel_are_omitted(size: tuple[int, int]) -> None:
    network = CNN(images_of(*size), filters=(4,) * 6)
    assert network.train()(torch.randn(1, 3, *size)).isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": ()}, r"filters=\[\]: must be at least one"),
        ({"filters": (4, 0)}, r"filters=0: must be at least 1"),
        ({"kernel_size": 4}, "kernel_size=4: must be odd"),
        ({"kernel_size": -1}, "kernel_size=-1: must be at least 1"),
        ({"hidden_sizes": (0,)}, r"hidden_sizes=0: must be at least 1"),
        ({"dropout": 1.0}, "dropout=1.0: must be at least 0 and below 1"),
        ({"head_dropout": -0.5}, "head_dropout=-0.5: must be at least 0"),
        ({"pooling": "median"}, "pooling=median: unknown pooling"),
        ({"activation": "rellu"}, r"activation=rellu: .* did you mean 'relu'\?"),
    ],
)
def test_an_invalid_option_raises_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CNN(images_of(32), **options)
