"""U-Net."""

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.checks import check_range
from firstlight.networks.conv_block import ConvEncoder, conv_block, fitted, fitting_levels
from firstlight.networks.encoders import Encoder, OnEncoder, shapes_of
from firstlight.networks.initialisation import initialise
from firstlight.networks.layers import build_dropout
from firstlight.networks.network import image_shape
from firstlight.spec import DataSpec


class _Up(nn.Module):
    """A transposed convolution doubles height and width; two convolutions follow, which also see the skip connection.

    Args:
        in_channels: input channels.
        skip_channels: channels of the skip connection, and output channels.
        options: normalisation and activation, see `conv_block`.
    """

    def __init__(self, in_channels: int, skip_channels: int, **options: str) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, skip_channels, 2, stride=2)
        self.block = conv_block(2 * skip_channels, skip_channels, 2, **options)

    def forward(self, inputs: Tensor, skip: Tensor) -> Tensor:
        """Return features of the shape of `skip`."""
        return self.block(torch.cat([fitted(self.up(inputs), skip.shape[2:]), skip], 1))


class UNet(OnEncoder):
    """U-Net: an encoder halves the image several times, and a decoder restores its size. Skip connections pass the
    features of each size from the encoder to the decoder.

    Shapes: (batch, channels, height, width) -> (batch, num_outputs, height, width), for any height and width.

    Source: Ronneberger, Fischer & Brox 2015, "U-Net: convolutional networks for biomedical image segmentation",
    section 2 and figure 1. Convolutions are padded here, so that the output has the size of the image, and each has a
    normalisation. A side that is halved is rounded up; the decoder cuts off the pixel that is too many. Levels that
    would see a single pixel are left out.

    Args:
        spec: spec of the data; images.
        depth: how often the image is halved; 4 in the paper. It has no effect with `encoder`.
        base_channels: channels of the first level; each later level doubles them. 64 in the paper. It has no effect
            with `encoder`.
        encoder: name of a network that is the encoder, see `encoders.ENCODERS`. The decoder then has the channels of
            the skip connections; outputs of the largest feature maps are resized bilinearly to the image. None for an
            encoder of two convolutions at each level.
        dropout: probability that a channel is dropped at the end of the encoder in training.
        normalisation: name of the normalisation, see `layers.build_normalisation`; that of an `encoder` is its own.
        activation: name of the activation, see `layers.ACTIVATIONS`; that of an `encoder` is its own.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None selects `he`, as in the
            paper.

    Raises:
        ValueError: a number is out of its range, or a name is unknown.
    """

    accepts: ClassVar[str] = "images"
    task: ClassVar[str] = "segmentation"
    head_names: tuple[str, ...] = ("decoder", "classifier")  # all that weights of an encoder lack

    def __init__(
        self,
        spec: DataSpec,
        *,
        depth: int = 4,
        base_channels: int = 64,
        encoder: str | None = None,
        dropout: float = 0.0,
        normalisation: str = "batch",
        activation: str = "relu",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        check_range("depth", depth, at_least=1)
        check_range("base_channels", base_channels, at_least=1)
        options = {"normalisation": normalisation, "activation": activation}
        in_channels, height, width = image_shape(self, spec)
        levels = [(base_channels * 2**level, 2) for level in range(fitting_levels(height, width, depth + 1))]
        self.encoder = ConvEncoder(in_channels, levels, **options) if encoder is None else Encoder(spec, encoder)
        self.dropout = nn.Dropout2d(build_dropout(dropout).p)
        channels = [shape[0] for shape in shapes_of(self.encoder, spec)][::-1]
        self.decoder = nn.ModuleList(_Up(below, skip, **options) for below, skip in pairwise(channels))
        self.classifier = nn.Conv2d(channels[-1], spec.num_outputs, 1)
        initialise(self, initialisation or "he")

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs, height, width)."""
        *skips, features = self.encoder(inputs)
        features = self.dropout(features)
        for up, skip in zip(self.decoder, reversed(skips), strict=True):
            features = up(features, skip)
        logits: Tensor = self.classifier(features)
        if logits.shape[2:] == inputs.shape[2:]:
            return logits
        return F.interpolate(logits, inputs.shape[2:], mode="bilinear")
