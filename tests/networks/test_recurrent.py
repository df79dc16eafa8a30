import copy
import dataclasses
import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.networks import GRU, LSTM, RNN
from firstlight.networks.network import num_parameters
from firstlight.networks.recurrent import Recurrent
from firstlight.spec import DataSpec

TEXT = DataSpec((12,), 9, tuple("abcdefghi"), (), ())
NETWORKS = [RNN, GRU, LSTM]
every_network = pytest.mark.parametrize("network_class", NETWORKS)


def images(channels: int = 1, height: int = 8, width: int = 6) -> DataSpec:
    return DataSpec((channels, height, width), 3, ("a", "b", "c"), (0.5,) * channels, (0.2,) * channels)


def tokens(batch: int = 4, length: int = 12, seed: int = 0) -> Tensor:
    return torch.randint(0, 9, (batch, length), generator=torch.Generator().manual_seed(seed))


def tensors(state: Tensor | tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def train(network: nn.Module, inputs: Tensor, targets: Tensor, steps: int = 150) -> float:
    """Train with Adam, and return the last loss."""
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(steps):
        loss = F.cross_entropy(network(inputs).flatten(0, -2), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


@every_network
@pytest.mark.parametrize("tied_weights", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_each_position_has_a_logit_for_each_token(
    network_class: type[Recurrent], tied_weights: bool, num_layers: int
) -> None:
    network = network_class(TEXT, hidden_size=10, num_layers=num_layers, tied_weights=tied_weights)
    assert network(tokens()).shape == (4, 12, 9)
    assert network(tokens(2, 30)).shape == (2, 30, 9)
    assert network(network.example_input(3, "cpu")).shape == (3, 12, 9)


@every_network
@pytest.mark.parametrize("shape", [(1, 8, 6), (3, 5, 7), (1, 28, 28)], ids=str)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_each_image_has_a_logit_for_each_class(
    network_class: type[Recurrent], shape: tuple[int, int, int], bidirectional: bool
) -> None:
    network = network_class(images(*shape), hidden_size=10, bidirectional=bidirectional, num_layers=2)
    assert network(torch.randn(4, *shape)).shape == (4, 3)
    assert network(network.example_input(2, "cpu")).shape == (2, 3)


@every_network
def test_the_state_has_the_batch_as_its_second_dimension(network_class: type[Recurrent]) -> None:
    _, state = network_class(TEXT, hidden_size=10, num_layers=2).step(tokens(), None)
    assert [tuple(tensor.shape) for tensor in tensors(state)] == [(2, 4, 10)] * (2 if network_class is LSTM else 1)


@every_network
def test_steps_with_the_carried_state_equal_one_long_step(network_class: type[Recurrent]) -> None:
    network = network_class(TEXT, hidden_size=10, num_layers=2)
    whole, last = network.step(tokens(), None)
    first_half, state = network.step(tokens()[:, :6], None)
    second_half, carried = network.step(tokens()[:, 6:], state)
    torch.testing.assert_close(torch.cat([first_half, second_half], 1), whole)
    torch.testing.assert_close(tensors(carried), tensors(last))
    assert not torch.allclose(second_half, network(tokens()[:, 6:]))


@every_network
def test_logits_do_not_depend_on_later_tokens(network_class: type[Recurrent]) -> None:
    network, changed = network_class(TEXT, num_layers=2), tokens()
    changed[:, 7] = (changed[:, 7] + 1) % 9
    before, after = network(tokens()), network(changed)
    assert torch.equal(before[:, :7], after[:, :7])
    assert not torch.equal(before[:, 7:], after[:, 7:])


@every_network
@pytest.mark.parametrize("bidirectional", [False, True])
def test_images_are_read_downwards_and_with_bidirectional_also_upwards(
    network_class: type[Recurrent], bidirectional: bool
) -> None:
    network = network_class(images(2, 8, 6), hidden_size=10, bidirectional=bidirectional)
    image = torch.randn(2, 8, 6)
    rows = torch.stack([image[:, row].reshape(-1) for row in range(8)])
    outputs = network.layers(rows[None])[0][0]  # (height, directions * hidden_size)
    ends = [outputs[-1, :10]] + ([outputs[0, 10:]] if bidirectional else [])
    torch.testing.assert_close(network(image[None])[0], network.output(torch.cat(ends)))


@every_network
@pytest.mark.parametrize("tied_weights", [False, True])
def test_a_gradient_reaches_every_parameter_of_a_language_model(
    network_class: type[Recurrent], tied_weights: bool
) -> None:
    network = network_class(TEXT, hidden_size=10, num_layers=2, dropout=0.1, tied_weights=tied_weights)
    F.cross_entropy(network(tokens()).flatten(0, 1), tokens(seed=1).flatten()).backward()
    assert [
        name for name, weights in network.named_parameters() if weights.grad is None or not weights.grad.any()
    ] == []


@every_network
def test_a_gradient_reaches_every_parameter_of_a_classifier(network_class: type[Recurrent]) -> None:
    network = network_class(images(), hidden_size=10, num_layers=2, bidirectional=True)
    F.cross_entropy(network(torch.randn(3, 1, 8, 6)), torch.tensor([0, 1, 2])).backward()
    assert [
        name for name, weights in network.named_parameters() if weights.grad is None or not weights.grad.any()
    ] == []


@every_network
def test_it_overfits_a_text(network_class: type[Recurrent]) -> None:
    torch.manual_seed(0)
    network = network_class(TEXT, hidden_size=48, embedding_dim=16)
    assert train(network, tokens(), torch.cat([tokens()[:, 1:], tokens(seed=1)[:, :1]], 1)) < 0.05


@every_network
def test_it_overfits_a_few_images(network_class: type[Recurrent]) -> None:
    torch.manual_seed(0)
    network = network_class(images(), hidden_size=24)
    inputs = torch.randn(12, 1, 8, 6, generator=torch.Generator().manual_seed(0))
    assert train(network, inputs, torch.arange(12) % 3, steps=80) < 0.05


@every_network
def test_tied_weights_stay_tied_in_copies(network_class: type[Recurrent]) -> None:
    free, tied = (network_class(TEXT, embedding_dim=6, hidden_size=6, tied_weights=tied) for tied in (False, True))
    assert num_parameters(free) - num_parameters(tied) == 9 * 6
    for network in (tied, copy.deepcopy(tied), tied.double()):
        assert network.output.weight is network.embedding.weight


def test_tied_weights_of_other_sizes_need_a_projection() -> None:
    network = LSTM(TEXT, embedding_dim=6, hidden_size=10, tied_weights=True)
    outputs, _ = network.layers(network.embedding(tokens()))
    projected = outputs @ network.projection.weight.T + network.projection.bias
    expected = projected @ network.embedding.weight.T + network.output.bias
    torch.testing.assert_close(network(tokens()), expected)


@every_network
def test_recurrent_matrices_start_orthogonal_gate_by_gate(network_class: type[Recurrent]) -> None:
    layers = network_class(TEXT, hidden_size=10, num_layers=2).layers
    for name in ("weight_hh_l0", "weight_hh_l1"):
        for gate in layers.get_parameter(name).split(10):
            torch.testing.assert_close(gate @ gate.T, torch.eye(10), atol=1e-5, rtol=0)


def test_forget_gates_of_an_lstm_start_with_a_bias_of_one() -> None:
    layers = LSTM(TEXT, hidden_size=10, num_layers=2).layers
    for number in range(2):
        biases = layers.get_parameter(f"bias_ih_l{number}") + layers.get_parameter(f"bias_hh_l{number}")
        assert biases[10:20].tolist() == [1.0] * 10
        assert not biases[:10].eq(1).any()


@every_network
def test_dropout_is_active_in_training_only(network_class: type[Recurrent]) -> None:
    network = network_class(TEXT, num_layers=2, dropout=0.5)
    assert not torch.equal(network(tokens()), network(tokens()))
    network.eval()
    assert torch.equal(network(tokens()), network(tokens()))


@every_network
def test_a_saved_state_gives_the_same_outputs(network_class: type[Recurrent]) -> None:
    saved, loaded = (network_class(TEXT, hidden_size=10, tied_weights=True) for _ in range(2))
    assert not torch.equal(saved(tokens()), loaded(tokens()))
    file = io.BytesIO()
    torch.save(saved.state_dict(), file)
    file.seek(0)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(saved(tokens()), loaded(tokens()))


@every_network
def test_a_copy_runs_on_the_meta_device(network_class: type[Recurrent]) -> None:
    network = network_class(TEXT, tied_weights=True).to(memory_format=torch.channels_last)
    meta_network = copy.deepcopy(network).to("meta")
    assert meta_network(meta_network.example_input(1, "meta")).shape == (1, 12, 9)
    assert network.embedding.weight.device.type == "cpu"


def test_an_empty_batch_gives_an_empty_output() -> None:
    assert GRU(TEXT)(tokens(0)).shape == (0, 12, 9)
    assert GRU(images())(torch.randn(0, 1, 8, 6)).shape == (0, 3)


@pytest.mark.parametrize("name", ["embedding_dim", "hidden_size", "num_layers"])
def test_a_size_below_one_raises_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}=0: must be at least 1"):
        LSTM(TEXT, **{name: 0})


@pytest.mark.parametrize("dropout", [-0.1, 1.0, float("nan")])
def test_a_dropout_out_of_range_raises_an_error(dropout: float) -> None:
    with pytest.raises(ValueError, match=f"dropout={dropout}"):
        GRU(TEXT, dropout=dropout)


def test_bidirectional_raises_an_error_for_tokens() -> None:
    with pytest.raises(ValueError, match=r"bidirectional=true: must be false for text"):
        RNN(TEXT, bidirectional=True)


def test_tied_weights_raise_an_error_for_images() -> None:
    with pytest.raises(ValueError, match=r"tied_weights=true: must be false for images"):
        RNN(images(), tied_weights=True)


@every_network
def test_each_layer_reads_normalised_vectors(network_class: type[Recurrent]) -> None:
    options: Any = {"hidden_size": 10, "num_layers": 2, "bidirectional": True}
    network = network_class(images(), normalisation="layer", **options).eval()
    layers: Any = network.layers
    read: list[Tensor] = []
    for layer in layers.layers:
        layer.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    assert network(50 * torch.randn(3, 1, 8, 6) + 20).shape == (3, 3)
    for vectors, size in zip(read, (6, 20), strict=True):
        assert vectors.shape == (3, 8, size)
        torch.testing.assert_close(vectors.mean(2), torch.zeros(3, 8), atol=1e-5, rtol=0)
        torch.testing.assert_close(vectors.var(2, correction=0), torch.ones(3, 8), atol=1e-2, rtol=0)
    gates = {RNN: 1, GRU: 3, LSTM: 4}[network_class]
    for name, matrix in network.layers.named_parameters():
        if "weight_hh" in name:
            for gate in matrix.detach().chunk(gates):
                torch.testing.assert_close(gate @ gate.T, torch.eye(10))


@every_network
def test_normalised_layers_carry_their_state_and_read_no_ends(network_class: type[Recurrent]) -> None:
    network = network_class(TEXT, hidden_size=10, num_layers=3, normalisation="layer").eval()
    texts = tokens()
    whole, state = network.step(texts, None)
    first, carried = network.step(texts[:, :5], None)
    second, carried = network.step(texts[:, 5:], carried)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
    for one, other in zip(tensors(carried), tensors(state), strict=True):
        assert one.shape == (3, 4, 10)
        torch.testing.assert_close(one, other)
    classes = dataclasses.replace(TEXT, num_outputs=2, labels=("a", "b"), vocabulary=TEXT.labels)
    classifier = network_class(classes, normalisation="layer", num_layers=2, bidirectional=True).eval()
    padded = torch.cat([texts[:, :5], torch.full((4, 7), -1)], 1)
    torch.testing.assert_close(classifier(padded), classifier(texts[:, :5]))


def test_other_normalisations_of_recurrent_layers_raise_an_error() -> None:
    with pytest.raises(ValueError, match="normalisation=batch: unknown normalisation of recurrent layers"):
        GRU(TEXT, normalisation="batch")


def test_the_activation_of_an_rnn_is_that_of_the_option() -> None:
    assert [RNN(TEXT, activation=name).layers.nonlinearity for name in ("tanh", "relu")] == ["tanh", "relu"]
    with pytest.raises(ValueError, match=r"activation=elu: unknown activation of a recurrent layer"):
        RNN(TEXT, activation="elu")
