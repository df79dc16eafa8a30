"""Recurrent networks: language models of tokens, and classifiers that read an image row by row."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_dropout
from firstlight.spec import DataSpec

State = Tensor | tuple[Tensor, Tensor]


class Recurrent(nn.Module):
    """Recurrent layers over a sequence; a subclass says of which kind.

    Of tokens it is a language model: every position gives scores for the token that follows it. Of images it is
    a classifier: a row is a time step, and the outputs after the last one tell the class.

    Recurrent matrices start orthogonal, one for each gate (Saxe, McClelland & Ganguli 2014), so that signals neither
    grow nor fade over many steps. Dropout stands before, between and after the layers, never inside the recurrence
    (Zaremba, Sutskever & Vinyals 2014, section 3.1).

    Args:
        spec: of tokens or of images.
        embedding_dim: numbers that stand for a token; of no use to images.
        hidden_size: units of each layer.
        num_layers: layers on top of each other.
        dropout: probability that a unit is dropped in training.
        tied_weights: whether scores are products with the very embeddings that tokens come in as, through a
            projection where the sizes differ (Press & Wolf 2017).
        bidirectional: whether an image is read upwards too.
        initialisation: of the weights, by name; None for orthogonal ones from state to state and torch's from inputs.

    Raises:
        ValueError: a size below 1, a probability outside 0 to 1, tokens read backwards, or images with tied weights.
    """

    accepts: ClassVar[tuple[str, ...]] = ("tokens", "images")
    layer_class: ClassVar[type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]]

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
            if size < 1:
                raise ValueError(f"{name}={size}: one or more.")
        self.spec = spec
        self.dropout = build_dropout(dropout)
        self.projection: nn.Module = nn.Identity()
        self.num_directions = 2 if bidirectional else 1
        num_outputs = hidden_size * self.num_directions
        if spec.kind == "tokens":
            if bidirectional:
                raise ValueError(
                    "bidirectional=true: read backwards, a text gives away what follows; this is for images."
                )
            self.embedding = nn.Embedding(spec.num_outputs, embedding_dim)
            nn.init.uniform_(self.embedding.weight, -0.1, 0.1)  # tied, they make the first scores: small ones
            num_inputs = embedding_dim
            if tied_weights and hidden_size != embedding_dim:
                self.projection = nn.Linear(hidden_size, embedding_dim)
                num_outputs = embedding_dim
        else:
            if tied_weights:
                raise ValueError("tied_weights=true: of the embeddings of tokens; images have none.")
            channels, _, width = spec.input_shape
            num_inputs = channels * width
        self.layers = self.layer_class(
            num_inputs,
            hidden_size,
            num_layers,
            batch_first=True,
            dropout=dropout if num_layers > 1 else 0.0,  # torch warns where there is nothing between layers
            bidirectional=bidirectional,
        )
        self.output = nn.Linear(num_outputs, spec.num_outputs)
        if spec.kind == "tokens" and tied_weights:
            self.output.weight = self.embedding.weight
        for name, weights in self.layers.named_parameters():
            if name.startswith("weight_hh"):
                for gate in weights.detach().split(hidden_size):
                    nn.init.orthogonal_(gate)
        initialise(self, initialisation)

    def forward(self, inputs: Tensor) -> Tensor:
        """Tokens (batch, length), int64 -> (batch, length, vocabulary) from no state.

        Images (batch, channels, height, width) -> (batch, num_outputs).
        """
        if self.spec.kind == "tokens":
            return self.step(inputs, None)[0]
        rows = inputs.transpose(1, 2).flatten(2)  # (batch, height, channels * width)
        _, state = self.layers(self.dropout(rows))
        hidden = state[0] if isinstance(state, tuple) else state  # (num_layers * directions, batch, hidden_size)
        last = hidden[-self.num_directions :].transpose(0, 1).flatten(1)
        return self.output(self.dropout(last))

    def step(self, tokens: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Go on where the tokens before these ended.

        Args:
            tokens: (batch, length), int64.
            state: what the step before gave; None at the beginning.

        Returns:
            Scores (batch, length, vocabulary), and the state after the last token: (num_layers, batch, hidden_size),
            and the cells in the same shape where it is an LSTM.
        """
        outputs, state = self.layers(self.dropout(self.embedding(tokens)), state)
        return self.output(self.projection(self.dropout(outputs))), state

    def example_input(self, batch_size: int, device: torch.device | str) -> Tensor:
        """Something that `forward` takes."""
        dtype = torch.int64 if self.spec.kind == "tokens" else torch.float32
        return torch.zeros(batch_size, *self.spec.input_shape, dtype=dtype, device=device)


class RNN(Recurrent):
    """The simple recurrent network, with tanh (Elman 1990)."""

    layer_class = nn.RNN

    def __init__(self, spec: DataSpec, *, activation: str = "tanh", **kwargs: Any) -> None:
        if activation not in ("tanh", "relu"):
            raise ValueError(f"activation={activation}: tanh or relu, which torch's recurrent layers have.")
        super().__init__(spec, **kwargs)
        self.layers.mode = f"RNN_{activation.upper()}"  # what torch makes of its argument nonlinearity


class GRU(Recurrent):
    """Gated recurrent units (Cho et al. 2014), in the form whose reset gate acts on the product with the state."""

    layer_class = nn.GRU


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber 1997), with forget gates (Gers, Schmidhuber & Cummins 2000).

    Forget gates start with a bias of 1, so that memory lasts from the first step on (Jozefowicz, Zaremba & Sutskever
    2015, section 2.2).
    """

    layer_class = nn.LSTM

    def __init__(self, spec: DataSpec, **options: Any) -> None:
        super().__init__(spec, **options)
        for name, biases in self.layers.named_parameters():
            if name.startswith("bias"):
                _, forget, _, _ = biases.detach().chunk(4)
                nn.init.constant_(forget, 0.5)  # torch adds two biases
