"""What every sample goes through, in training and ever after, on its way from a raw batch to a network's input."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.checks import check_range
from firstlight.spec import DataSpec


class Preprocess(nn.Module):
    """A raw batch becomes a network's input.

    It knows nothing but the spec, so that it goes wherever the network goes: evaluation, prediction, export.

    Attributes:
        output_spec: the spec as the network sees it.
    """

    def __init__(self, output_spec: DataSpec) -> None:
        super().__init__()
        self.output_spec = output_spec


class ImagePreprocess(Preprocess):
    """Images of any size, uint8, to float32 of mean 0 and deviation 1 at a network's size.

    Images as a store keeps them lose their margin on the way; all others are resized as a whole. Grey ones become
    colour where the spec has the statistics of three channels.

    Args:
        spec: of the data.
        min_size: the smallest height and width that the network takes.
        size: height and width to resize to, whatever the data's own and whatever the spec wants.

    Raises:
        ValueError: `size` is less than 1.
    """

    def __init__(self, spec: DataSpec, *, min_size: int = 1, size: int | None = None) -> None:
        if size is not None:
            check_range("augment.size", size, at_least=1)
        size = size or spec.size or (min_size if min(spec.image_size) < min_size else None)
        super().__init__(spec.resized(*((size, size) if size else spec.image_size)))
        self.spec = spec
        # (pixel / 255 - mean) / std as one product and one sum; not in checkpoints, for the spec tells it.
        mean, std = torch.tensor(spec.mean)[:, None, None], torch.tensor(spec.std)[:, None, None]
        self.register_buffer("scale", 1 / (255 * std), persistent=False)
        self.register_buffer("shift", -mean / std, persistent=False)
        self.scale: Tensor
        self.shift: Tensor

    def forward(self, raw: Tensor) -> Tensor:
        """(batch, channels, any height, any width), uint8 -> (batch, *output_spec.input_shape), float32."""
        return self.resize(self.normalise(self.crop_margin(self.expand_channels(raw))))

    def expand_channels(self, raw: Tensor) -> Tensor:
        """Images with the network's channels: grey becomes three times the same."""
        return raw.expand(-1, self.output_spec.input_shape[0], -1, -1)

    def crop_margin(self, raw: Tensor) -> Tensor:
        """Images without the margin that a store gives them."""
        margin, (height, width) = self.spec.margin, self.spec.image_size
        if not margin or raw.shape[2:] != self.spec.stored_shape[1:]:
            return raw
        return raw[:, :, margin : margin + height, margin : margin + width]

    def normalise(self, pixels: Tensor) -> Tensor:
        """Pixels from 0 to 255 to mean 0 and deviation 1."""
        # Two operations, for one with both numbers broadcast is slower than both.
        return (pixels.float() * self.scale).add_(self.shift)

    def to_pixels(self, images: Tensor) -> Tensor:
        """Back from mean 0 and deviation 1 to pixels from 0, black, to 1, white."""
        # Bilinear weights and rounding can lead out of the range by a hair, which a cross entropy does not forgive.
        return ((images - self.shift) / (255 * self.scale)).clamp(0, 1)

    def resize(self, images: Tensor) -> Tensor:
        """Images of any size, float32, at the network's size."""
        size = self.output_spec.image_size
        if images.shape[-2:] == size:
            return images
        smaller = size[0] < images.shape[-2] or size[1] < images.shape[-1]
        return F.interpolate(images, size, mode=self.spec.interpolation, antialias=smaller)


class NumberPreprocess(Preprocess):
    """Columns of numbers (batch, columns) to mean 0 and deviation 1, by the statistics of the training split."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec)
        self.register_buffer("mean", torch.tensor(spec.mean), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, raw: Tensor) -> Tensor:
        """(batch, columns), float32 -> the same, standardised."""
        return (raw - self.mean) / self.std


class TokenPreprocess(Preprocess):
    """Token ids (batch, sequence_length) as embeddings want them."""

    def forward(self, raw: Tensor) -> Tensor:
        """Any integers -> int64."""
        return raw.long()


def preprocess_for(spec: DataSpec, *, min_size: int = 1, size: int | None = None) -> Preprocess:
    """The preprocess for what the data holds.

    Raises:
        ValueError: a size for what is no image, or below one pixel.
    """
    if spec.kind == "images":
        return ImagePreprocess(spec, min_size=min_size, size=size)
    if size is not None:
        raise ValueError(f"augment.size={size}: must be null, because the data holds {spec.kind}, which have no size.")
    return NumberPreprocess(spec) if spec.kind == "numbers" else TokenPreprocess(spec)
