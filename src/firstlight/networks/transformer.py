"""A transformer: a decoder that continues texts, or an encoder that classifies them."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.checks import check_range
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_activation, build_dropout
from firstlight.networks.network import Network
from firstlight.networks.text_ends import without_ends
from firstlight.spec import DataSpec


class Transformer(Network):
    """A transformer language model: each position attends to itself and to earlier positions (Vaswani et al. 2017).

    It has the form of GPT-2 (Radford et al. 2019): layer normalisation precedes attention, the linear layers and the
    output layer; positional embeddings are learned; the output layer and the token embedding have the same weights.

    For texts that are classified it is an encoder: each position attends to all of its text, and the output layer, with
    weights of its own, takes the mean over the positions of the text.

    Args:
        spec: spec of the data; tokens. The length of its samples is the maximum length of a sequence.
        embedding_dim: length of the vector that represents a token in all layers.
        num_layers: number of blocks of attention and linear layers.
        num_heads: number of attention heads, a divisor of `embedding_dim`.
        dropout: probability that a value is dropped in training, in the embeddings and in the outputs of attention and
            linear layers.
        activation: name of the activation between the linear layers, see `layers.ACTIVATIONS`.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None selects GPT-2's.

    Raises:
        ValueError: a size is below 1, num_heads does not divide embedding_dim, the dropout is out of range, or an
            activation or initialisation is unknown.
    """

    accepts: ClassVar[str] = "tokens"

    def __init__(
        self,
        spec: DataSpec,
        *,
        embedding_dim: int = 128,
        num_layers: int = 4,
        num_heads: int = 4,
        dropout: float = 0.0,
        activation: str = "gelu",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        for name, size in {"embedding_dim": embedding_dim, "num_layers": num_layers, "num_heads": num_heads}.items():
            check_range(name, size, at_least=1)
        if embedding_dim % num_heads:
            raise ValueError(f"num_heads={num_heads}: must be a divisor of embedding_dim={embedding_dim}.")
        (self.max_length,) = spec.input_shape
        self.is_encoder = spec.targets != "tokens"
        self.embedding = nn.Embedding(len(spec.tokens), embedding_dim)
        self.positions = nn.Embedding(self.max_length, embedding_dim)
        self.dropout = build_dropout(dropout)
        self.blocks = nn.Sequential(*(Block(embedding_dim, num_heads, dropout, activation) for _ in range(num_layers)))
        self.norm = nn.LayerNorm(embedding_dim)
        self.output = nn.Linear(embedding_dim, spec.num_outputs, bias=self.is_encoder)
        if not self.is_encoder:
            self.output.weight = self.embedding.weight
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.ndim == 2:
                # The outputs of blocks are scaled down, so that the standard deviation of their sum does not depend on
                # num_layers (Radford et al. 2019, section 2.3).
                adds = name.endswith(("out_proj.weight", "fc2.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * num_layers) if adds else 0.02)
        initialise(self, initialisation)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (batch, length), int64 -> logits.

        They are those of the next token (batch, length, vocabulary), or of the classes (batch, num_outputs) of texts
        that end in -1.

        Raises:
            ValueError: a window is longer than those of the data.
        """
        length = tokens.shape[1]
        if length > self.max_length:
            raise ValueError(f"length={length}: must be at most {self.max_length} tokens.")
        positions = torch.arange(length, device=tokens.device)
        known, is_text = without_ends(tokens) if self.is_encoder else (tokens, None)
        hidden = self.dropout(self.embedding(known) + self.positions(positions))
        if is_text is None:
            return self.output(self.norm(self.blocks(hidden)))
        for block in self.blocks:
            hidden = block(hidden, is_text)
        sums = (self.norm(hidden) * is_text[..., None]).sum(1)
        return self.output(sums / is_text.sum(1, keepdim=True))

    def example_input(self, batch_size: int, device: torch.device | str) -> Tensor:
        """Return an input of `forward`: (batch, length), int64."""
        return torch.zeros(batch_size, self.max_length, dtype=torch.int64, device=device)


class Block(nn.Module):
    """Attention and two linear layers, each with a residual connection.

    Args:
        embedding_dim: length of the vector of a position.
        num_heads: number of attention heads, a divisor of `embedding_dim`.
        dropout: probability that a value is dropped in training.
        activation: name of the activation between the linear layers.
        is_causal: whether a position attends to itself and to those before it, and not to all.
    """

    def __init__(
        self, embedding_dim: int, num_heads: int, dropout: float, activation: str, *, is_causal: bool = True
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.is_causal = is_causal
        self.attention_norm = nn.LayerNorm(embedding_dim)
        self.qkv = nn.Linear(embedding_dim, 3 * embedding_dim)
        self.out_proj = nn.Linear(embedding_dim, embedding_dim)
        self.mlp_norm = nn.LayerNorm(embedding_dim)
        self.fc1 = nn.Linear(embedding_dim, 4 * embedding_dim)
        self.activation = build_activation(activation)
        self.fc2 = nn.Linear(4 * embedding_dim, embedding_dim)
        self.dropout = build_dropout(dropout)

    def forward(self, hidden: Tensor, is_text: Tensor | None = None) -> Tensor:
        """(batch, length, embedding_dim) -> (batch, length, embedding_dim).

        Args:
            hidden: the vectors of the positions.
            is_text: the positions that all attend to, (batch, length), bool; None for what `is_causal` says.
        """
        hidden = hidden + self.dropout(self.out_proj(self._attend(self.attention_norm(hidden), is_text)))
        return hidden + self.dropout(self.fc2(self.activation(self.fc1(self.mlp_norm(hidden)))))

    def _attend(self, hidden: Tensor, is_text: Tensor | None = None) -> Tensor:
        # each (batch, num_heads, length, embedding_dim / num_heads)
        heads = self.qkv(hidden).unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys, values = heads
        mask = None if is_text is None else is_text[:, None, None]  # for all heads and all queries
        found = F.scaled_dot_product_attention(queries, keys, values, mask, is_causal=mask is None and self.is_causal)
        return found.transpose(1, 2).flatten(2)
