"""A decoder-only transformer."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.networks.activation import activation_named
from firstlight.networks.dropout import dropout_of
from firstlight.networks.initialisation import initialise
from firstlight.spec import DataSpec


class Transformer(nn.Module):
    """A language model whose every position attends to itself and to those before it (Vaswani et al. 2017).

    In the form of GPT-2 (Radford et al. 2019): layers are normalised before attention and before the dense layers,
    and once more at the end; positions are learned; scores are products with the embeddings of tokens.

    Args:
        spec: of tokens; sequences are as long as its samples, or shorter.
        width: numbers that stand for a token, all the way through.
        num_layers: blocks of attention and dense layers.
        num_heads: parts that attend on their own; they share the width.
        dropout: probability that a number is dropped in training, of the embeddings and of what a block adds.
        activation: by name, in the dense layers.
        initialisation: of the weights, by name; None for GPT-2's.

    Raises:
        ValueError: a size below 1, a width that the heads cannot share, a probability outside 0 to 1, or an unknown
            activation.
    """

    takes: ClassVar[str] = "tokens"

    def __init__(
        self,
        spec: DataSpec,
        *,
        width: int = 128,
        num_layers: int = 4,
        num_heads: int = 4,
        dropout: float = 0.0,
        activation: str = "gelu",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        for name, size in {"width": width, "num_layers": num_layers, "num_heads": num_heads}.items():
            if size < 1:
                raise ValueError(f"{name}={size}: one or more.")
        if width % num_heads:
            raise ValueError(f"num_heads={num_heads}: the heads share a width of {width}; take a divisor of it.")
        (self.max_length,) = spec.input_shape
        self.embedding = nn.Embedding(spec.num_outputs, width)
        self.positions = nn.Embedding(self.max_length, width)
        self.dropout = dropout_of(dropout)
        self.blocks = nn.Sequential(*(_Block(width, num_heads, dropout, activation) for _ in range(num_layers)))
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, spec.num_outputs, bias=False)
        self.output.weight = self.embedding.weight
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.ndim == 2:
                # What blocks add is scaled, so that the sum of them all starts with the same deviation however many
                # there are (Radford et al. 2019, section 2.3).
                adds = name.endswith(("merge.weight", "shrink.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * num_layers) if adds else 0.02)
        initialise(self, initialisation)

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, length) int64 -> scores (batch, length, vocabulary) for the token after each."""
        length = tokens.shape[1]
        if length > self.max_length:
            raise ValueError(f"{length} tokens: this transformer reads {self.max_length} at the most.")
        positions = torch.arange(length, device=tokens.device)
        hidden = self.dropout(self.embedding(tokens) + self.positions(positions))
        return self.output(self.norm(self.blocks(hidden)))

    def example(self, batch_size: int, device: torch.device | str) -> Tensor:
        """Something that `forward` takes."""
        return torch.zeros(batch_size, self.max_length, dtype=torch.int64, device=device)


class _Block(nn.Module):
    """Causal attention, then two dense layers at each position; both add to what comes in."""

    def __init__(self, width: int, num_heads: int, dropout: float, activation: str) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attention_norm = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        self.dense_norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.activation = activation_named(activation)
        self.shrink = nn.Linear(4 * width, width)
        self.dropout = dropout_of(dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, length, width) -> (batch, length, width)."""
        hidden = hidden + self.dropout(self.merge(self._attend(self.attention_norm(hidden))))
        return hidden + self.dropout(self.shrink(self.activation(self.widen(self.dense_norm(hidden)))))

    def _attend(self, hidden: Tensor) -> Tensor:
        # each (batch, num_heads, length, width / num_heads)
        heads = self.queries_keys_values(hidden).unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys, values = heads
        return F.scaled_dot_product_attention(queries, keys, values, is_causal=True).transpose(1, 2).flatten(2)
