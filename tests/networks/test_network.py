import copy
from typing import Any

import torch
from torch import nn

from firstlight.networks import GAN, Linear, Network
from firstlight.networks.network import class_of, completed, example_of
from helpers.small import IMAGES, TOKENS


class Foreign(nn.Linear):
    min_size = 16
    head_names = ("",)


def build(width: int) -> nn.Module:
    return nn.Linear(width, 2)


def test_a_class_of_another_library_has_its_own_attributes_and_the_defaults() -> None:
    found = class_of(Foreign)
    assert (found.__name__, found.min_size, found.head_names) == ("Foreign", 16, ("",))
    assert (found.accepts, found.task, found.pretrained("default")) == (("images", "numbers", "tokens"), None, None)
    assert found.input_size_for(IMAGES, width=3) is None
    assert class_of(Linear) is Linear
    assert (class_of(build).__name__, class_of(build).min_size) == ("build", 1)


def test_a_module_gets_only_the_attributes_that_it_lacks_and_stays_the_same_module() -> None:
    module: Any = Foreign(2, 3)
    names = list(module.state_dict())
    network: Any = completed(module)
    assert network is module
    assert (network.min_size, network.has_state, network.unused_prefixes) == (16, False, ())
    assert network.example_input(1, "cpu") is None
    assert list(copy.deepcopy(network).state_dict()) == names
    assert not hasattr(nn.Linear(1, 1), "min_size")


def test_the_networks_of_firstlight_say_what_they_are() -> None:
    assert GAN.task == "adversarial"
    assert Linear.is_linear
    assert all(hasattr(Network, name) for name in Network.__annotations__)


def test_an_example_has_the_shape_and_type_of_an_input() -> None:
    assert example_of(IMAGES, 2).shape == (2, 1, 8, 8)
    assert example_of(TOKENS, 3).dtype == torch.int64
