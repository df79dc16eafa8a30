"""Convolutions with the padding of TensorFlow."""

from torch import Tensor, nn
from torch.nn import functional as F


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding: an output side has ceil(side / stride) pixels for every kernel.

    If the padding is an odd number of pixels, the extra pixel is on the right or at the bottom. nn.Conv2d pads both
    sides equally, which would shift the image by a pixel for weights from TensorFlow.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, in_channels, height, width) -> (batch, out_channels, ceil(height / stride), ceil(width / stride))."""
        top, bottom = _padding(inputs.shape[2], self.kernel_size[0], self.stride[0])
        left, right = _padding(inputs.shape[3], self.kernel_size[1], self.stride[1])
        return super().forward(F.pad(inputs, (left, right, top, bottom)))


def _padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the padding before and after a side. The last position of the kernel then starts inside the image."""
    last_start = (side - 1) // stride * stride
    missing = max(last_start + kernel - side, 0)
    return missing // 2, missing - missing // 2
