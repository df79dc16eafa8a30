import pytest
import torch
from torch import nn

from firstlight.networks import MLP, Linear
from firstlight.networks.network import num_parameters
from firstlight.spec import DataSpec

SPEC = DataSpec((1, 4, 4), 3, ("a", "b", "c"), (0.5,), (0.2,))


def layer_sizes(network: nn.Module) -> list[tuple[int, int]]:
    return [(layer.in_features, layer.out_features) for layer in network.modules() if isinstance(layer, nn.Linear)]


def test_hidden_layers_have_the_given_sizes() -> None:
    assert layer_sizes(MLP(SPEC, hidden_sizes=(20, 10, 5))) == [(16, 20), (20, 10), (10, 5), (5, 3)]


def test_the_default_is_two_hidden_layers_of_256_and_128() -> None:
    assert layer_sizes(MLP(SPEC)) == [(16, 256), (256, 128), (128, 3)]


def test_without_hidden_layers_it_is_linear() -> None:
    network, linear = MLP(SPEC, hidden_sizes=()), Linear(SPEC)
    linear.load_state_dict(network.state_dict())
    inputs = torch.randn(2, 1, 4, 4)
    assert torch.equal(network(inputs), linear(inputs))
    assert num_parameters(network) == 16 * 3 + 3


def test_the_activation_follows_every_layer_except_the_last() -> None:
    network = MLP(SPEC, hidden_sizes=(6,), activation="sigmoid")
    inputs = torch.randn(2, 1, 4, 4)
    hidden = torch.sigmoid(network.hidden[0](inputs.flatten(1)))
    torch.testing.assert_close(network(inputs), network.output(hidden))


def test_without_nonlinear_activation_it_is_linear() -> None:
    network = MLP(SPEC, hidden_sizes=(6, 5), activation="linear")
    zero, inputs = torch.zeros(1, 1, 4, 4), torch.randn(2, 1, 4, 4)
    bias = network(zero)
    torch.testing.assert_close(network(3 * inputs) - bias, 3 * (network(inputs) - bias))


def test_dropout_is_active_in_training_only() -> None:
    network = MLP(SPEC, hidden_sizes=(200,), dropout=0.5)
    inputs = torch.randn(1, 1, 4, 4)
    assert not torch.equal(network(inputs), network(inputs))
    network.eval()
    assert torch.equal(network(inputs), network(inputs))


def test_dropout_drops_the_given_fraction() -> None:
    network = MLP(SPEC, hidden_sizes=(10_000,), activation="sigmoid", dropout=0.3)
    dropped = (network.hidden(torch.randn(1, 16)) == 0).float().mean()
    assert float(dropped) == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("hidden_sizes", [(0,), (10, -1)])
def test_a_layer_without_units_raises_an_error(hidden_sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="hidden_sizes="):
        MLP(SPEC, hidden_sizes=hidden_sizes)


@pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan")])
def test_a_dropout_out_of_range_raises_an_error(dropout: float) -> None:
    with pytest.raises(ValueError, match=f"dropout={dropout}"):
        MLP(SPEC, dropout=dropout)


def test_an_unknown_activation_raises_an_error() -> None:
    with pytest.raises(ValueError, match=r"activation=rello: .* did you mean 'relu'\?"):
        MLP(SPEC, activation="rello")
    with pytest.raises(ValueError, match="activation=rello"):
        MLP(SPEC, hidden_sizes=(), activation="rello")
