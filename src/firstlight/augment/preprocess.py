"""What every picture goes through, in training and ever after: resized to the network, and normalised."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.spec import DataSpec


class Preprocess(nn.Module):
    """Raw pictures (batch, channels, height, width), uint8, to float32 of mean 0 and deviation 1 at a network's size.

    It knows nothing but the spec, so that it goes wherever the network goes: evaluation, prediction, export.

    Args:
        spec: of the data.
        min_size: the smallest height and width that the network takes.
        size: height and width to resize to, whatever the data's own.

    Attributes:
        output_spec: the spec as the network sees it.

    Raises:
        ValueError: the data holds no pictures, or `size` is less than 1.
    """

    def __init__(self, spec: DataSpec, *, min_size: int = 1, size: int | None = None) -> None:
        super().__init__()
        if size is not None and size < 1:
            raise ValueError(f"augment.size={size}: pictures have one pixel or more.")
        if len(spec.input_shape) != 3:
            raise ValueError(f"the data holds no pictures, but samples of the shape {spec.input_shape}.")
        _, height, width = spec.input_shape
        if size is not None:
            self.output_spec = spec.resized(size)
        elif min(height, width) < min_size:
            self.output_spec = spec.resized(min_size)
        else:
            self.output_spec = spec
        # (pixel / 255 - mean) / std as one product and one sum; not in checkpoints, for the spec tells it.
        mean, std = torch.tensor(spec.mean)[:, None, None], torch.tensor(spec.std)[:, None, None]
        self.register_buffer("scale", 1 / (255 * std), persistent=False)
        self.register_buffer("shift", -mean / std, persistent=False)
        self.scale: Tensor
        self.shift: Tensor

    def forward(self, raw: Tensor) -> Tensor:
        """(batch, channels, any height, any width), uint8 -> (batch, *output_spec.input_shape), float32."""
        size = self.output_spec.input_shape[1:]
        pictures = torch.addcmul(self.shift, raw.float(), self.scale)
        if pictures.shape[-2:] == size:
            return pictures
        smaller = size[0] < pictures.shape[-2] or size[1] < pictures.shape[-1]
        return F.interpolate(pictures, size, mode="bilinear", antialias=smaller)
