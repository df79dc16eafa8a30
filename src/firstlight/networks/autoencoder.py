"""Autoencoders: plain, denoising and variational."""

import itertools
import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from firstlight.networks.activation import activation_named
from firstlight.networks.initialisation import initialise
from firstlight.networks.strided import double, halve, halvings
from firstlight.spec import DataSpec

_Halves = tuple[nn.Sequential, nn.Sequential, int]  # encoder, decoder, and features between encoder and code


class Autoencoder(nn.Module):
    """A picture through a short code and back (Hinton & Salakhutdinov 2006); the decoder mirrors the encoder.

    With `noise` it is a denoising autoencoder (Vincent, Larochelle, Bengio & Manzagol 2008): in training it sees noisy
    pictures, and is to give back the clean ones. With `variational` a picture has no code but a normal distribution
    of codes (Kingma & Welling 2014, section 3 and appendix C.2), from which training draws.

    Args:
        spec: of the pictures.
        convolutional: whether its layers are convolutions of stride 2, or dense.
        code_size: numbers in a code.
        widths: maps of each convolution, which halves the picture, or units of each dense layer; none says 32, 64
            or 512, 256.
        noise: standard deviation of what is added to the inputs, themselves of deviation 1, in training.
        variational: whether codes are distributions.
        activation: by name, after every layer but the last of each half.
        initialisation: of the weights, by name; None for torch's.

    Raises:
        ValueError: a size below 1, negative noise, more halvings than the picture has, or an unknown activation.
    """

    takes: ClassVar[str] = "pictures"
    task: ClassVar[str] = "reconstruction"

    def __init__(
        self,
        spec: DataSpec,
        *,
        convolutional: bool = True,
        code_size: int = 32,
        widths: Sequence[int] | None = None,
        noise: float = 0.0,
        variational: bool = False,
        activation: str = "relu",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        if widths is None:
            widths = (32, 64) if convolutional else (512, 256)
        if code_size < 1:
            raise ValueError(f"code_size={code_size}: a code has one number or more.")
        if any(width < 1 for width in widths):
            raise ValueError(f"widths={list(widths)}: a layer has one map or unit or more.")
        if not 0 <= noise < math.inf:
            raise ValueError(f"noise={noise}: a standard deviation, 0 or larger.")
        self.noise = noise
        halves = _convolutional if convolutional else _dense
        self.encoder, self.decoder, num_features = halves(spec.input_shape, widths, code_size, activation)
        self.mean = nn.Linear(num_features, code_size)
        self.log_variance = nn.Linear(num_features, code_size) if variational else None
        initialise(self, initialisation)

    def posterior(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Mean and logarithm of the variance of the code, both (batch, code_size); no variance unless variational."""
        features = self.encoder(inputs)
        return self.mean(features), None if self.log_variance is None else self.log_variance(features)

    def decode(self, codes: Tensor) -> Tensor:
        """(batch, code_size) -> pictures (batch, channels, height, width), 0 being black and 1 white, unbounded."""
        return self.decoder(codes)

    def reconstruct(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """The pictures again, as `decode` gives them, with the mean and log variance of their codes.

        In training noise is added to the pictures and codes are drawn from their distribution; else a code is its
        mean.
        """
        if self.training and self.noise:
            inputs = inputs + self.noise * torch.randn_like(inputs)
        mean, log_variance = self.posterior(inputs)
        codes = mean
        if self.training and log_variance is not None:
            codes = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        return self.decode(codes), mean, log_variance

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width), of mean 0 and deviation 1 -> the same shape, 0 being black and 1 white."""
        return self.reconstruct(inputs)[0]


def _convolutional(shape: tuple[int, ...], widths: Sequence[int], code_size: int, activation: str) -> _Halves:
    channels, height, width = shape
    sizes = halvings(height, width, len(widths))
    if min(sizes[-1]) < 1:
        raise ValueError(
            f"widths={list(widths)}: a picture of {height}x{width} cannot be halved {len(widths)} times; give fewer."
        )
    maps = [channels, *widths]
    encoder: list[nn.Module] = []
    decoder: list[nn.Module] = []
    for outer, inner, size in zip(maps, widths, sizes, strict=False):
        encoder += [halve(outer, inner), activation_named(activation)]
        decoder = [activation_named(activation), double(inner, outer, size), *decoder]
    grid = (maps[-1], *sizes[-1])
    num_features = math.prod(grid)
    start = [nn.Linear(code_size, num_features), nn.Unflatten(1, grid)]
    return nn.Sequential(*encoder, nn.Flatten()), nn.Sequential(*start, *decoder), num_features


def _dense(shape: tuple[int, ...], widths: Sequence[int], code_size: int, activation: str) -> _Halves:
    sizes = [math.prod(shape), *widths]
    encoder: list[nn.Module] = []
    decoder: list[nn.Module] = []
    for outer, inner in itertools.pairwise(sizes):
        encoder += [nn.Linear(outer, inner), activation_named(activation)]
        decoder = [activation_named(activation), nn.Linear(inner, outer), *decoder]
    start = nn.Linear(code_size, sizes[-1])
    return nn.Sequential(nn.Flatten(), *encoder), nn.Sequential(start, *decoder, nn.Unflatten(1, shape)), sizes[-1]
