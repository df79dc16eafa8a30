"""Draw masks and boxes over images: what a data set contains, and what a network predicts."""

import colorsys
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from firstlight.spec import IGNORED, NO_OBJECT, DataSpec

_LEGIBLE = 160  # pixels that the shorter side of an image has at least, so that names fit beside boxes
_GOLDEN = 0.618034  # steps of this fraction of the circle keep the hues of the first classes far apart
_GREY = (128, 128, 128)


def colour_of(number: int) -> tuple[int, int, int]:
    """Return the colour of a class, which depends on its number alone: red, green and blue from 0 to 255."""
    red, green, blue = colorsys.hsv_to_rgb(number * _GOLDEN % 1, 0.85, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def overlay_mask(image: Image.Image, mask: Any, num_classes: int, opacity: float = 0.5) -> Image.Image:
    """Return a copy of an image in the colours of the classes of its pixels.

    Class 0 is usually the background, and its pixels remain as they are. Pixels that are `spec.IGNORED` are grey.

    Args:
        image: the image, of any mode.
        mask: (height, width) of whole numbers, as an array or a tensor. It is resized to the image.
        num_classes: number of classes.
        opacity: fraction of the colour in the mixture, from 0 to 1.
    """
    table = np.zeros((256, 3), np.uint8)
    table[:num_classes] = [colour_of(number) for number in range(num_classes)]
    table[IGNORED] = _GREY
    classes = Image.fromarray(np.asarray(mask).astype(np.uint8)).resize(image.size, Image.Resampling.NEAREST)
    numbers = np.asarray(classes)
    weight = Image.fromarray(np.where(numbers == 0, 0, round(255 * opacity)).astype(np.uint8))
    return Image.composite(Image.fromarray(table[numbers]), image.convert("RGB"), weight)


def draw_boxes(
    image: Image.Image,
    boxes: Any,
    labels: Sequence[str],
    confidences: Sequence[float] | None = None,
    factor: int = 1,
) -> Image.Image:
    """Return a copy of an image with boxes as coloured lines, each with the name of its class.

    Args:
        image: the image, of any mode.
        boxes: (objects, 5), see `Split`, as an array or a tensor; rows without an object are left out.
        labels: names of the classes.
        confidences: a probability for each row, which follows the name.
        factor: factor by which the image is enlarged before, so that names are legible in small images.
    """
    drawn = image.convert("RGB").resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(drawn)
    width = max(1, min(drawn.size) // 150)
    for row, (*edges, number) in enumerate(np.asarray(boxes, np.float64).reshape(-1, 5).tolist()):
        if number == NO_OBJECT:
            continue
        left, top, right, bottom = (factor * edge for edge in edges)
        colour = colour_of(int(number))
        # The last pixel of a box is the one before its right and bottom edge.
        draw.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=colour, width=width)
        name = labels[int(number)] + ("" if confidences is None else f" {confidences[row]:.0%}")
        _write(draw, drawn.size, (left, top), name, colour)
    return drawn


def with_places(images: Tensor, targets: Tensor, spec: DataSpec) -> Tensor:
    """Return images with their masks or boxes drawn over them; images with other targets are returned unchanged.

    Args:
        images: (images, channels, height, width), from 0 to 1. If there are not three channels, the first is shown.
        targets: masks or boxes in pixels of these images, see `Split`.
        spec: the spec of the data.

    Returns:
        (images, 3, height, width), from 0 to 1. Images with boxes are enlarged until their names are legible.
    """
    if not spec.has_places:
        return images
    factor = -(-_LEGIBLE // min(images.shape[2:])) if spec.targets == "boxes" else 1
    pixels = (images[:, [0, 1, 2] if images.shape[1] == 3 else [0, 0, 0]] * 255).round().byte().cpu()
    drawn = []
    for image, target in zip(pixels.permute(0, 2, 3, 1).numpy(), targets.cpu(), strict=True):
        one = Image.fromarray(np.ascontiguousarray(image))
        if spec.targets == "masks":
            one = overlay_mask(one, target, spec.num_outputs)
        else:
            one = draw_boxes(one, target, spec.labels, factor=factor)
        drawn.append(torch.from_numpy(np.asarray(one).copy()))
    return torch.stack(drawn).permute(0, 3, 1, 2) / 255


def _write(
    draw: ImageDraw.ImageDraw,
    within: tuple[int, int],
    corner: tuple[float, float],
    text: str,
    colour: tuple[int, int, int],
) -> None:
    """Write a text on a ground of its own, above a corner; below it, if the image ends there."""
    left, top, right, bottom = draw.textbbox((0, 0), text)
    size = right - left + 4, bottom - top + 4
    place = max(0, min(corner[0], within[0] - size[0])), corner[1] - size[1] if corner[1] >= size[1] else corner[1]
    draw.rectangle((*place, place[0] + size[0] - 1, place[1] + size[1] - 1), fill=colour)
    brightness = 0.3 * colour[0] + 0.6 * colour[1] + 0.1 * colour[2]
    draw.text((place[0] + 2 - left, place[1] + 2 - top), text, "black" if brightness > 128 else "white")
