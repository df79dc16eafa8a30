"""The decoder of a masked autoencoder: from the features of visible patches to the pixels of all patches."""

import torch
from torch import Tensor, nn

from firstlight.networks.initialisation import initialise
from firstlight.networks.transformer import Block
from firstlight.networks.vit import ViT, check_sizes, grid_positions


class MaskDecoder(nn.Module):
    """A narrow transformer. Hidden patches are a learned token, and differ by their positions (He et al. 2022).

    Args:
        encoder: returns the features of the visible patches.
        embedding_dim: length of the vector that represents a patch, a multiple of 4.
        num_layers: number of blocks of attention and linear layers.
        num_heads: number of attention heads, a divisor of `embedding_dim`.

    Raises:
        ValueError: a size is below 1, or `embedding_dim` is no multiple of 4 and of `num_heads`.
    """

    def __init__(self, encoder: ViT, embedding_dim: int, num_layers: int, num_heads: int) -> None:
        super().__init__()
        check_sizes(embedding_dim, num_layers, num_heads, "decoder_")
        self.embedding = nn.Linear(encoder.embedding_dim, embedding_dim)
        self.hidden_patch = nn.Parameter(0.02 * torch.randn(embedding_dim))
        self.register_buffer("positions", grid_positions(encoder.grid, embedding_dim), persistent=False)
        self.positions: Tensor
        blocks = (Block(embedding_dim, num_heads, 0.0, "gelu", is_causal=False) for _ in range(num_layers))
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(embedding_dim)
        self.output = nn.Linear(embedding_dim, encoder.embedding.in_features)
        initialise(self, "xavier")

    def forward(self, features: Tensor, visible: Tensor) -> Tensor:
        """Return the pixels of all patches (batch, patches, numbers).

        Args:
            features: of the visible patches (batch, visible patches, features).
            visible: the places of these patches (batch, visible patches), int64.
        """
        known = self.embedding(features)
        patches = self.hidden_patch.to(known.dtype).expand(len(known), len(self.positions), -1)
        patches = patches.scatter(1, visible[..., None].expand_as(known), known)
        return self.output(self.norm(self.blocks(patches + self.positions)))
