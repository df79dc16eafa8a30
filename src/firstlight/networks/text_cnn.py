"""A convolutional network that classifies texts."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.checks import check_range
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_dropout
from firstlight.networks.network import Network
from firstlight.networks.text_ends import without_ends
from firstlight.spec import DataSpec


class TextCNN(Network):
    """Convolutions over the token vectors of a text, of which each channel keeps its maximum (Kim 2014).

    Args:
        spec: spec of the data; texts that are classified.
        embedding_dim: length of the vector that represents a token.
        channels: channels of the convolution of each kernel size.
        kernel_sizes: numbers of neighbouring tokens that a convolution sees.
        dropout: probability that a channel's maximum is dropped in training.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None keeps PyTorch's.

    Raises:
        ValueError: a size is below 1, there is no kernel size, the dropout is out of range, or the initialisation is
            unknown.
    """

    accepts: ClassVar[str] = "tokens"
    task: ClassVar[str | None] = "classification"

    def __init__(
        self,
        spec: DataSpec,
        *,
        embedding_dim: int = 128,
        channels: int = 100,
        kernel_sizes: Sequence[int] = (3, 4, 5),
        dropout: float = 0.5,
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        for name, size in {"embedding_dim": embedding_dim, "channels": channels}.items():
            check_range(name, size, at_least=1)
        if not kernel_sizes or min(kernel_sizes) < 1:
            raise ValueError(f"kernel_sizes={list(kernel_sizes)}: must be numbers of tokens, at least 1 each.")
        self.input_shape = spec.input_shape
        self.embedding = nn.Embedding(len(spec.tokens), embedding_dim)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.convolutions = nn.ModuleList(nn.Conv1d(embedding_dim, channels, size) for size in kernel_sizes)
        self.dropout = build_dropout(dropout)
        self.output = nn.Linear(channels * len(kernel_sizes), spec.num_outputs)
        initialise(self, initialisation)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (batch, length), int64, with -1 after the end of a text -> logits (batch, num_outputs)."""
        known, is_text = without_ends(tokens)
        vectors = (self.embedding(known) * is_text[..., None]).transpose(1, 2)  # (batch, embedding_dim, length)
        maxima = [self._maxima(vectors, is_text, convolution) for convolution in self.convolutions]
        return self.output(self.dropout(torch.cat(maxima, 1)))

    def _maxima(self, vectors: Tensor, is_text: Tensor, convolution: nn.Module) -> Tensor:
        """Return the maximum of each channel over the windows that begin in the text: (batch, channels)."""
        assert isinstance(convolution, nn.Conv1d)
        found = F.relu(convolution(F.pad(vectors, (0, convolution.kernel_size[0] - 1))))  # as many windows as tokens
        return found.masked_fill(~is_text[:, None], 0).amax(2)

    def example_input(self, batch_size: int, device: torch.device | str) -> Tensor:
        """Return an input of `forward`: (batch, length), int64."""
        return torch.zeros(batch_size, *self.input_shape, dtype=torch.int64, device=device)
