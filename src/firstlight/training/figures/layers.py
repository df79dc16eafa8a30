"""What is inside an image network: the filters of its first layer, and the channels of one sample."""

import math
from collections.abc import Iterator

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from firstlight.data.images.contact_sheet import contact_sheet
from firstlight.tasks import Task

_MAX_FILTERS = 64
_MAX_LAYERS, _MAX_CHANNELS = 6, 8
_SIDE = 64  # pixels of a channel


def filters_image(task: Task) -> Image.Image | None:
    """Return the filters of the first layer as images; for a linear layer, the weights of each unit.

    The weight 0 is grey. Each filter is scaled by its largest weight.

    Args:
        task: a task of images.

    Returns:
        The image; None if the first layer does not read pixels.
    """
    weights = _pixel_weights(task.network, task.preprocess.output_spec.input_shape)
    if weights is None:
        return None
    weights = weights.detach().float()[:_MAX_FILTERS]
    largest = weights.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12)
    return contact_sheet(0.5 + weights / largest / 2)


def _pixel_weights(network: nn.Module, shape: tuple[int, ...]) -> Tensor | None:
    """Return the weights (filters, channels, height, width) of the first layer that has any."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            return layer.weight if layer.weight.shape[1] in (1, shape[0]) else None
        if isinstance(layer, nn.Linear) and layer.in_features == math.prod(shape):
            return layer.weight.view(-1, *shape)
    return None


def channels_image(task: Task, raw: Tensor) -> Image.Image | None:
    """Return the outputs of up to six convolutions for one sample, a row for each, below the sample itself.

    The eight channels with the largest mean are shown, each scaled to its own range.

    Args:
        task: a task of images, in evaluation mode.
        raw: a raw image, (1, channels, height, width).

    Returns:
        The image; None if the network has no convolutions.
    """
    layers = [(name, each) for name, each in task.network.named_modules() if isinstance(each, nn.Conv2d)]
    if not layers:
        return None
    chosen = [
        layers[round(place)] for place in torch.linspace(0, len(layers) - 1, min(len(layers), _MAX_LAYERS)).tolist()
    ]
    inputs = task.preprocess(raw)
    found = dict(_outputs(task.network, inputs, chosen))
    pixels = F.interpolate(task.preprocess.to_pixels(inputs)[:1], _SIDE).clamp(0, 1).expand(-1, 3, -1, -1)
    rows = [pixels.cpu(), torch.ones(_MAX_CHANNELS - 1, 3, _SIDE, _SIDE)]
    captions = ["input", *[""] * (_MAX_CHANNELS - 1)]
    for name, channels in found.items():
        if max(channels.shape[-2:]) == 1:
            continue  # a single place has no range to show
        rows.append(_row(channels))
        captions += [name, *[""] * (_MAX_CHANNELS - 1)]
    return contact_sheet(torch.cat(rows), captions, _MAX_CHANNELS)


def _outputs(network: nn.Module, inputs: Tensor, layers: list[tuple[str, nn.Module]]) -> Iterator[tuple[str, Tensor]]:
    """Yield the name and the output (channels, height, width) of each layer."""
    found: dict[str, Tensor] = {}

    def keep(name: str, output: Tensor) -> None:
        found.setdefault(name, output[0].float().cpu())

    hooks = [
        layer.register_forward_hook(lambda _module, _inputs, output, name=name: keep(name, output))
        for name, layer in layers
    ]
    try:
        network(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    yield from found.items()


def _row(channels: Tensor) -> Tensor:
    """(channels, height, width) -> (8, 3, 64, 64), from 0 to 1; white where there are fewer channels."""
    strongest = channels.mean((1, 2)).topk(min(len(channels), _MAX_CHANNELS)).indices
    shown = channels[strongest]
    low, high = shown.amin((1, 2), keepdim=True), shown.amax((1, 2), keepdim=True)
    scaled = F.interpolate(((shown - low) / (high - low).clamp_min(1e-12))[:, None], _SIDE).expand(-1, 3, -1, -1)
    return torch.cat([scaled, torch.ones(_MAX_CHANNELS - len(shown), 3, _SIDE, _SIDE)])
