"""The fully convolutional network."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from firstlight.checks import check_range
from firstlight.networks.conv_block import ConvEncoder, fitted, fitting_levels, vgg_levels
from firstlight.networks.encoders import Encoder, OnEncoder, shapes_of
from firstlight.networks.initialisation import initialise
from firstlight.networks.network import image_shape
from firstlight.spec import DataSpec


def enlarge(channels: int, factor: int) -> nn.ConvTranspose2d:
    """Return a transposed convolution that multiplies height and width; it learns from bilinear interpolation on.

    Args:
        channels: input and output channels.
        factor: an even number.
    """
    layer = nn.ConvTranspose2d(channels, channels, 2 * factor, stride=factor, padding=factor // 2, bias=False)
    places = torch.arange(2 * factor)
    line = 1 - (places - (factor - 0.5)).abs() / factor  # the weights of the neighbours along one axis
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[range(channels), range(channels)] = torch.outer(line, line)
    return layer


class FCN(OnEncoder):
    """The fully convolutional network: feature maps of an encoder become logits by 1x1 convolutions, and transposed
    convolutions enlarge the coarse logits step by step and add them to the finer ones.

    Shapes: (batch, channels, height, width) -> (batch, num_outputs, height, width), for any height and width.

    Source: Long, Shelhamer & Darrell 2015, "Fully convolutional networks for semantic segmentation", section 4. The two
    layers of 4096 channels that VGG ends in are left out. All transposed convolutions learn, the last one too.

    Args:
        spec: spec of the data; images.
        encoder: name of a network that is the encoder, such as `vgg16` in the paper, see `encoders.ENCODERS`; None for
            levels of convolutions like those of VGG16, with a max pooling between them.
        depth: how often the image is halved; 5 in the paper. It has no effect with `encoder`.
        base_channels: channels of the first level; see `conv_block.vgg_levels`. It has no effect with `encoder`.
        skips: how many finer feature maps are added: 0, 1 and 2 are the FCN-32s, 16s and 8s of the paper; None for all.
        normalisation: name of the normalisation, see `layers.build_normalisation`; that of an `encoder` is its own.
        activation: name of the activation, see `layers.ACTIVATIONS`; that of an `encoder` is its own.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None selects `he`, and
            bilinear interpolation for the transposed convolutions.

    Raises:
        ValueError: a number is out of its range, or a name is unknown.
    """

    accepts: ClassVar[str] = "images"
    task: ClassVar[str] = "segmentation"
    head_names: tuple[str, ...] = ("logits", "enlarged", "last")  # all that weights of an encoder lack

    def __init__(
        self,
        spec: DataSpec,
        *,
        encoder: str | None = None,
        depth: int = 5,
        base_channels: int = 64,
        skips: int | None = None,
        normalisation: str = "batch",
        activation: str = "relu",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        check_range("depth", depth, at_least=1)
        check_range("base_channels", base_channels, at_least=1)
        options = {"normalisation": normalisation, "activation": activation}
        in_channels, height, width = image_shape(self, spec)
        levels = vgg_levels(base_channels, fitting_levels(height, width, depth + 1))
        self.encoder = ConvEncoder(in_channels, levels, **options) if encoder is None else Encoder(spec, encoder)
        shapes = shapes_of(self.encoder, spec)
        if skips is not None:
            check_range("skips", skips, at_least=0)
            shapes = shapes[-1 - skips :]
        self.logits = nn.ModuleList(nn.Conv2d(shape[0], spec.num_outputs, 1) for shape in shapes)
        initialise(self, initialisation or "he")
        self.enlarged = nn.ModuleList(enlarge(spec.num_outputs, 2) for _ in shapes[1:])
        factor = 2 ** round(math.log2(max(height, width) / max(shapes[0][1:])))
        self.last = enlarge(spec.num_outputs, factor) if factor > 1 else nn.Identity()
        if initialisation is not None:
            initialise(self, initialisation)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs, height, width)."""
        found = self.encoder(inputs)[-len(self.logits) :]
        *finer, logits = [layer(features) for layer, features in zip(self.logits, found, strict=True)]
        for enlarged, skip in zip(self.enlarged, reversed(finer), strict=True):
            logits = fitted(enlarged(logits), skip.shape[2:]) + skip
        return fitted(self.last(logits), inputs.shape[2:])
