"""Fixed convolution kernels, to demonstrate convolution."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.checks import check_range, choose
from firstlight.networks.initialisation import initialise
from firstlight.networks.kernels import stack_kernels
from firstlight.networks.layers import build_activation
from firstlight.networks.network import Network, image_shape
from firstlight.spec import DataSpec

# Modes of `torch.nn.functional.pad`.
_PADDINGS = {"zero": "constant", "mirror": "reflect", "none": None}


class ConvFilters(Network):
    """Filters every channel with every kernel, then applies an activation and one linear layer.

    The kernels are fixed; only the linear layer learns. As usual in deep learning, "convolution" means
    cross-correlation: the kernels are not flipped.

    Args:
        spec: spec of the data; images that are at least as large as the largest kernel.
        kernels: names, see `kernels.KERNELS`, or rows of numbers. Smaller kernels are padded with zeros.
        stride: stride of the convolution.
        padding: zero, mirror (reflects the image without repeating its border), or none, which makes the filtered
            images smaller.
        activation: name of the activation before the linear layer, see `layers.ACTIVATIONS`. With `linear` the
            network is a linear function of the pixels.
        classifier: whether the network has the linear layer. Without it the network returns the filtered images and
            has nothing to train.
        initialisation: name of the initialisation, see `initialisation.INITIALISATIONS`; None keeps PyTorch's.

    Attributes:
        kernel_names: the name of each kernel; "kernel 1" and so on for rows of numbers.

    Raises:
        ValueError: the images are too small, the stride is below 1, or a kernel, padding, activation or
            initialisation is unknown.
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
        check_range("stride", stride, at_least=1)
        choose("padding", padding, _PADDINGS, "padding")
        channels, height, width = image_shape(self, spec)
        stacked = stack_kernels(kernels)
        num_kernels, size, _ = stacked.shape
        given = [kernels] if isinstance(kernels, str) else kernels
        self.kernel_names = [each if isinstance(each, str) else f"kernel {i}" for i, each in enumerate(given, 1)]
        if size > min(height, width):
            raise ValueError(f"kernels: must be at most as large as the images of {height}x{width}, not {size}x{size}.")
        self.stride = stride
        self.padding_mode = _PADDINGS[padding]
        self.margin = size // 2 if self.padding_mode else 0
        # One group of kernels for each channel. Checkpoints omit them, because the config holds them.
        self.register_buffer("kernels", stacked[:, None].repeat(channels, 1, 1, 1), persistent=False)
        self.kernels: Tensor
        self.output: nn.Module | None = None
        if classifier:
            rows, columns = ((side + 2 * self.margin - size) // stride + 1 for side in (height, width))
            linear = nn.Linear(channels * num_kernels * rows * columns, spec.num_outputs)
            self.output = nn.Sequential(build_activation(activation), nn.Flatten(), linear)
        initialise(self, initialisation)

    def filtered(self, images: Tensor) -> Tensor:
        """Return the filtered images: (batch, channels, height, width) -> (batch, channels * kernels, rows, columns).

        All filtered images of the first channel come first, then those of the second channel, and so on.
        """
        if self.padding_mode:
            images = F.pad(images, (self.margin,) * 4, mode=self.padding_mode)
        return F.conv2d(images, self.kernels, stride=self.stride, groups=images.shape[1])

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) -> (batch, num_outputs), or the filtered images without classifier."""
        images = self.filtered(inputs)
        return images if self.output is None else self.output(images)
