import copy
import io
import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from firstlight.networks import Transformer
from firstlight.networks.network import num_parameters
from firstlight.spec import DataSpec

TEXT = DataSpec((12,), 9, tuple("abcdefghi"), (), ())


def small(**options: Any) -> Transformer:
    return Transformer(TEXT, **({"embedding_dim": 16, "num_layers": 2, "num_heads": 2} | options))


def tokens(batch: int = 4, length: int = 12, seed: int = 0) -> Tensor:
    return torch.randint(0, 9, (batch, length), generator=torch.Generator().manual_seed(seed))


def loss_of(network: Transformer) -> Tensor:
    return F.cross_entropy(network(tokens()).flatten(0, 1), tokens(seed=1).flatten())


@pytest.mark.parametrize("length", [1, 5, 12])
def test_each_position_has_a_logit_for_each_token(length: int) -> None:
    assert small()(tokens(3, length)).shape == (3, length, 9)


def test_a_sequence_longer_than_the_samples_raises_an_error() -> None:
    with pytest.raises(ValueError, match="length=13: must be at most 12 tokens"):
        small()(tokens(1, 13))


def test_logits_do_not_depend_on_later_tokens() -> None:
    network, changed = small(), tokens()
    changed[:, 7] = (changed[:, 7] + 1) % 9
    before, after = network(tokens()), network(changed)
    torch.testing.assert_close(before[:, :7], after[:, :7], atol=1e-6, rtol=0)
    assert not torch.allclose(before[:, 7:], after[:, 7:])


def test_logits_depend_on_all_earlier_tokens() -> None:
    network, changed = small(), tokens()
    changed[:, 0] = (changed[:, 0] + 1) % 9
    difference = (network(tokens()) - network(changed)).abs().amax(2)
    assert (difference > 1e-6).all()


def test_a_shorter_sequence_gives_the_first_logits_of_a_longer_one() -> None:
    network = small()
    torch.testing.assert_close(network(tokens()[:, :5]), network(tokens())[:, :5], atol=1e-6, rtol=1e-5)


def test_the_order_of_earlier_tokens_matters() -> None:
    network = small()
    assert not torch.allclose(network(torch.tensor([[1, 2, 3]]))[:, -1], network(torch.tensor([[2, 1, 3]]))[:, -1])


def test_attention_is_the_softmax_of_products_with_earlier_positions() -> None:
    block: Any = small(num_heads=1).blocks[0]
    hidden = torch.randn(2, 5, 16)
    queries, keys, values = block.qkv(hidden).split(16, dim=2)
    products = queries @ keys.transpose(1, 2) / math.sqrt(16)
    weights = products.masked_fill(torch.ones(5, 5).triu(1).bool(), -math.inf).softmax(2)
    torch.testing.assert_close(block._attend(hidden), weights @ values)


def test_a_gradient_reaches_every_parameter() -> None:
    network = small(dropout=0.1)
    loss_of(network).backward()
    assert [
        name for name, weights in network.named_parameters() if weights.grad is None or not weights.grad.any()
    ] == []


def test_it_overfits_a_text() -> None:
    torch.manual_seed(0)
    network = small(embedding_dim=32)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(100):
        loss = loss_of(network)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.05


def test_the_number_of_parameters_is_that_counted_by_hand() -> None:
    block = 16 * 48 + 48 + 16 * 16 + 16 + 16 * 64 + 64 + 64 * 16 + 16 + 2 * 32
    assert num_parameters(small()) == 9 * 16 + 12 * 16 + 2 * block + 32


def test_the_output_layer_and_the_embedding_have_the_same_weights() -> None:
    for network in (small(), copy.deepcopy(small()), small().double()):
        assert network.output.weight is network.embedding.weight


def test_initial_predictions_are_almost_uniform() -> None:
    assert loss_of(small(embedding_dim=128, num_layers=8)).item() == pytest.approx(math.log(9), abs=0.1)


def test_dropout_is_active_in_training_only() -> None:
    network = small(dropout=0.5)
    assert not torch.equal(network(tokens()), network(tokens()))
    network.eval()
    assert torch.equal(network(tokens()), network(tokens()))


def test_a_saved_state_gives_the_same_outputs() -> None:
    saved, loaded, file = small(), small(), io.BytesIO()
    torch.save(saved.state_dict(), file)
    file.seek(0)
    assert not torch.equal(saved(tokens()), loaded(tokens()))
    loaded.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(saved(tokens()), loaded(tokens()))


def test_a_copy_runs_on_the_meta_device() -> None:
    meta_network = copy.deepcopy(small().to(memory_format=torch.channels_last)).to("meta")
    assert meta_network(meta_network.example_input(1, "meta")).shape == (1, 12, 9)


def test_an_empty_batch_gives_an_empty_output() -> None:
    assert small()(tokens(0)).shape == (0, 12, 9)


@pytest.mark.parametrize("name", ["embedding_dim", "num_layers", "num_heads"])
def test_a_size_below_one_raises_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}=0: must be at least 1"):
        small(**{name: 0})


def test_a_number_of_heads_that_does_not_divide_the_embedding_raises_an_error() -> None:
    with pytest.raises(ValueError, match="num_heads=3: must be a divisor of embedding_dim=16"):
        small(num_heads=3)


@pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan")])
def test_a_dropout_out_of_range_raises_an_error(dropout: float) -> None:
    with pytest.raises(ValueError, match=f"dropout={dropout}"):
        small(dropout=dropout)


def test_an_unknown_activation_raises_an_error() -> None:
    with pytest.raises(ValueError, match=r"activation=gellu: .* did you mean 'gelu'\?"):
        Transformer(TEXT, activation="gellu")
