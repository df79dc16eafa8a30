"""FCOS, a detector without anchor boxes."""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.checks import check_range
from firstlight.networks.conv_block import ConvEncoder, conv_block, fitting_levels
from firstlight.networks.encoders import Encoder, OnEncoder, shapes_of
from firstlight.networks.initialisation import initialise
from firstlight.networks.network import image_shape
from firstlight.spec import DataSpec

_PRIOR = 0.01  # probability of an object at each place in an untrained network (Lin et al. 2017, section 4.1)
_REACH = 8  # strides: a level finds objects whose farthest edge is at most this far away


class _Pyramid(nn.Module):
    """A feature pyramid (Lin et al. 2017, "Feature pyramid networks", section 3).

    Args:
        in_channels: channels of the feature maps that the encoder passes on, from the largest to the smallest.
        channels: channels of each level.
        num_more: number of further levels, each of half the size of the one before.
    """

    def __init__(self, in_channels: Sequence[int], channels: int, num_more: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(number, channels, 1) for number in in_channels)
        self.smooth = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in in_channels)
        self.more = nn.ModuleList(nn.Conv2d(channels, channels, 3, stride=2, padding=1) for _ in range(num_more))

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return the levels (batch, channels, height, width), from the largest to the smallest."""
        levels: list[Tensor] = []
        for lateral, each in zip(reversed(self.lateral), reversed(features), strict=True):
            level = lateral(each)
            levels.append(level + F.interpolate(levels[-1], level.shape[2:], mode="nearest") if levels else level)
        found = [smooth(level) for smooth, level in zip(self.smooth, reversed(levels), strict=True)]
        for further in self.more:
            found.append(further(F.relu(found[-1])))
        return found


class FCOS(OnEncoder):
    """FCOS: each place of a few feature maps says of which class the object around it is, and where its edges are.

    Shapes: (batch, channels, height, width) -> (batch, places, num_outputs + 5): the logit of each class, the distances
    to the left, top, right and bottom edge in pixels, and the logit of the centre-ness.

    Source: Tian, Shen, Chen & He 2019, "FCOS: fully convolutional one-stage object detection", section 3, in a size for
    a CPU. The distances are softplus times the stride, where the paper has an exponential function. Centre-ness and box
    are computed from the same features, as in the authors' later version.

    Args:
        spec: spec of the data; images of at least 32x32.
        encoder: name of a network that is the encoder, see `encoders.ENCODERS`; None for one of 3x3 convolutions.
        depth: how often that encoder of convolutions halves the image.
        base_channels: channels of its first level; each later level doubles them, up to eight times as many. The first
            two levels have one convolution, later ones two.
        channels: channels of the feature pyramid and of the heads; 256 in the paper.
        num_levels: number of levels of the pyramid at most; 5 in the paper. Levels of a single place are left out.
        stride: pixels between the places of the first level: 8 in the paper. Each later level doubles them.
        head_convolutions: convolutions of each of the two heads before their outputs; 4 in the paper.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None selects `he`.

    Attributes:
        points: (places, 2), the centre x and y of each place, in pixels.
        strides: (places,), the pixels between the places of its level.
        reach: (places, 2): a place finds objects whose farthest edge is above the first number and at most the second
            number of pixels away.

    Raises:
        ValueError: the images are too small, a number is out of its range, or a name is unknown.
    """

    accepts: ClassVar[str] = "images"
    task: ClassVar[str] = "detection"
    min_size: ClassVar[int] = 32
    head_names: tuple[str, ...] = ("pyramid", "classify", "locate", "classes", "edges", "centred", "scales")

    def __init__(
        self,
        spec: DataSpec,
        *,
        encoder: str | None = None,
        depth: int = 4,
        base_channels: int = 16,
        channels: int = 64,
        num_levels: int = 2,
        stride: int = 8,
        head_convolutions: int = 2,
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        for name, number in {"depth": depth, "base_channels": base_channels, "channels": channels}.items():
            check_range(name, number, at_least=1)
        check_range("num_levels", num_levels, at_least=1)
        check_range("stride", stride, at_least=1)
        check_range("head_convolutions", head_convolutions, at_least=0)
        in_channels, height, width = image_shape(self, spec)
        size = height, width
        if encoder is None:
            number = fitting_levels(*size, depth + 1)
            levels = [(base_channels * min(8, 2**level), 1 if level < 2 else 2) for level in range(number)]
            self.encoder: nn.Module = ConvEncoder(in_channels, levels)
        else:
            self.encoder = Encoder(spec, encoder)
        shapes = shapes_of(self.encoder, spec)
        self.first = _first_level(shapes, size, stride)
        used = shapes[self.first :][:num_levels]
        sizes = [shape[1:] for shape in used]
        while len(sizes) < num_levels and min(sizes[-1]) > 2:
            sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
        self.pyramid = _Pyramid([shape[0] for shape in used], channels, len(sizes) - len(used))
        self.num_used = len(used)
        self.classify, self.locate = (
            conv_block(channels, channels, head_convolutions, normalisation="group") for _ in range(2)
        )
        self.classes = nn.Conv2d(channels, spec.num_outputs, 3, padding=1)
        self.edges = nn.Conv2d(channels, 4, 3, padding=1)
        self.centred = nn.Conv2d(channels, 1, 3, padding=1)
        self.scales = nn.ParameterList(torch.ones(()) for _ in sizes)
        initialise(self, initialisation or "he")
        for layer in (self.classes, self.edges, self.centred):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        nn.init.constant_(self.classes.bias, -math.log(1 / _PRIOR - 1))  # type: ignore[arg-type]
        for name, values in zip(("points", "strides", "reach"), _places(sizes, size), strict=True):
            self.register_buffer(name, values, persistent=False)
        self.points: Tensor
        self.strides: Tensor
        self.reach: Tensor

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, places, num_outputs + 5)."""
        features = self.encoder(inputs)[self.first :][: self.num_used]
        levels = self.pyramid(features)
        found = []
        for level, scale in zip(levels, self.scales, strict=True):
            located = self.locate(level)
            edges = F.softplus(scale * self.edges(located))
            parts = self.classes(self.classify(level)), edges, self.centred(located)
            found.append(torch.cat(parts, 1).flatten(2).mT)  # (batch, places, num_outputs + 5)
        outputs = torch.cat(found, 1)
        factors = torch.ones_like(outputs[0])
        factors[:, -5:-1] = self.strides[:, None]
        return outputs * factors


def _first_level(shapes: Sequence[tuple[int, int, int]], size: Sequence[int], stride: int) -> int:
    """Return the index of the first feature map whose places are at least `stride` pixels apart, or the last one."""
    apart = [max(size[0] / height, size[1] / width) for _, height, width in shapes]
    return next((index for index, pixels in enumerate(apart) if pixels >= stride), len(shapes) - 1)


def _places(sizes: Sequence[tuple[int, int]], image: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return points, strides and reach of the places of all levels, see `FCOS`; rows of a level follow each other."""
    points, strides, reach, low = [], [], [], 0.0
    for number, (height, width) in enumerate(sizes):
        step_y, step_x = image[0] / height, image[1] / width
        y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        points.append(torch.stack([x * step_x, y * step_y], -1).view(-1, 2))
        stride = max(step_x, step_y)
        high = math.inf if number == len(sizes) - 1 else _REACH * stride
        strides.append(torch.full((height * width,), stride))
        reach.append(torch.tensor([low, high]).expand(height * width, 2))
        low = high
    return torch.cat(points), torch.cat(strides), torch.cat(reach)
