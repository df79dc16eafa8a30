"""Generative adversarial networks."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm as with_spectral_norm

from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import replace_activations
from firstlight.networks.strided import double, halve, halved_sizes
from firstlight.spec import DataSpec


class GAN(nn.Module):
    """A generator that makes images of random latents, and a discriminator that tells them from real ones
    (Goodfellow et al. 2014), both convolutional (DCGAN; Radford, Metz & Chintala 2016, section 3).

    The discriminator halves an image until its shorter side is from 4 to 7 pixels and doubles its maps every time;
    the generator is its mirror image. Batches are normalised but where images come in or out, and weights start
    with a deviation of 0.02 (section 4). Unlike the paper's, both have a dense hidden layer on the side of the latent,
    as in InfoGAN (Chen et al. 2016, appendix C.1): it sees the image as a whole.

    Args:
        spec: of images of 8x8 or more.
        latent_dim: numbers in a latent, drawn from the standard normal distribution.
        base_channels: maps at half the size of the image; eight times as many at the most.
        hidden_size: units of the dense layers; 0 leaves them out, as in the paper. None says 512, or 0 with
            `spectral_norm`: without normalised batches to hold the two in balance, a dense generator runs away.
        spectral_norm: whether no layer of the discriminator can stretch its input (Miyato et al. 2018); batches are
            not normalised there then.
        activation: of the generator, by name; the discriminator's are leaky ReLUs, as in the paper.
        initialisation: of the weights, by name; None for the paper's.

    Raises:
        ValueError: smaller images, or a size out of its range.
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
        for name, size in {"latent_dim": latent_dim, "base_channels": base_channels}.items():
            if size < 1:
                raise ValueError(f"{name}={size}: one or more.")
        if hidden_size is None:
            hidden_size = 0 if spectral_norm else 512
        if hidden_size < 0:
            raise ValueError(f"hidden_size={hidden_size}: one or more, or 0 for no dense layers.")
        _, *image = spec.input_shape
        if min(image) < self.min_size:
            raise ValueError(f"GAN takes images of 8x8 or more, not {image[0]}x{image[1]}.")
        self.latent_dim = latent_dim
        self.generator = _generator(spec.input_shape, latent_dim, base_channels, hidden_size)
        self.discriminator = _discriminator(spec.input_shape, base_channels, hidden_size, spectral_norm)
        replace_activations(self.generator, activation)
        initialise(self, initialisation)
        if spectral_norm:
            for layer in self.discriminator:
                if hasattr(layer, "weight"):
                    with_spectral_norm(layer)

    def generate(self, latents: Tensor) -> Tensor:
        """(batch, latent_dim) -> images (batch, channels, height, width) from -1, black, to 1, white."""
        return self.generator(latents)

    def discriminate(self, images: Tensor) -> Tensor:
        """(batch, channels, height, width) from -1 to 1 -> scores (batch,), the larger the more real."""
        return self.discriminator(images)[:, 0]

    def forward(self, latents: Tensor) -> Tensor:
        """`generate`."""
        return self.generate(latents)

    def example_input(self, batch_size: int, device: torch.device | str) -> Tensor:
        """Something that `forward` takes."""
        return torch.zeros(batch_size, self.latent_dim, device=device)


class _BatchNorm(nn.BatchNorm1d):
    """Of dense layers: a batch of one has no deviation, so the running averages stand in for its own."""

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, units) -> (batch, units)."""
        if len(inputs) > 1:
            return super().forward(inputs)
        return F.batch_norm(inputs, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


def _plan(shape: tuple[int, ...], base_channels: int) -> tuple[list[int], list[tuple[int, int]]]:
    """Maps and sizes from the image inwards."""
    channels, height, columns = shape
    times = min(height, columns).bit_length() - 3
    return [channels, *(base_channels * 2 ** min(step, 3) for step in range(times))], halved_sizes(
        height, columns, times
    )


def _generator(shape: tuple[int, ...], latent_dim: int, base_channels: int, hidden_size: int) -> nn.Sequential:
    maps, sizes = _plan(shape, base_channels)
    grid = (maps[-1], *sizes[-1])
    layers: list[nn.Module] = []
    if hidden_size:
        layers += [nn.Linear(latent_dim, hidden_size, bias=False), _BatchNorm(hidden_size), nn.ReLU()]
    layers += [nn.Linear(hidden_size or latent_dim, math.prod(grid), bias=False), nn.Unflatten(1, grid)]
    for step in range(len(maps) - 1, 0, -1):
        layers += [nn.BatchNorm2d(maps[step]), nn.ReLU()]
        layers.append(double(maps[step], maps[step - 1], sizes[step - 1], bias=step == 1))
    return nn.Sequential(*map(_initialised, layers), nn.Tanh())


def _discriminator(shape: tuple[int, ...], base_channels: int, hidden_size: int, spectral_norm: bool) -> nn.Sequential:
    maps, sizes = _plan(shape, base_channels)
    layers: list[nn.Module] = []
    for step in range(1, len(maps)):
        normalised = step > 1 and not spectral_norm
        layers.append(halve(maps[step - 1], maps[step], bias=not normalised))
        layers += [nn.BatchNorm2d(maps[step])] if normalised else []
        layers.append(nn.LeakyReLU(0.2))
    num_features = maps[-1] * math.prod(sizes[-1])
    layers.append(nn.Flatten())
    if hidden_size:
        layers.append(nn.Linear(num_features, hidden_size, bias=spectral_norm))
        layers += [] if spectral_norm else [_BatchNorm(hidden_size)]
        layers.append(nn.LeakyReLU(0.2))
    layers = [_initialised(layer) for layer in [*layers, nn.Linear(hidden_size or num_features, 1)]]
    return nn.Sequential(*layers)


def _initialised(layer: nn.Module) -> nn.Module:
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, std=0.02)
    return layer
