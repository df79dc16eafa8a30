"""Fixed filters, to look at convolution."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.checks import choose
from firstlight.networks.image_size import image_shape
from firstlight.networks.initialisation import initialise
from firstlight.networks.kernels import stack_kernels
from firstlight.networks.layers import build_activation
from firstlight.spec import DataSpec

# What lies beyond the border, in the words of `torch.nn.functional.pad`.
_PADDINGS = {"zero": "constant", "mirror": "reflect", "none": None}


class ConvFilters(nn.Module):
    """Every channel filtered with every kernel, an activation, and one dense layer on the filtered images.

    The kernels are given, not learnt; only the dense layer is. As everywhere in the field, "convolution" is
    cross-correlation: kernels are not turned around.

    Args:
        spec: of images no smaller than the largest kernel.
        kernels: names, such as blur or sobel_x, or rows of numbers; smaller ones are put in the middle of zeros.
        stride: pixels from one place of the kernel to the next.
        padding: what lies beyond the border: zero, mirror (the image once more, its border not repeated), or none,
            so that filtered images are smaller.
        activation: by name, before the dense layer; with linear, filters add nothing that the dense layer could not.
        classifier: whether there is a dense layer at all; without it the network gives the filtered images, and there
            is nothing to train.
        initialisation: of the dense layer's weights, by name; None for PyTorch's.

    Raises:
        ValueError: smaller images, a stride below 1, or an unknown kernel, padding, activation or initialisation.
    """

    accepts: ClassVar[str] = "images"
    min_size: ClassVar[int] = 3

    def __init__(
        self,
        spec: DataSpec,
        *,
        kernels: str | Sequence[str | Sequence[Sequence[float]]] = ("blur", "sharpen", "edges", "sobel_x", "sobel_y"),
        stride: int = 1,
        padding: str = "zero",
        activation: str = "relu",
        classifier: bool = True,
        initialisation: str | None = None,
    ) -> None:
        super().__init__()
        if stride < 1:
            raise ValueError(f"stride={stride}: one pixel or more.")
        choose("padding", padding, _PADDINGS, "padding")
        channels, height, width = image_shape(self, spec)
        stacked = stack_kernels(kernels)
        num_kernels, size, _ = stacked.shape
        if size > min(height, width):
            raise ValueError(f"kernels: one of {size}x{size} does not fit into images of {height}x{width}.")
        self.stride = stride
        self.padding_mode = _PADDINGS[padding]
        self.margin = size // 2 if self.padding_mode else 0
        # One group of kernels for each channel; not in checkpoints, for the config tells them.
        self.register_buffer("kernels", stacked[:, None].repeat(channels, 1, 1, 1), persistent=False)
        self.kernels: Tensor
        self.output: nn.Module | None = None
        if classifier:
            rows, columns = ((side + 2 * self.margin - size) // stride + 1 for side in (height, width))
            dense = nn.Linear(channels * num_kernels * rows * columns, spec.num_outputs)
            self.output = nn.Sequential(build_activation(activation), nn.Flatten(), dense)
        initialise(self, initialisation)

    def filtered(self, images: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, channels * kernels, rows, columns), channel by channel."""
        if self.padding_mode:
            images = F.pad(images, (self.margin,) * 4, mode=self.padding_mode)
        return F.conv2d(images, self.kernels, stride=self.stride, groups=images.shape[1])

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs); without a head, what `filtered` gives."""
        maps = self.filtered(inputs)
        return maps if self.output is None else self.output(maps)
