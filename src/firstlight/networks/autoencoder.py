"""Autoencoders: plain, denoising and variational."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from firstlight.checks import check_range
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_activation, build_dropout, build_normalisation
from firstlight.networks.network import Network
from firstlight.networks.strided import double, halve, halved_sizes
from firstlight.spec import DataSpec

_Layers = tuple[nn.Sequential, nn.Sequential, int]  # encoder, decoder, number of features that the encoder returns

_Activate = Callable[[int], list[nn.Module]]  # from a number of features to a normalisation and an activation


class Autoencoder(Network):
    """An autoencoder: an encoder compresses an image to a short latent vector, and a decoder with the mirrored layers
    reconstructs the image (Hinton & Salakhutdinov 2006).

    With `noise` it is a denoising autoencoder (Vincent, Larochelle, Bengio & Manzagol 2008): training adds noise to the
    inputs but not to the targets. With `variational` the encoder returns a normal distribution of latents (Kingma &
    Welling 2014, section 3 and appendix C.2), and training draws a latent from it.

    Args:
        spec: spec of the data; images.
        convolutional: whether the layers are convolutions of stride 2 or linear layers.
        latent_dim: length of a latent vector.
        hidden_sizes: channels of each convolution, which halves the image, or units of each linear layer. None selects
            32, 64 for convolutions and 512, 256 for linear layers.
        noise: standard deviation of the noise that training adds to the inputs, which have standard deviation 1.
        variational: whether the encoder returns distributions of latents.
        dropout: probability that a hidden unit, after its activation, is dropped in training. The latent is not.
        normalisation: name of the normalisation before each activation, see `layers.build_normalisation`.
        activation: name of the activation, see `layers.ACTIVATIONS`. It follows every layer except the last of the
            encoder and of the decoder.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None keeps PyTorch's.

    Raises:
        ValueError: a size is below 1, the noise is negative or infinite, the dropout is out of range, the image is too
            small for the number of convolutions, or an activation, normalisation or initialisation is unknown.
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
        dropout: float = 0.0,
        normalisation: str = "none",
        activation: str = "relu",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        if hidden_sizes is None:
            hidden_sizes = (32, 64) if convolutional else (512, 256)
        check_range("latent_dim", latent_dim, at_least=1)
        for size in hidden_sizes:
            check_range("hidden_sizes", size, at_least=1)
        check_range("noise", noise, at_least=0, below=math.inf)
        self.noise = noise
        dropped = build_dropout(dropout)
        build = _build_convolutional if convolutional else _build_linear

        def activate(num_features: int) -> list[nn.Module]:
            norm = build_normalisation(normalisation, num_features, of_images=convolutional)
            # Without dropout there is no layer, so that the names of weights stay those of earlier runs.
            return [*norm, build_activation(activation), *([dropped] if dropout else [])]

        self.encoder, self.decoder, num_features = build(spec.input_shape, hidden_sizes, latent_dim, activate)
        self.mean = nn.Linear(num_features, latent_dim)
        self.log_variance = nn.Linear(num_features, latent_dim) if variational else None
        initialise(self, initialisation)

    def posterior(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return mean and log variance of the latents, each (batch, latent_dim). Without `variational` the log variance
        is None."""
        features = self.encoder(inputs)
        return self.mean(features), None if self.log_variance is None else self.log_variance(features)

    def decode(self, latents: Tensor) -> Tensor:
        """Return the images of latents: (batch, latent_dim) -> (batch, channels, height, width).

        0 is black and 1 is white. Values may lie outside this range.
        """
        return self.decoder(latents)

    def reconstruct(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return reconstructions, see `decode`, and the mean and log variance of their latents (batch, latent_dim).

        Training adds noise to the inputs and draws latents from their distribution. In evaluation the latent is the
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
        """(batch, channels, height, width), of mean 0 and standard deviation 1 -> the same shape, see `decode`."""
        return self.reconstruct(inputs)[0]


def _build_convolutional(
    shape: tuple[int, ...], hidden_sizes: Sequence[int], latent_dim: int, activate: _Activate
) -> _Layers:
    channels, height, width = shape
    sizes = halved_sizes(height, width, len(hidden_sizes))
    if min(sizes[-1]) < 1:
        raise ValueError(
            f"hidden_sizes={list(hidden_sizes)}: must be fewer, because each convolution halves the image of"
            f" {height}x{width} pixels."
        )
    layer_channels = [channels, *hidden_sizes]
    encoder: list[nn.Module] = []
    decoder: list[nn.Module] = []
    for outer, inner, size in zip(layer_channels, hidden_sizes, sizes, strict=False):
        encoder += [halve(outer, inner), *activate(inner)]
        decoder = [*activate(inner), double(inner, outer, size), *decoder]
    grid = (layer_channels[-1], *sizes[-1])
    num_features = math.prod(grid)
    start = [nn.Linear(latent_dim, num_features), nn.Unflatten(1, grid)]
    return nn.Sequential(*encoder, nn.Flatten()), nn.Sequential(*start, *decoder), num_features


def _build_linear(shape: tuple[int, ...], hidden_sizes: Sequence[int], latent_dim: int, activate: _Activate) -> _Layers:
    sizes = [math.prod(shape), *hidden_sizes]
    encoder: list[nn.Module] = []
    decoder: list[nn.Module] = []
    for outer, inner in itertools.pairwise(sizes):
        encoder += [nn.Linear(outer, inner), *activate(inner)]
        decoder = [*activate(inner), nn.Linear(inner, outer), *decoder]
    start = nn.Linear(latent_dim, sizes[-1])
    return nn.Sequential(nn.Flatten(), *encoder), nn.Sequential(start, *decoder, nn.Unflatten(1, shape)), sizes[-1]
