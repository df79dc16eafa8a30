import math

import pytest
import torch

from firstlight.networks.layers import ACTIVATIONS, build_activation, build_dropout, build_pooling

AT_MINUS_1 = {
    "linear": -1.0,
    "sigmoid": 1 / (1 + math.e),
    "tanh": math.tanh(-1),
    "relu": 0.0,
    "leaky_relu": -0.01,
    "elu": 1 / math.e - 1,
    "gelu": -(1 - math.erf(1 / math.sqrt(2))) / 2,
    "silu": -1 / (1 + math.e),
    "softplus": math.log(1 + 1 / math.e),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_each_activation_computes_its_function(name: str) -> None:
    assert float(build_activation(name)(torch.tensor(-1.0))) == pytest.approx(AT_MINUS_1[name], abs=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_inplace_activations_keep_values_and_gradients(name: str) -> None:
    inputs = torch.linspace(-3, 3, 20, requires_grad=True)
    found = []
    for inplace in (False, True):
        outputs = build_activation(name, inplace=inplace)(inputs * 1)  # a copy that may be overwritten
        found.append((outputs, *torch.autograd.grad(outputs.sum(), inputs)))
    torch.testing.assert_close(*found)


def test_relu_overwrites_its_input_only_with_inplace() -> None:
    inputs = torch.tensor([-1.0, 1.0])
    build_activation("relu")(inputs)
    assert inputs.tolist() == [-1, 1]
    build_activation("relu", inplace=True)(inputs)
    assert inputs.tolist() == [0, 1]


def test_every_call_builds_a_new_layer() -> None:
    assert build_activation("relu") is not build_activation("relu")


def test_an_unknown_activation_raises_an_error_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"activation=leakyrelu: .* did you mean 'leaky_relu'\?"):
        build_activation("leakyrelu")


def test_an_activation_unlike_all_others_raises_an_error_with_all_names() -> None:
    with pytest.raises(ValueError, match="known: elu, gelu, leaky_relu, linear, relu, sigmoid, silu, softplus, tanh"):
        build_activation("xyz")


@pytest.mark.parametrize(("name", "value"), [("average", 3.0), ("max", 6.0)])
def test_a_pooling_halves_the_image(name: str, value: float) -> None:
    image = torch.tensor([[[[1.0, 2.0, 5.0], [3.0, 6.0, 5.0]]]])
    assert build_pooling(name)(image).tolist() == [[[[value]]]]


def test_an_unknown_pooling_raises_an_error_with_all_names() -> None:
    with pytest.raises(ValueError, match="pooling=median: unknown pooling; known: average, max"):
        build_pooling("median")


def test_dropout_drops_the_given_fraction_in_training_only() -> None:
    layer, ones = build_dropout(0.3), torch.ones(10_000)
    assert float((layer(ones) == 0).float().mean()) == pytest.approx(0.3, abs=0.05)
    assert torch.equal(layer.eval()(ones), ones)


@pytest.mark.parametrize("probability", [-0.1, 1.0, float("nan")])
def test_a_dropout_out_of_range_raises_an_error_that_names_the_option(probability: float) -> None:
    with pytest.raises(ValueError, match=f"head_dropout={probability}: must be at least 0 and below 1"):
        build_dropout(probability, "head_dropout")
