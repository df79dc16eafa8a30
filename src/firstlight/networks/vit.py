"""A vision transformer: attention between the patches of an image."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.checks import check_range
from firstlight.networks.initialisation import initialise
from firstlight.networks.network import Network, image_shape
from firstlight.networks.transformer import Block
from firstlight.spec import DataSpec

_PATCHES = 8  # along the short side, if no size of a patch is set
_SMALLEST = 2  # pixels along the side of a patch
_LONGEST_WAVE = 10_000.0


class ViT(Network):
    """A small vision transformer: the patches of an image are the positions of a transformer (Dosovitskiy et al. 2021).

    Layer normalisation precedes attention and linear layers. The positions of the patches are sines and cosines of
    row and column, as in masked autoencoders (He et al. 2022), so that no weight depends on the size of the image. The
    output layer takes the mean over the patches. Images whose sides are no multiples of a patch get zeros, which is the
    mean colour, at the right and at the bottom.

    Args:
        spec: spec of the data; images.
        patch_size: height and width of a patch in pixels; None for an eighth of the image's short side, and at least 2.
        embedding_dim: length of the vector that represents a patch, a multiple of 4.
        num_layers: number of blocks of attention and linear layers.
        num_heads: number of attention heads, a divisor of `embedding_dim`.
        dropout: probability that a value is dropped in training, in the outputs of attention and linear layers.
        activation: name of the activation between the linear layers, see `layers.ACTIVATIONS`.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None selects `xavier`.

    Attributes:
        grid: rows and columns of patches.

    Raises:
        ValueError: a size is below 1, `embedding_dim` is no multiple of 4 and of `num_heads`, a patch is larger than
            the image, the dropout is out of range, or an activation or initialisation is unknown.
    """

    accepts: ClassVar[str] = "images"
    head_names = ("output",)
    unused_prefixes: ClassVar[tuple[str, ...]] = ("decoder.",)  # of a masked autoencoder

    def __init__(
        self,
        spec: DataSpec,
        *,
        patch_size: int | None = None,
        embedding_dim: int = 128,
        num_layers: int = 4,
        num_heads: int = 4,
        dropout: float = 0.0,
        activation: str = "gelu",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        check_sizes(embedding_dim, num_layers, num_heads)
        channels, height, width = image_shape(self, spec)
        side = min(height, width)
        if patch_size is None:
            patch_size = min(side, max(_SMALLEST, math.ceil(side / _PATCHES)))
        check_range("patch_size", patch_size, at_least=1, at_most=side)
        self.patch_size = patch_size
        self.embedding_dim = embedding_dim
        self.grid = (math.ceil(height / patch_size), math.ceil(width / patch_size))
        self.embedding = nn.Linear(channels * patch_size**2, embedding_dim)
        self.register_buffer("positions", grid_positions(self.grid, embedding_dim), persistent=False)
        self.positions: Tensor
        blocks = (Block(embedding_dim, num_heads, dropout, activation, is_causal=False) for _ in range(num_layers))
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(embedding_dim)
        self.output = nn.Linear(embedding_dim, spec.num_outputs)
        initialise(self, initialisation or "xavier")

    def patches(self, images: Tensor) -> Tensor:
        """Cut images (batch, channels, height, width) into patches (batch, patches, channels * patch_size ** 2)."""
        size, (rows, columns) = self.patch_size, self.grid
        height, width = images.shape[2:]
        images = F.pad(images, (0, columns * size - width, 0, rows * size - height))
        parts = images.unflatten(3, (columns, size)).unflatten(2, (rows, size))  # batch, channels, row, y, column, x
        return parts.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)

    def images(self, patches: Tensor, size: tuple[int, int]) -> Tensor:
        """Put patches (batch, patches, numbers) together to images (batch, channels, height, width) of this size."""
        rows, columns = self.grid
        parts = patches.unflatten(2, (-1, self.patch_size, self.patch_size)).unflatten(1, (rows, columns))
        joined = parts.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)
        return joined[:, :, : size[0], : size[1]]

    def embed(self, patches: Tensor) -> Tensor:
        """Return the vectors of all patches with their positions: (batch, patches, embedding_dim)."""
        return self.embedding(patches) + self.positions

    def encode(self, vectors: Tensor) -> Tensor:
        """Return the features of some patches: (batch, any number, embedding_dim) -> the same shape."""
        return self.norm(self.blocks(vectors))

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs)."""
        return self.output(self.encode(self.embed(self.patches(inputs))).mean(1))


def check_sizes(embedding_dim: int, num_layers: int, num_heads: int, prefix: str = "") -> None:
    """Check the sizes of a transformer whose positions are those of a grid; the options are named `prefix` + name.

    Raises:
        ValueError: a size is below 1, or `embedding_dim` is no multiple of 4 and of `num_heads`.
    """
    for name, size in {"embedding_dim": embedding_dim, "num_layers": num_layers, "num_heads": num_heads}.items():
        check_range(f"{prefix}{name}", size, at_least=1)
    if embedding_dim % 4 or embedding_dim % num_heads:
        raise ValueError(
            f"{prefix}embedding_dim={embedding_dim}: must be a multiple of 4 and of {prefix}num_heads={num_heads}."
        )


def grid_positions(grid: tuple[int, int], embedding_dim: int) -> Tensor:
    """Return sines and cosines of rows and columns (rows * columns, embedding_dim), half of the numbers for each.

    The wavelengths grow geometrically from 2 pi to 10,000 times 2 pi (Vaswani et al. 2017, section 3.5).
    """
    quarter = embedding_dim // 4
    frequencies = _LONGEST_WAVE ** -(torch.arange(quarter) / quarter)
    rows, columns = (torch.arange(size)[:, None] * frequencies for size in grid)  # (size, embedding_dim / 4)
    waves = [torch.cat([angles.sin(), angles.cos()], 1) for angles in (rows, columns)]
    shape = (*grid, embedding_dim // 2)
    return torch.cat([waves[0][:, None].expand(shape), waves[1][None].expand(shape)], 2).flatten(0, 1)
