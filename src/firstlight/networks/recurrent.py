"""Recurrent networks: language models of tokens, and classifiers that read an image row by row."""

import functools
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from firstlight.checks import check_range, choose
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_dropout
from firstlight.networks.network import Network
from firstlight.spec import DataSpec

State = Tensor | tuple[Tensor, Tensor]
_ACTIVATIONS = ("tanh", "relu")  # those of torch.nn.RNN


class Recurrent(Network):
    """Recurrent layers between an embedding and a linear output layer. Subclasses set the class of the layers.

    On tokens it is a language model, on images a classifier that reads one row per time step: see `_LanguageModel` and
    `_RowClassifier`, which hold the differences.

    Recurrent matrices start orthogonal, separately for each gate (Saxe, McClelland & Ganguli 2014), so that signals
    neither grow nor vanish over many steps. Dropout is applied before, between and after the layers, never between time
    steps (Zaremba, Sutskever & Vinyals 2014, section 3.1).

    Args:
        spec: spec of the data; tokens or images.
        embedding_dim: length of the vector that represents a token; images ignore it.
        hidden_size: units of each layer.
        num_layers: number of layers.
        dropout: probability that a unit is dropped in training.
        tied_weights: whether the output layer and the token embedding have the same weights (Press & Wolf 2017). A
            linear layer before the output layer projects to `embedding_dim` if the sizes differ.
        bidirectional: whether images are also read from the last row to the first.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None keeps PyTorch's, and
            orthogonal recurrent matrices.

    Raises:
        ValueError: a size is below 1, the dropout is out of range, the initialisation is unknown, `bidirectional` is
            set for tokens, or `tied_weights` is set for images.
    """

    accepts: ClassVar[tuple[str, ...]] = ("tokens", "images")
    has_state: ClassVar[bool] = True
    layer_class: Callable[..., nn.RNNBase]

    def __init__(
        self,
        spec: DataSpec,
        *,
        embedding_dim: int = 128,
        hidden_size: int = 128,
        num_layers: int = 1,
        dropout: float = 0.0,
        tied_weights: bool = False,
        bidirectional: bool = False,
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        sizes = {"embedding_dim": embedding_dim, "hidden_size": hidden_size, "num_layers": num_layers}
        for name, size in sizes.items():
            check_range(name, size, at_least=1)
        self.dropout = build_dropout(dropout)
        self.mode: _Mode = (
            _LanguageModel(spec, embedding_dim, hidden_size, tied_weights, bidirectional)
            if spec.kind == "tokens"
            else _RowClassifier(spec, hidden_size, tied_weights, bidirectional)
        )
        # The embedding is built before the projection, but comes after it in checkpoints.
        embedding = self.mode.build_embedding()
        self.projection = self.mode.build_projection()
        self.embedding = embedding
        self.layers = self.layer_class(
            self.mode.input_size,
            hidden_size,
            num_layers,
            batch_first=True,
            dropout=dropout if num_layers > 1 else 0.0,  # PyTorch warns about dropout with a single layer
            bidirectional=bidirectional,
        )
        self.output = nn.Linear(self.mode.output_size, spec.num_outputs)
        if isinstance(self.embedding, nn.Embedding) and tied_weights:
            self.output.weight = self.embedding.weight
        for name, weights in self.layers.named_parameters():
            if name.startswith("weight_hh"):
                for gate in weights.detach().split(hidden_size):
                    nn.init.orthogonal_(gate)
        initialise(self, initialisation)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits.

        Tokens (batch, length), int64 -> (batch, length, vocabulary), for the next token at each position.
        Images (batch, channels, height, width) -> (batch, num_outputs).
        """
        return self.mode.forward(self, inputs)

    def step(self, tokens: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Read tokens after those that produced `state`.

        Args:
            tokens: (batch, length), int64.
            state: the state that the previous step returned; None at the start of a text.

        Returns:
            Logits (batch, length, vocabulary), and the state after the last token: (num_layers, batch, hidden_size);
            an LSTM returns a pair of hidden state and cell state.
        """
        outputs, state = self.layers(self.dropout(self.embedding(tokens)), state)
        return self.output(self.projection(self.dropout(outputs))), state

    def example_input(self, batch_size: int, device: torch.device | str) -> Tensor:
        """Return an input of `forward`."""
        return torch.zeros(batch_size, *self.mode.input_shape, dtype=self.mode.input_dtype, device=device)


class _Mode(Protocol):
    """The parts of a recurrent network that differ between tokens and images.

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

    def forward(self, network: Recurrent, inputs: Tensor) -> Tensor:
        """Return the logits of `network`."""


class _LanguageModel:
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

    def forward(self, network: Recurrent, inputs: Tensor) -> Tensor:
        logits, _ = network.step(inputs, None)
        return logits


class _RowClassifier:
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

    def forward(self, network: Recurrent, inputs: Tensor) -> Tensor:
        _, state = network.layers(network.dropout(network.embedding(inputs)))
        hidden = state[0] if isinstance(state, tuple) else state  # (num_layers * directions, batch, hidden_size)
        last_layer = hidden[-self.num_directions :].transpose(0, 1).flatten(1)
        return network.output(network.dropout(last_layer))


class _ImageRows(nn.Module):
    """Images as sequences of rows: (batch, channels, height, width) -> (batch, height, channels * width)."""

    def forward(self, images: Tensor) -> Tensor:
        return images.transpose(1, 2).flatten(2)


class RNN(Recurrent):
    """The simple recurrent network (Elman 1990).

    Args:
        spec: spec of the data; tokens or images.
        activation: tanh, as in the paper, or relu.
        **options: options of `Recurrent`.

    Raises:
        ValueError: the activation is unknown, or an error of `Recurrent`.
    """

    def __init__(self, spec: DataSpec, *, activation: str = "tanh", **options: Any) -> None:
        choose("activation", activation, _ACTIVATIONS, "activation of a recurrent layer")
        self.layer_class = functools.partial(nn.RNN, nonlinearity=activation)
        super().__init__(spec, **options)


class GRU(Recurrent):
    """Gated recurrent units (Cho et al. 2014), with the options of `Recurrent`.

    As in PyTorch, the reset gate is applied after the product of the state and the recurrent matrix.
    """

    layer_class = nn.GRU


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997) with forget gates (Gers, Schmidhuber & Cummins 2000).

    Forget gates start with a bias of 1, so that memory lasts from the first step on (Jozefowicz, Zaremba & Sutskever
    2015, section 2.2).

    The options are those of `Recurrent`.
    """

    layer_class = nn.LSTM

    def __init__(self, spec: DataSpec, **options: Any) -> None:
        super().__init__(spec, **options)
        for name, biases in self.layers.named_parameters():
            if name.startswith("bias"):
                _, forget, _, _ = biases.detach().chunk(4)
                nn.init.constant_(forget, 0.5)  # PyTorch adds two biases
