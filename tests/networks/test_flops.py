import torch
from torch import nn

from firstlight.networks import MLP, LeNet, Linear
from firstlight.networks.flops import flops_per_sample
from firstlight.networks.network import num_parameters
from firstlight.spec import DataSpec

DIGITS = DataSpec((1, 32, 32), 10, tuple("0123456789"), (0.5,), (0.2,))


def test_a_linear_layer_costs_a_multiplication_and_an_addition_per_weight() -> None:
    assert flops_per_sample(Linear(DIGITS), DIGITS) == 2 * 32 * 32 * 10


def test_the_cost_of_lenet_is_that_counted_by_hand() -> None:
    convolutions = 28 * 28 * 6 * 25 + 10 * 10 * 16 * 6 * 25 + 120 * 16 * 25
    linear = 120 * 84 + 84 * 10
    assert flops_per_sample(LeNet(DIGITS), DIGITS) == 2 * (convolutions + linear) == 833_040


def test_counting_does_not_change_the_network() -> None:
    network = MLP(DIGITS, hidden_sizes=(8,), dropout=0.5).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random_state = torch.get_rng_state()
    flops_per_sample(network, DIGITS)
    assert network.training
    assert all(module.training for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert {value.device.type for value in network.state_dict().values()} == {"cpu"}
    assert torch.equal(torch.get_rng_state(), random_state)


def test_batch_normalisation_costs_nothing_and_keeps_its_averages() -> None:
    network = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(1024, 10))
    assert flops_per_sample(network, DIGITS) == 2 * 1024 * 10
    assert int(network.get_buffer("0.num_batches_tracked")) == 0


def test_frozen_parameters_are_counted() -> None:
    network = Linear(DIGITS)
    network.output.bias.requires_grad_(False)
    assert num_parameters(network) == 1024 * 10 + 10
