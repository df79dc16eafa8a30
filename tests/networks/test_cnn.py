from typing import Any

import pytest
import torch
from torch import nn

from firstlight.networks import CNN
from firstlight.networks.flops import num_parameters
from helpers.twin import images_of


def kinds(network: nn.Module) -> list[type[nn.Module]]:
    return [type(module) for module in network.modules() if not isinstance(module, nn.Sequential)]


def test_the_defaults_are_those_of_the_courses() -> None:
    block = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Dropout, nn.MaxPool2d]
    assert kinds(CNN(images_of(28)))[1:] == [*block * 3, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]


def test_on_1x28x28_the_parameters_are_what_counting_by_hand_gives() -> None:
    convolutions = 25 * 9 + 50 * 25 * 9 + 75 * 50 * 9 + 2 * (25 + 50 + 75)
    dense = 512 * (75 * 3 * 3 + 1) + 10 * (512 + 1)
    assert num_parameters(CNN(images_of(28, channels=1))) == convolutions + dense


def test_base_and_head_are_as_wide_as_asked() -> None:
    network = CNN(images_of(32), filters=(4, 6), kernel_size=5, hidden_sizes=(20, 10))
    convolutions = [module for module in network.features if isinstance(module, nn.Conv2d)]
    assert [(layer.in_channels, layer.out_channels, layer.kernel_size) for layer in convolutions] == [
        (3, 4, (5, 5)),
        (4, 6, (5, 5)),
    ]
    dense = [module for module in network.modules() if isinstance(module, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in dense] == [(6 * 64, 20), (20, 10), (10, 10)]


def test_everything_that_can_be_left_out_can_be_left_out() -> None:
    network = CNN(images_of(8), filters=(4,), batch_norm=False, activation="linear", pooling=None, hidden_sizes=())
    assert kinds(network)[1:] == [nn.Conv2d, nn.Identity, nn.Dropout, nn.Linear]
    assert network.output.in_features == 4 * 8 * 8


def test_activation_pooling_and_dropout_can_be_chosen() -> None:
    network = CNN(images_of(32), activation="tanh", pooling="average", dropout=0.1, head_dropout=0.4)
    found = kinds(network)
    assert (found.count(nn.Tanh), found.count(nn.AvgPool2d)) == (4, 3)
    assert [module.p for module in network.modules() if isinstance(module, nn.Dropout)] == [0.1, 0.1, 0.1, 0.4]


@pytest.mark.parametrize("size", [(8, 8), (9, 31), (33, 10)])
def test_poolings_that_would_leave_a_single_pixel_are_left_out(size: tuple[int, int]) -> None:
    network = CNN(images_of(*size), filters=(4,) * 6)
    assert network.train()(torch.randn(1, 3, *size)).isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": ()}, r"filters=\[\]: one block or more"),
        ({"filters": (4, 0)}, r"filters=\[4, 0\]: .* one filter or more"),
        ({"kernel_size": 4}, "kernel_size=4: an odd number"),
        ({"kernel_size": -1}, "kernel_size=-1: an odd number"),
        ({"hidden_sizes": (0,)}, r"hidden_sizes=\[0\]: a layer has one unit or more"),
        ({"dropout": 1.0}, "dropout=1.0: a probability"),
        ({"head_dropout": -0.5}, "head_dropout=-0.5: a probability"),
        ({"pooling": "median"}, "pooling=median: there is average and max pooling"),
        ({"activation": "rellu"}, r"activation=rellu: .* did you mean 'relu'\?"),
    ],
)
def test_an_option_out_of_its_range_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CNN(images_of(32), **options)
