"""Generative adversarial networks."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm as with_spectral_norm

from firstlight.checks import check_range
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import replace_activations
from firstlight.networks.network import Network, image_shape
from firstlight.networks.strided import double, halve, halved_sizes
from firstlight.spec import DataSpec


class GAN(Network):
    """A generative adversarial network (Goodfellow et al. 2014).

    The generator turns random latents into images, and the discriminator classifies images as real or generated. Both
    are convolutional (DCGAN; Radford, Metz & Chintala 2016, section 3).

    The discriminator halves an image until its shorter side has 4 to 7 pixels and doubles the channels each time, up to
    eight times `base_channels`. The generator mirrors it. Batch normalisation follows every layer except the input and
    output layers for images, and initial weights have a standard deviation of 0.02 (section 4). Unlike in the paper,
    both networks have a hidden linear layer next to the latent, as in InfoGAN (Chen et al. 2016, appendix C.1).

    Args:
        spec: spec of the data; images of at least 8x8.
        latent_dim: length of a latent vector, drawn from the standard normal distribution.
        base_channels: channels at half the size of the image.
        hidden_size: units of the hidden linear layers; 0 omits them, as in the paper. None selects 512, or 0 with
            `spectral_norm`, because training diverges with hidden linear layers and without batch normalisation.
        spectral_norm: whether the discriminator has spectral normalisation (Miyato et al. 2018) instead of batch
            normalisation.
        activation: name of the generator's activation, see `layers.ACTIVATIONS`. The discriminator has leaky ReLUs, as
            in the paper.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None selects the paper's.

    Raises:
        ValueError: the images are too small, a size is out of range, or an activation or initialisation is unknown.
    """

    accepts: ClassVar[str] = "images"
    task: ClassVar[str] = "adversarial"
    min_size: ClassVar[int] = 8

    def __init__(
        self,
        spec: DataSpec,
        *,
        latent_dim: int = 64,
        base_channels: int = 32,
        hidden_size: int | None = None,
        spectral_norm: bool = False,
        activation: str = "relu",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        check_range("latent_dim", latent_dim, at_least=1)
        check_range("base_channels", base_channels, at_least=1)
        if hidden_size is None:
            hidden_size = 0 if spectral_norm else 512
        check_range("hidden_size", hidden_size, at_least=0)
        image_shape(self, spec)  # checks the size
        self.latent_dim = latent_dim
        self.generator = _build_generator(spec.input_shape, latent_dim, base_channels, hidden_size)
        self.discriminator = _build_discriminator(spec.input_shape, base_channels, hidden_size, spectral_norm)
        replace_activations(self.generator, activation)
        initialise(self, initialisation)
        if spectral_norm:
            for layer in self.discriminator:
                if hasattr(layer, "weight"):
                    with_spectral_norm(layer)

    def generate(self, latents: Tensor) -> Tensor:
        """Return images: (batch, latent_dim) -> (batch, channels, height, width), from -1 (black) to 1 (white)."""
        return self.generator(latents)

    def discriminate(self, images: Tensor) -> Tensor:
        """Return the logit that an image is real: (batch, channels, height, width), from -1 to 1 -> (batch,)."""
        return self.discriminator(images)[:, 0]

    def forward(self, latents: Tensor) -> Tensor:
        return self.generate(latents)

    def example_input(self, batch_size: int, device: torch.device | str) -> Tensor:
        """Return an input of `forward`: (batch, latent_dim)."""
        return torch.zeros(batch_size, self.latent_dim, device=device)


class _BatchNorm(nn.BatchNorm1d):
    """Batch normalisation that works on a batch of one sample.

    One sample has no variance, so that the running averages normalise it.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, units) -> (batch, units)."""
        if not self.training or len(inputs) > 1:
            return super().forward(inputs)
        return F.batch_norm(inputs, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


def _plan_layers(shape: tuple[int, ...], base_channels: int) -> tuple[list[int], list[tuple[int, int]]]:
    """Return the channels and the (height, width) of the image and of each halved size."""
    image_channels, height, width = shape
    times = min(height, width).bit_length() - 3
    channels = [image_channels, *(base_channels * 2 ** min(step, 3) for step in range(times))]
    return channels, halved_sizes(height, width, times)


def _build_generator(shape: tuple[int, ...], latent_dim: int, base_channels: int, hidden_size: int) -> nn.Sequential:
    channels, sizes = _plan_layers(shape, base_channels)
    grid = (channels[-1], *sizes[-1])
    layers: list[nn.Module] = []
    if hidden_size:
        layers += [nn.Linear(latent_dim, hidden_size, bias=False), _BatchNorm(hidden_size), nn.ReLU()]
    layers += [nn.Linear(hidden_size or latent_dim, math.prod(grid), bias=False), nn.Unflatten(1, grid)]
    for step in range(len(channels) - 1, 0, -1):
        layers += [nn.BatchNorm2d(channels[step]), nn.ReLU()]
        layers.append(double(channels[step], channels[step - 1], sizes[step - 1], bias=step == 1))
    return nn.Sequential(*map(_draw_weights, layers), nn.Tanh())


def _build_discriminator(
    shape: tuple[int, ...], base_channels: int, hidden_size: int, spectral_norm: bool
) -> nn.Sequential:
    channels, sizes = _plan_layers(shape, base_channels)
    layers: list[nn.Module] = []
    for step in range(1, len(channels)):
        normalised = step > 1 and not spectral_norm
        layers.append(halve(channels[step - 1], channels[step], bias=not normalised))
        layers += [nn.BatchNorm2d(channels[step])] if normalised else []
        layers.append(nn.LeakyReLU(0.2))
    num_features = channels[-1] * math.prod(sizes[-1])
    layers.append(nn.Flatten())
    if hidden_size:
        layers.append(nn.Linear(num_features, hidden_size, bias=spectral_norm))
        layers += [] if spectral_norm else [_BatchNorm(hidden_size)]
        layers.append(nn.LeakyReLU(0.2))
    layers = [_draw_weights(layer) for layer in [*layers, nn.Linear(hidden_size or num_features, 1)]]
    return nn.Sequential(*layers)


def _draw_weights(layer: nn.Module) -> nn.Module:
    """Draw the initial weights of a layer as in the paper (section 4), and return the layer."""
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, std=0.02)
    return layer
