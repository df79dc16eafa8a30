"""Convolutions that pad as TensorFlow does."""

from torch import Tensor, nn
from torch.nn import functional as F


class SameConv2d(nn.Conv2d):
    """A convolution that makes ceil(side / stride) pixels of a side, whatever its kernel: "same" in TensorFlow.

    Where the padding is an odd number of pixels, the one more is at the right and at the bottom; nn.Conv2d pads both
    sides alike, and weights from TensorFlow would see images that are moved by a pixel.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """(batch, num_inputs, height, width) -> (batch, num_outputs, ceil(height / stride), ceil(width / stride))."""
        top, bottom = _padding(maps.shape[2], self.kernel_size[0], self.stride[0])
        left, right = _padding(maps.shape[3], self.kernel_size[1], self.stride[1])
        return super().forward(F.pad(maps, (left, right, top, bottom)))


def _padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels before and after a side, so that the last step of the kernel begins within it."""
    last_start = (side - 1) // stride * stride
    missing = max(last_start + kernel - side, 0)
    return missing // 2, missing - missing // 2
