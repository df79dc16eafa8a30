import torch
from torch import nn

from firstlight.networks import MLP, LeNet, Linear
from firstlight.networks.flops import flops_per_sample, num_parameters
from firstlight.spec import DataSpec

DIGITS = DataSpec((1, 32, 32), 10, tuple("0123456789"), (0.5,), (0.2,))


def test_a_linear_network_costs_a_product_and_a_sum_for_each_weight() -> None:
    assert flops_per_sample(Linear(DIGITS), DIGITS) == 2 * 32 * 32 * 10


def test_lenet_costs_what_counting_by_hand_gives() -> None:
    convolutions = 28 * 28 * 6 * 25 + 10 * 10 * 16 * 6 * 25 + 120 * 16 * 25
    dense = 120 * 84 + 84 * 10
    assert flops_per_sample(LeNet(DIGITS), DIGITS) == 2 * (convolutions + dense) == 833_040


def test_the_network_is_left_as_it_was() -> None:
    network = MLP(DIGITS, hidden_sizes=(8,), dropout=0.5).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random_state = torch.get_rng_state()
    flops_per_sample(network, DIGITS)
    assert network.training
    assert all(module.training for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert {value.device.type for value in network.state_dict().values()} == {"cpu"}
    assert torch.equal(torch.get_rng_state(), random_state)


def test_batch_normalisation_counts_nothing_and_keeps_its_averages() -> None:
    network = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(1024, 10))
    assert flops_per_sample(network, DIGITS) == 2 * 1024 * 10
    assert int(network[0].num_batches_tracked) == 0


def test_parameters_are_counted_frozen_or_not() -> None:
    network = Linear(DIGITS)
    network.output.bias.requires_grad_(False)
    assert num_parameters(network) == 1024 * 10 + 10
