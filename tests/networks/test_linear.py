import pytest
import torch

from firstlight.networks import Linear
from firstlight.spec import DataSpec

NUMBERS = DataSpec((2,), 1, ("y",), (0.0,) * 2, (1.0,) * 2, target_mean=(0.0,), target_std=(1.0,))
SPEC = DataSpec((3, 4, 5), 7, tuple("abcdefg"), (0.5,) * 3, (0.2,) * 3)


def test_the_logits_are_one_matrix_product_and_a_bias() -> None:
    network = Linear(SPEC)
    inputs = torch.randn(2, 3, 4, 5)
    expected = inputs.reshape(2, 60) @ network.output.weight.T + network.output.bias
    torch.testing.assert_close(network(inputs), expected)


def test_there_is_a_weight_for_each_pixel_and_class_and_a_bias_for_each_class() -> None:
    assert sorted(parameter.numel() for parameter in Linear(SPEC).parameters()) == [7, 420]


def test_inputs_may_be_numbers() -> None:
    assert Linear(DataSpec((12,), 3, ("a", "b", "c"), (0.0,), (1.0,)))(torch.randn(2, 12)).shape == (2, 3)


def test_start_sets_the_initial_weights_and_bias() -> None:
    network = Linear(NUMBERS, start=[3, -1, 5])
    torch.testing.assert_close(network(torch.tensor([[10.0, 100.0]])), torch.tensor([[30.0 - 100 + 5]]))
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(("spec", "start"), [(NUMBERS, [1.0, 2.0]), (NUMBERS, []), (SPEC, [0.0] * 61)])
def test_a_start_of_the_wrong_length_raises_an_error(spec: DataSpec, start: list[float]) -> None:
    with pytest.raises(ValueError, match=r"start=\[.*must be .* weights and a bias, for one output"):
        Linear(spec, start=start)
