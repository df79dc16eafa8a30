import pytest
import torch
from torch import nn

from firstlight.networks import CNN, MLP, LeNet, Linear
from firstlight.networks.initialisation import INITIALISATIONS, initialise
from helpers.twin import images_of


def layers() -> nn.Sequential:
    """A convolution (fan-in 288, fan-out 576), batch normalisation, and a linear layer (fan-in 400, fan-out 200)."""
    return nn.Sequential(nn.Conv2d(32, 64, 3), nn.BatchNorm2d(64), nn.Linear(400, 200))


EXPECTED_STDS = {
    "zeros": (0, 0),
    "normal": (0.01, 0.01),
    "xavier": ((2 / (288 + 576)) ** 0.5, (2 / 600) ** 0.5),
    "he": ((2 / 288) ** 0.5, (2 / 400) ** 0.5),
    "orthogonal": (288**-0.5, 400**-0.5),  # 64 or 200 rows of length 1
}


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_weights_have_the_std_of_the_paper_and_biases_are_zero(name: str) -> None:
    network = layers()
    initialise(network, name)
    for index, std in zip((0, 2), EXPECTED_STDS[name], strict=True):
        weight = network.get_parameter(f"{index}.weight").detach()
        assert float(weight.mean()) == pytest.approx(0, abs=1e-2)
        assert float(weight.std()) == pytest.approx(std, rel=0.05)
        assert not network.get_parameter(f"{index}.bias").any()


def test_orthogonal_rows_are_orthogonal() -> None:
    network = layers()
    initialise(network, "orthogonal")
    for weight in (network.get_parameter("0.weight").flatten(1), network.get_parameter("2.weight")):
        torch.testing.assert_close(weight @ weight.T, torch.eye(len(weight)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_normalisation_layers_do_not_change(name: str) -> None:
    network = layers()
    initialise(network, name)
    assert torch.equal(network.get_parameter("1.weight"), torch.ones(64))


def test_none_changes_nothing() -> None:
    network = layers()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    initialise(network, None)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("network_class", [CNN, LeNet, Linear, MLP])
def test_the_option_of_a_network_initialises_it(network_class: type[nn.Module]) -> None:
    network = network_class(images_of(32), initialisation="zeros").eval()
    assert not network(torch.randn(2, 3, 32, 32)).any()


def test_an_unknown_initialisation_raises_an_error_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"initialisation=xaver: .* did you mean 'xavier'\?"):
        initialise(layers(), "xaver")
