"""The filtered images of a network with fixed kernels."""

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from firstlight.data.images.contact_sheet import contact_sheet
from firstlight.tasks import Task

_MAX_SAMPLES = 8


@torch.no_grad()
def filtered_image(task: Task, raw: Tensor) -> Image.Image | None:
    """Return an image with a row for each sample: the sample, and what each kernel makes of its first channel.

    A filtered image is scaled to its own range, because kernels such as `sobel_x` return negative values too.

    Args:
        task: a task of images.
        raw: raw images (samples, channels, height, width), of which at most eight are shown.

    Returns:
        The image; None if the network has no fixed kernels.
    """
    names = getattr(task.network, "kernel_names", None)
    if names is None:
        return None
    inputs = task.preprocess(raw[:_MAX_SAMPLES])
    filtered = task.network.filtered(inputs)[:, : len(names)].float()
    low, high = filtered.amin((2, 3), keepdim=True), filtered.amax((2, 3), keepdim=True)
    scaled = (filtered - low) / (high - low).clamp_min(1e-12)
    shown = F.interpolate(scaled, inputs.shape[2:], mode="nearest")  # a stride makes them smaller
    originals = task.preprocess.to_pixels(inputs)[:, :1]
    captions = ["image", *names] * len(inputs)
    return contact_sheet(torch.cat([originals, shown], 1).flatten(0, 1)[:, None], captions, 1 + len(names))
