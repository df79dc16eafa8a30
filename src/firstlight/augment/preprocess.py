"""Preprocessing: the conversion of a raw batch to a network's input, in training, evaluation and prediction alike."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.augment.places import resize_boxes, resize_masks
from firstlight.checks import check_range
from firstlight.spec import DataSpec


class Preprocess(nn.Module):
    """Convert a raw batch to a network's input.

    A preprocess depends on the data's spec only, so that evaluation, prediction and export use the same one.

    Attributes:
        output_spec: the spec of the converted samples.
    """

    def __init__(self, output_spec: DataSpec) -> None:
        super().__init__()
        self.output_spec = output_spec


class ImagePreprocess(Preprocess):
    """Convert uint8 images of any size to float32 images of mean 0 and standard deviation 1 at the network's size.

    The margin of stored images is cropped; images of any other size are resized as a whole. Grey images get three
    equal channels if the spec has the statistics of three channels.

    Args:
        spec: the data's spec.
        min_size: the smallest height and width that the network accepts.
        size: height and width of the converted images. None uses the spec's `size`; without one, the images keep
            their size, or get `min_size` if they are smaller.

    Raises:
        ValueError: `size` is less than 1.
    """

    def __init__(self, spec: DataSpec, *, min_size: int = 1, size: int | None = None) -> None:
        if size is not None:
            check_range("augment.size", size, at_least=1)
        size = size or spec.size or (min_size if min(spec.image_size) < min_size else None)
        super().__init__(spec.resized(*((size, size) if size else spec.image_size)))
        self.spec = spec
        # (pixel / 255 - mean) / std as one product and one sum. Checkpoints hold the spec, not these buffers.
        mean, std = torch.tensor(spec.mean)[:, None, None], torch.tensor(spec.std)[:, None, None]
        self.register_buffer("scale", 1 / (255 * std), persistent=False)
        self.register_buffer("shift", -mean / std, persistent=False)
        self.scale: Tensor
        self.shift: Tensor

    def forward(self, raw: Tensor) -> Tensor:
        """Convert (batch, channels, any height, any width), uint8, to (batch, *output_spec.input_shape), float32."""
        return self.resize(self.normalise(self.crop_margin(self.expand_channels(raw))))

    def expand_channels(self, raw: Tensor) -> Tensor:
        """Repeat the channel of grey images until they have as many channels as the network expects."""
        return raw.expand(-1, self.output_spec.input_shape[0], -1, -1)

    def crop_margin(self, raw: Tensor) -> Tensor:
        """Crop the margin of stored images; other images are returned unchanged."""
        margin, (height, width) = self.spec.margin, self.spec.image_size
        if not margin or raw.shape[2:] != self.spec.stored_shape[1:]:
            return raw
        return raw[:, :, margin : margin + height, margin : margin + width]

    def with_places(self, targets: Tensor, raw: Tensor) -> Tensor:
        """Return masks or boxes in the pixels of the converted images; other targets are returned unchanged.

        Args:
            targets: see `Split`.
            raw: the images that they belong to (batch, channels, any height, any width).
        """
        if not self.spec.has_places:
            return targets
        size = self.output_spec.image_size
        is_stored = raw.shape[2:] == self.spec.stored_shape[1:]
        margin, view = (self.spec.margin, self.spec.image_size) if is_stored else (0, (raw.shape[2], raw.shape[3]))
        if self.spec.targets == "boxes":
            return resize_boxes(targets, (margin, margin), view, size)
        return resize_masks(targets[:, margin : margin + view[0], margin : margin + view[1]], size)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Convert pixels from 0 to 255 to mean 0 and standard deviation 1."""
        # Two operations are faster than one that broadcasts both tensors.
        return (pixels.float() * self.scale).add_(self.shift)

    def to_pixels(self, images: Tensor) -> Tensor:
        """Convert normalised images back to pixels from 0 (black) to 1 (white)."""
        # Interpolation and rounding can leave the range slightly, and binary cross entropy needs targets in 0 to 1.
        return ((images - self.shift) / (255 * self.scale)).clamp(0, 1)

    def resize(self, images: Tensor) -> Tensor:
        """Resize float32 images of any size to the network's size."""
        size = self.output_spec.image_size
        if images.shape[-2:] == size:
            return images
        smaller = size[0] < images.shape[-2] or size[1] < images.shape[-1]
        return F.interpolate(images, size, mode=self.spec.interpolation, antialias=smaller)


class NumberPreprocess(Preprocess):
    """Standardise columns of numbers (batch, columns) by the mean and standard deviation of the training split."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec)
        self.register_buffer("mean", torch.tensor(spec.mean), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def forward(self, raw: Tensor) -> Tensor:
        return (raw - self.mean) / self.std


class TokenPreprocess(Preprocess):
    """Convert token ids (batch, sequence_length) to int64, which embeddings need."""

    def forward(self, raw: Tensor) -> Tensor:
        return raw.long()


def preprocess_for(spec: DataSpec, *, min_size: int = 1, size: int | None = None) -> Preprocess:
    """Create the preprocess for the kind of data.

    Args:
        spec: the data's spec.
        min_size: the smallest height and width that the network accepts, for images.
        size: height and width to resize images to, see `ImagePreprocess`.

    Raises:
        ValueError: `size` is less than 1, or the data holds no images.
    """
    if spec.kind == "images":
        return ImagePreprocess(spec, min_size=min_size, size=size)
    if size is not None:
        raise ValueError(f"augment.size={size}: must be null, because the data holds {spec.kind}, which have no size.")
    return NumberPreprocess(spec) if spec.kind == "numbers" else TokenPreprocess(spec)
