import math

import pytest
import torch

from firstlight.networks.activation import ACTIVATIONS, build_activation

AT_MINUS_1 = {
    "linear": -1.0,
    "sigmoid": 1 / (1 + math.e),
    "tanh": math.tanh(-1),
    "relu": 0.0,
    "leaky_relu": -0.01,
    "elu": 1 / math.e - 1,
    "gelu": -(1 - math.erf(1 / math.sqrt(2))) / 2,
    "silu": -1 / (1 + math.e),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_the_function_of_its_name(name: str) -> None:
    assert float(build_activation(name)(torch.tensor(-1.0))) == pytest.approx(AT_MINUS_1[name], abs=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_writing_over_the_input_changes_neither_values_nor_gradients(name: str) -> None:
    inputs = torch.linspace(-3, 3, 20, requires_grad=True)
    found = []
    for inplace in (False, True):
        outputs = build_activation(name, inplace=inplace)(inputs * 1)  # a copy that may be written over
        found.append((outputs, *torch.autograd.grad(outputs.sum(), inputs)))
    torch.testing.assert_close(*found)


def test_relu_writes_over_its_input_where_it_may() -> None:
    inputs = torch.tensor([-1.0, 1.0])
    build_activation("relu")(inputs)
    assert inputs.tolist() == [-1, 1]
    build_activation("relu", inplace=True)(inputs)
    assert inputs.tolist() == [0, 1]


def test_every_call_makes_a_new_module() -> None:
    assert build_activation("relu") is not build_activation("relu")


def test_a_misspelled_activation_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"activation=leakyrelu: .* did you mean 'leaky_relu'\?"):
        build_activation("leakyrelu")


def test_a_name_like_no_other_is_refused_with_all_there_are() -> None:
    with pytest.raises(ValueError, match="There are: elu, gelu, leaky_relu, linear, relu, sigmoid, silu, tanh"):
        build_activation("xyz")
