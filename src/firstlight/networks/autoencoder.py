"""Autoencoders: plain, denoising and variational."""

import itertools
import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_activation
from firstlight.networks.strided import double, halve, halved_sizes
from firstlight.spec import DataSpec

_Halves = tuple[nn.Sequential, nn.Sequential, int]  # encoder, decoder, and features between encoder and latent


class Autoencoder(nn.Module):
    """An image through a short latent and back (Hinton & Salakhutdinov 2006); the decoder mirrors the encoder.

    With `noise` it is a denoising autoencoder (Vincent, Larochelle, Bengio & Manzagol 2008): in training it sees noisy
    images, and is to give back the clean ones. With `variational` an image has no latent but a normal distribution
    of latents (Kingma & Welling 2014, section 3 and appendix C.2), from which training draws.

    Args:
        spec: of the images.
        convolutional: whether its layers are convolutions of stride 2, or dense.
        latent_dim: numbers in a latent.
        hidden_sizes: maps of each convolution, which halves the image, or units of each dense layer; none says 32, 64
            or 512, 256.
        noise: standard deviation of what is added to the inputs, themselves of deviation 1, in training.
        variational: whether latents are distributions.
        activation: by name, after every layer but the last of each half.
        initialisation: of the weights, by name; None for torch's.

    Raises:
        ValueError: a size below 1, negative noise, more halved_sizes than the image has, or an unknown activation.
    """

    accepts: ClassVar[str] = "images"
    task: ClassVar[str] = "reconstruction"

    def __init__(
        self,
        spec: DataSpec,
        *,
        convolutional: bool = True,
        latent_dim: int = 32,
        hidden_sizes: Sequence[int] | None = None,
        noise: float = 0.0,
        variational: bool = False,
        activation: str = "relu",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        if hidden_sizes is None:
            hidden_sizes = (32, 64) if convolutional else (512, 256)
        if latent_dim < 1:
            raise ValueError(f"latent_dim={latent_dim}: a latent has one number or more.")
        if any(width < 1 for width in hidden_sizes):
            raise ValueError(f"hidden_sizes={list(hidden_sizes)}: a layer has one map or unit or more.")
        if not 0 <= noise < math.inf:
            raise ValueError(f"noise={noise}: a standard deviation, 0 or larger.")
        self.noise = noise
        halves = _convolutional if convolutional else _dense
        self.encoder, self.decoder, num_features = halves(spec.input_shape, hidden_sizes, latent_dim, activation)
        self.mean = nn.Linear(num_features, latent_dim)
        self.log_variance = nn.Linear(num_features, latent_dim) if variational else None
        initialise(self, initialisation)

    def posterior(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Mean and log variance of the latent, both (batch, latent_dim); no variance unless variational."""
        features = self.encoder(inputs)
        return self.mean(features), None if self.log_variance is None else self.log_variance(features)

    def decode(self, latents: Tensor) -> Tensor:
        """(batch, latent_dim) -> images (batch, channels, height, width), 0 being black and 1 white, unbounded."""
        return self.decoder(latents)

    def reconstruct(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """The images again, as `decode` gives them, with the mean and log variance of their latents.

        In training noise is added to the images and latents are drawn from their distribution; else a latent is its
        mean.
        """
        if self.training and self.noise:
            inputs = inputs + self.noise * torch.randn_like(inputs)
        mean, log_variance = self.posterior(inputs)
        latents = mean
        if self.training and log_variance is not None:
            latents = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        return self.decode(latents), mean, log_variance

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width), of mean 0 and deviation 1 -> the same shape, 0 being black and 1 white."""
        return self.reconstruct(inputs)[0]


def _convolutional(shape: tuple[int, ...], hidden_sizes: Sequence[int], latent_dim: int, activation: str) -> _Halves:
    channels, height, width = shape
    sizes = halved_sizes(height, width, len(hidden_sizes))
    if min(sizes[-1]) < 1:
        raise ValueError(f"hidden_sizes={list(hidden_sizes)}: an image of {height}x{width} cannot be halved so often.")
    maps = [channels, *hidden_sizes]
    encoder: list[nn.Module] = []
    decoder: list[nn.Module] = []
    for outer, inner, size in zip(maps, hidden_sizes, sizes, strict=False):
        encoder += [halve(outer, inner), build_activation(activation)]
        decoder = [build_activation(activation), double(inner, outer, size), *decoder]
    grid = (maps[-1], *sizes[-1])
    num_features = math.prod(grid)
    start = [nn.Linear(latent_dim, num_features), nn.Unflatten(1, grid)]
    return nn.Sequential(*encoder, nn.Flatten()), nn.Sequential(*start, *decoder), num_features


def _dense(shape: tuple[int, ...], hidden_sizes: Sequence[int], latent_dim: int, activation: str) -> _Halves:
    sizes = [math.prod(shape), *hidden_sizes]
    encoder: list[nn.Module] = []
    decoder: list[nn.Module] = []
    for outer, inner in itertools.pairwise(sizes):
        encoder += [nn.Linear(outer, inner), build_activation(activation)]
        decoder = [build_activation(activation), nn.Linear(inner, outer), *decoder]
    start = nn.Linear(latent_dim, sizes[-1])
    return nn.Sequential(nn.Flatten(), *encoder), nn.Sequential(start, *decoder, nn.Unflatten(1, shape)), sizes[-1]
