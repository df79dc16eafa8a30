"""Networks that classify texts: what follows the end of a text has no effect, and they learn."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.networks import GRU, LSTM, RNN, BagOfWords, TextCNN, Transformer
from firstlight.networks.text_ends import without_ends
from firstlight.spec import DataSpec

SPEC = DataSpec((12,), 2, ("ham", "spam"), (), (), vocabulary=("<unk>", *"abcdefgh"))
NETWORKS: list[tuple[type[nn.Module], dict[str, Any]]] = [
    (BagOfWords, {}),
    (BagOfWords, {"bigrams": 64}),
    (BagOfWords, {"bigrams": 64, "unique": True}),
    (TextCNN, {"channels": 8}),
    (RNN, {"hidden_size": 8}),
    (GRU, {"hidden_size": 8, "bidirectional": True}),
    (LSTM, {"hidden_size": 8, "bidirectional": True, "num_layers": 2, "embedding_dim": 16}),
    (Transformer, {"embedding_dim": 16, "num_layers": 2, "num_heads": 2}),
]
every_network = pytest.mark.parametrize(("network_class", "options"), NETWORKS)


def build(network_class: Any, options: dict[str, Any]) -> Any:
    torch.manual_seed(0)
    return network_class(SPEC, **options).eval()


def texts(number: int = 64) -> Tensor:
    random = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, 9, (number, 12), generator=random)
    lengths = torch.randint(2, 13, (number, 1), generator=random)
    return torch.where(torch.arange(12) < lengths, tokens, -1)


@every_network
def test_the_ends_of_other_texts_have_no_effect(network_class: Any, options: dict[str, Any]) -> None:
    network = build(network_class, options)
    together = network(texts())
    assert together.shape == (64, 2)
    alone = torch.cat([network(text[text >= 0][None]) for text in texts()])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    assert network(torch.full((1, 3), -1)).isfinite().all()  # a text without a token
    assert network(network.example_input(3, "cpu")).shape == (3, 2)


@every_network
def test_a_network_learns_which_token_decides(network_class: Any, options: dict[str, Any]) -> None:
    network, inputs = build(network_class, options).train(), texts(32)
    targets = (inputs == 1).any(1).long()
    optimizer = torch.optim.Adam(network.parameters(), 2e-2)
    for _ in range(50):
        loss = F.cross_entropy(network(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (network.eval()(inputs).argmax(1) == targets).float().mean() > 0.9


def test_a_bag_of_words_is_the_mean_of_the_vectors_of_its_tokens() -> None:
    network = BagOfWords(SPEC)
    weight = network.embedding.weight
    text = torch.tensor([[3, 5, 3, -1]])
    torch.testing.assert_close(network(text), network.output(weight[[3, 5, 3]].mean(0))[None])
    assert torch.equal(network(text), network(torch.tensor([[3, 3, 5, -1]])))
    once = BagOfWords(SPEC, unique=True)
    torch.testing.assert_close(once(text), once.output(once.embedding.weight[[3, 5]].mean(0))[None])


def test_pairs_of_neighbours_are_hashed_into_buckets() -> None:
    network = BagOfWords(SPEC, bigrams=50)
    pairs = network._pairs(torch.tensor([[3, 5, 3, 5, -1], [5, 3, -1, -1, -1]]))
    assert pairs[0, 0] == pairs[0, 2] != pairs[0, 1] == pairs[1, 0]
    assert pairs[0, 3] == network.end == pairs[1, 1]
    assert ((pairs >= 9) & (pairs <= 59)).all()


def test_a_text_cnn_is_the_maximum_over_windows() -> None:
    network = TextCNN(SPEC, channels=2, kernel_sizes=[2]).eval()
    convolution: Any = network.convolutions[0]
    vectors = network.embedding(torch.tensor([3, 5, 1]))
    vectors = torch.cat([vectors, torch.zeros(1, 128)])
    windows = torch.stack([vectors[place : place + 2].T for place in range(3)])
    expected = F.relu(torch.einsum("wet,cet->wc", windows, convolution.weight) + convolution.bias).amax(0)
    torch.testing.assert_close(network(torch.tensor([[3, 5, 1, -1]])), network.output(expected)[None])


def test_an_encoder_attends_to_later_tokens_and_a_language_model_does_not() -> None:
    options: dict[str, Any] = {"embedding_dim": 16, "num_layers": 1, "num_heads": 2}
    encoder = build(Transformer, options)
    assert encoder.output.weight is not encoder.embedding.weight
    language = Transformer(DataSpec((12,), 9, SPEC.vocabulary, (), ()), **options)
    assert language.output.weight is language.embedding.weight


def test_the_first_token_always_counts() -> None:
    tokens, is_text = without_ends(torch.tensor([[4, -1], [-1, -1]]))
    assert tokens.tolist() == [[4, 0], [0, 0]]
    assert is_text.tolist() == [[True, False], [True, False]]


@pytest.mark.parametrize(
    ("network_class", "options", "message"),
    [
        (BagOfWords, {"bigrams": -1}, "bigrams=-1: must be at least 0"),
        (TextCNN, {"kernel_sizes": []}, r"kernel_sizes=\[\]: must be numbers of tokens"),
        (LSTM, {"tied_weights": True}, "tied_weights=true: must be false for texts with classes"),
    ],
)
def test_a_wrong_option_is_named(network_class: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network_class(SPEC, **options)
