"""The parts of a recurrent network that differ between texts that go on, texts with a class, and images."""

from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from firstlight.networks.text_ends import without_ends
from firstlight.spec import DataSpec

State = Tensor | tuple[Tensor, Tensor]


class Mode(Protocol):
    """The parts of a recurrent network that depend on its data.

    Attributes:
        input_shape: shape of one sample.
        input_dtype: type of the samples.
        input_size: length of the vectors that the recurrent layers read.
        output_size: length of the vectors that the output layer reads.
    """

    input_shape: tuple[int, ...]
    input_dtype: torch.dtype
    input_size: int
    output_size: int

    def build_embedding(self) -> nn.Module:
        """Return the layer from inputs to (batch, steps, input_size)."""

    def build_projection(self) -> nn.Module:
        """Return the layer between the recurrent layers and the output layer."""

    def forward(self, network: Any, inputs: Tensor) -> Tensor:
        """Return the logits of `network`."""


class LanguageModel:
    """A language model: predicts the next token at each position."""

    input_dtype = torch.int64

    def __init__(
        self, spec: DataSpec, embedding_dim: int, hidden_size: int, tied_weights: bool, bidirectional: bool
    ) -> None:
        if bidirectional:
            raise ValueError("bidirectional=true: must be false for text; it would reveal the next token.")
        self.vocabulary_size = spec.num_outputs
        self.hidden_size = hidden_size
        self.input_shape = spec.input_shape
        self.input_size = embedding_dim
        self.output_size = embedding_dim if tied_weights else hidden_size

    def build_embedding(self) -> nn.Embedding:
        embedding = nn.Embedding(self.vocabulary_size, self.input_size)
        nn.init.uniform_(embedding.weight, -0.1, 0.1)  # small, because tied weights also produce the logits
        return embedding

    def build_projection(self) -> nn.Module:
        if self.output_size == self.hidden_size:
            return nn.Identity()
        return nn.Linear(self.hidden_size, self.output_size)

    def forward(self, network: Any, inputs: Tensor) -> Tensor:
        logits, _ = network.step(inputs, None)
        return logits


class TextClassifier:
    """A text classifier: reads each text to its end, and classifies the last outputs of each direction."""

    input_dtype = torch.int64

    def __init__(
        self, spec: DataSpec, embedding_dim: int, hidden_size: int, tied_weights: bool, bidirectional: bool
    ) -> None:
        if tied_weights:
            raise ValueError("tied_weights=true: must be false for texts with classes, which are the outputs.")
        self.vocabulary_size = len(spec.tokens)
        self.num_directions = 2 if bidirectional else 1
        self.input_shape = spec.input_shape
        self.input_size = embedding_dim
        self.output_size = hidden_size * self.num_directions

    def build_embedding(self) -> nn.Embedding:
        embedding = nn.Embedding(self.vocabulary_size, self.input_size)
        nn.init.normal_(embedding.weight, std=0.1)
        return embedding

    def build_projection(self) -> nn.Module:
        return nn.Identity()

    def forward(self, network: Any, inputs: Tensor) -> Tensor:
        known, is_text = without_ends(inputs)
        vectors = network.dropout(network.embedding(known))
        # Packed, so that no direction reads what follows the end of a text. PyTorch needs the lengths on the CPU.
        lengths = is_text.sum(1).cpu()
        _, state = network.layers(pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False))
        return network.output(network.dropout(_last_outputs(state, self.num_directions)))


def _last_outputs(state: State, num_directions: int) -> Tensor:
    """Return what each direction of the last layer puts out at its end: (batch, directions * hidden_size)."""
    hidden = state[0] if isinstance(state, tuple) else state  # (num_layers * directions, batch, hidden_size)
    return hidden[-num_directions:].transpose(0, 1).flatten(1)


class RowClassifier:
    """An image classifier: reads one row of pixels per time step and classifies the last outputs."""

    input_dtype = torch.float32

    def __init__(self, spec: DataSpec, hidden_size: int, tied_weights: bool, bidirectional: bool) -> None:
        if tied_weights:
            raise ValueError("tied_weights=true: must be false for images, which have no token embedding.")
        channels, _, width = spec.input_shape
        self.num_directions = 2 if bidirectional else 1
        self.input_shape = spec.input_shape
        self.input_size = channels * width
        self.output_size = hidden_size * self.num_directions

    def build_embedding(self) -> nn.Module:
        return _ImageRows()

    def build_projection(self) -> nn.Module:
        return nn.Identity()

    def forward(self, network: Any, inputs: Tensor) -> Tensor:
        _, state = network.layers(network.dropout(network.embedding(inputs)))
        return network.output(network.dropout(_last_outputs(state, self.num_directions)))


class _ImageRows(nn.Module):
    """Images as sequences of rows: (batch, channels, height, width) -> (batch, height, channels * width)."""

    def forward(self, images: Tensor) -> Tensor:
        return images.transpose(1, 2).flatten(2)
