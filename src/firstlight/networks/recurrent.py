"""Recurrent networks: language models, and classifiers of texts and of images, which they read row by row."""

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from firstlight.checks import check_range, choose
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_dropout
from firstlight.networks.network import Network
from firstlight.networks.recurrent_layers import NORMALISATIONS, normalised_layers, plain_layers
from firstlight.networks.recurrent_modes import LanguageModel, Mode, RowClassifier, State, TextClassifier
from firstlight.spec import DataSpec

_ACTIVATIONS = ("tanh", "relu")  # those of torch.nn.RNN


class Recurrent(Network):
    """Recurrent layers between an embedding and a linear output layer. Subclasses set the class of the layers.

    It is a language model for texts that go on, and a classifier for texts that have a class and for images, which it
    reads row by row: see `LanguageModel`, `TextClassifier` and `RowClassifier`, which hold the differences.

    Recurrent matrices start orthogonal, separately for each gate (Saxe, McClelland & Ganguli 2014), so that signals
    neither grow nor vanish over many steps. Dropout is applied before, between and after the layers, never between time
    steps (Zaremba, Sutskever & Vinyals 2014, section 3.1).

    Args:
        spec: spec of the data; tokens or images.
        embedding_dim: length of the vector that represents a token; images ignore it.
        hidden_size: units of each layer.
        num_layers: number of layers.
        dropout: probability that a unit is dropped in training.
        tied_weights: for a language model: whether the output layer and the token embedding have the same weights
            (Press & Wolf 2017). A linear layer before the output layer projects to `embedding_dim` if the sizes differ.
        bidirectional: whether texts and images that are classified are also read from the end to the beginning.
        normalisation: layer normalises the vectors that each layer reads, over their units (Ba, Kiros & Hinton 2016);
            none. Other normalisations would mix the steps of a text, or of several.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None keeps PyTorch's, and
            orthogonal recurrent matrices.

    Raises:
        ValueError: a size is below 1, the dropout is out of range, the normalisation or initialisation is unknown,
            `bidirectional` is set for a language model, or `tied_weights` is set for a classifier.
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
        normalisation: str = "none",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        sizes = {"embedding_dim": embedding_dim, "hidden_size": hidden_size, "num_layers": num_layers}
        for name, size in sizes.items():
            check_range(name, size, at_least=1)
        choose("normalisation", normalisation, NORMALISATIONS, "normalisation of recurrent layers")
        self.dropout = build_dropout(dropout)
        mode = LanguageModel if spec.targets == "tokens" else TextClassifier
        self.mode: Mode = (
            mode(spec, embedding_dim, hidden_size, tied_weights, bidirectional)
            if spec.kind == "tokens"
            else RowClassifier(spec, hidden_size, tied_weights, bidirectional)
        )
        # The embedding is built before the projection, but comes after it in checkpoints.
        embedding = self.mode.build_embedding()
        self.projection = self.mode.build_projection()
        self.embedding = embedding
        build = normalised_layers if normalisation == "layer" else plain_layers
        options = {"batch_first": True, "bidirectional": bidirectional}
        self.layers = build(self.layer_class, self.mode.input_size, hidden_size, num_layers, dropout, options)
        self.output = nn.Linear(self.mode.output_size, spec.num_outputs)
        if isinstance(self.embedding, nn.Embedding) and tied_weights:
            self.output.weight = self.embedding.weight
        for name, weights in self.layers.named_parameters():
            if "weight_hh" in name:
                for gate in weights.detach().split(hidden_size):
                    nn.init.orthogonal_(gate)
        initialise(self, initialisation)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits.

        Tokens (batch, length), int64 -> (batch, length, vocabulary), for the next token at each position; or, of texts
        with a class, which end in -1, -> (batch, num_outputs).
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
            if "bias_" in name:
                _, forget, _, _ = biases.detach().chunk(4)
                nn.init.constant_(forget, 0.5)  # PyTorch adds two biases
