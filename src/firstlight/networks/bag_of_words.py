"""A bag of words: the mean of the vectors of a text's tokens."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from firstlight.checks import check_range
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_dropout
from firstlight.networks.network import Network
from firstlight.spec import DataSpec

_FACTORS = 1_000_003, 8_191  # odd, so that different pairs fall into different buckets


class BagOfWords(Network):
    """A linear layer on the mean of the token vectors of a text (Joulin et al. 2017, "fastText").

    The order of the tokens has no effect, except that pairs of neighbours may have vectors of their own. As pairs are
    many, each is hashed into one of `bigrams` buckets, whose pairs have one vector.

    Args:
        spec: spec of the data; texts that are classified.
        embedding_dim: length of the vector that represents a token.
        bigrams: number of buckets for pairs of neighbours; 0 for no pairs.
        unique: whether a token that occurs several times in a text counts once.
        dropout: probability that a value of the mean is dropped in training.
        initialisation: name of the initialisation of the linear layer, see `initialisation.INITIALISATIONS`; None keeps
            PyTorch's.

    Raises:
        ValueError: a size is out of range, the dropout is out of range, or the initialisation is unknown.
    """

    accepts: ClassVar[str] = "tokens"
    task: ClassVar[str | None] = "classification"

    def __init__(
        self,
        spec: DataSpec,
        *,
        embedding_dim: int = 64,
        bigrams: int = 0,
        unique: bool = False,
        dropout: float = 0.0,
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        check_range("embedding_dim", embedding_dim, at_least=1)
        check_range("bigrams", bigrams, at_least=0)
        self.input_shape = spec.input_shape
        self.num_tokens, self.bigrams, self.unique = len(spec.tokens), bigrams, unique
        self.end = self.num_tokens + bigrams  # the row of the embedding that is left out of the mean
        self.embedding = nn.EmbeddingBag(self.end + 1, embedding_dim, mode="mean", padding_idx=self.end)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.dropout = build_dropout(dropout)
        self.output = nn.Linear(embedding_dim, spec.num_outputs)
        initialise(self, initialisation)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (batch, length), int64, with -1 after the end of a text -> logits (batch, num_outputs)."""
        found = torch.where(tokens < 0, self.end, tokens)
        if self.bigrams:
            found = torch.cat([found, self._pairs(tokens)], 1)
        return self.output(self.dropout(self.embedding(self._once(found) if self.unique else found)))

    def _pairs(self, tokens: Tensor) -> Tensor:
        """Return the number of the bucket of each pair of neighbours: (batch, length - 1)."""
        first, second = tokens[:, :-1], tokens[:, 1:]
        buckets = (first * _FACTORS[0] + second * _FACTORS[1]).remainder(self.bigrams)
        return torch.where(second < 0, self.end, self.num_tokens + buckets)

    def _once(self, found: Tensor) -> Tensor:
        """Return the numbers of each row in order, without those that repeat."""
        ordered = found.sort(1).values
        repeats = torch.cat([torch.zeros_like(ordered[:, :1], dtype=torch.bool), ordered[:, 1:] == ordered[:, :-1]], 1)
        return ordered.masked_fill(repeats, self.end)

    def example_input(self, batch_size: int, device: torch.device | str) -> Tensor:
        """Return an input of `forward`: (batch, length), int64."""
        return torch.zeros(batch_size, *self.input_shape, dtype=torch.int64, device=device)
