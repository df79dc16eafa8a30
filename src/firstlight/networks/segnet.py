"""SegNet."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from firstlight.checks import check_range
from firstlight.networks.conv_block import conv_block, vgg_levels
from firstlight.networks.image_size import fitting_poolings
from firstlight.networks.initialisation import initialise
from firstlight.networks.network import Network, image_shape
from firstlight.spec import DataSpec

_EQUAL = 1e-4  # far more than rounding changes an activation


def pool(inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return the largest of each 2x2 pixels (batch, channels, height // 2, width // 2), and the place of each.

    A place is the number of a pixel in its channel, row by row. Of pixels that differ by less than `_EQUAL`, the first
    counts: in areas of one colour, rounding would decide otherwise, and an exported network would round differently.
    """
    width = inputs.shape[3]
    rows, columns = inputs.shape[2] // 2, width // 2
    blocks = inputs[:, :, : 2 * rows, : 2 * columns].unflatten(3, (columns, 2)).unflatten(2, (rows, 2))
    blocks = blocks.transpose(3, 4).flatten(4)
    is_largest = blocks >= blocks.amax(4, keepdim=True) - _EQUAL
    number = (is_largest * torch.arange(4, 0, -1, device=inputs.device)).argmax(4)  # the first of the largest
    row = 2 * torch.arange(rows, device=inputs.device)[:, None] + number // 2
    column = 2 * torch.arange(columns, device=inputs.device) + number % 2
    return blocks.gather(4, number[..., None])[..., 0], row * width + column


def unpool(inputs: Tensor, places: Tensor, size: Sequence[int]) -> Tensor:
    """Put each value back to the place that `pool` took it from; all other pixels are 0.

    Args:
        inputs: (batch, channels, height // 2, width // 2).
        places: of the same shape, see `pool`.
        size: height and width before the pooling.

    Returns:
        (batch, channels, *size).
    """
    height, width = size
    zeros = inputs.new_zeros(*inputs.shape[:2], height * width)
    return zeros.scatter(2, places.flatten(2), inputs.flatten(2)).unflatten(2, (height, width))


class SegNet(Network):
    """SegNet: an encoder of convolutions and max poolings, and a decoder that puts each value back to the place which
    the pooling took it from, and fills the pixels between by convolutions.

    Shapes: (batch, channels, height, width) -> (batch, num_outputs, height, width), for any height and width.

    Source: Badrinarayanan, Kendall & Cipolla 2017, "SegNet: a deep convolutional encoder-decoder architecture for image
    segmentation", section 3. The encoder is that of VGG16. Levels that would leave a single pixel are left out.

    Args:
        spec: spec of the data; images of at least 4x4.
        depth: how often the image is halved; 5 in the paper.
        base_channels: channels of the first level; see `conv_block.vgg_levels`. 64 in the paper.
        normalisation: name of the normalisation, see `layers.build_normalisation`.
        activation: name of the activation, see `layers.ACTIVATIONS`.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None selects `he`, as in the
            paper.

    Raises:
        ValueError: a number is below 1, or a name is unknown.
    """

    accepts: ClassVar[str] = "images"
    min_size: ClassVar[int] = 4
    task: ClassVar[str] = "segmentation"

    def __init__(
        self,
        spec: DataSpec,
        *,
        depth: int = 5,
        base_channels: int = 64,
        normalisation: str = "batch",
        activation: str = "relu",
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        check_range("depth", depth, at_least=1)
        check_range("base_channels", base_channels, at_least=1)
        options: dict[str, Any] = {"normalisation": normalisation, "activation": activation}
        in_channels, height, width = image_shape(self, spec)
        encoder: list[nn.Module] = []
        decoder: list[nn.Module] = []
        outer = in_channels
        for channels, number in vgg_levels(base_channels, sum(fitting_poolings(min(height, width), depth))):
            encoder.append(conv_block(outer, channels, number, **options))
            block = conv_block(channels, channels, number - 1, **options)
            if decoder:  # the first level ends in the logits
                block.extend(conv_block(channels, outer, 1, **options))
            decoder.append(block)
            outer = channels
        self.encoder, self.decoder = nn.ModuleList(encoder), nn.ModuleList(decoder[::-1])
        self.classifier = nn.Conv2d(base_channels, spec.num_outputs, 3, padding=1)
        initialise(self, initialisation or "he")

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs, height, width)."""
        features, pooled = inputs, []
        for block in self.encoder:
            features = block(features)
            size = features.shape[2:]
            features, places = pool(features)
            pooled.append((places, size))
        for block, (places, size) in zip(self.decoder, reversed(pooled), strict=True):
            features = block(unpool(features, places, size))
        return self.classifier(features)
