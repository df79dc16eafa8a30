"""Objects that a network has found in an image, as predictions list them."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from firstlight.augment.preprocess import ImagePreprocess
from firstlight.data.images.overlay import draw_boxes

EDGES = ("left", "top", "right", "bottom")


class Boxes(list[dict[str, Any]]):
    """The objects of one image: dicts of `label`, `probability`, `left`, `top`, `right` and `bottom`; as text, JSON.

    Predictions have the edges in pixels of the image that a task is given, until they are those of its file.
    """

    def __str__(self) -> str:
        return json.dumps(self)

    @classmethod
    def of(cls, objects: Tensor, labels: Sequence[str]) -> "Boxes":
        """Return objects (objects, 6): edges, class and probability, in their order."""
        return cls(
            {
                "label": labels[int(number)],
                "probability": round(probability, 6),
                **{name: round(edge, 2) for name, edge in zip(EDGES, edges, strict=True)},
            }
            for *edges, number, probability in objects.tolist()
        )


def in_raw_pixels(edges: Tensor, raw: Tensor, preprocess: ImagePreprocess) -> Tensor:
    """Return boxes in the pixels of raw images, whose margin the network does not see.

    Args:
        edges: (..., 4), as fractions of the sides of the images that the network sees.
        raw: (batch, channels, height, width), of which the network sees all or, if it is stored, the part within.
        preprocess: converts these images.
    """
    spec, (height, width) = preprocess.spec, raw.shape[2:]
    margin = 0
    if raw.shape[2:] == spec.stored_shape[1:]:
        margin, (height, width) = spec.margin, spec.image_size
    return edges * edges.new_tensor([width, height] * 2) + margin


def drawn(images: Tensor, objects: Sequence[Tensor], labels: Sequence[str], side: int = 256) -> Tensor:
    """Return images with the boxes of their objects, enlarged so that the names are legible.

    Args:
        images: (images, channels, height, width), from 0 to 1.
        objects: for each image (objects, 6): edges in its pixels, class and probability; or (objects, 5), see `Split`.
        labels: names of the classes.
        side: images whose smaller side is shorter are enlarged by a whole factor, until it is this long or less.

    Returns:
        (images, 3, height, width), from 0 to 1.
    """
    factor = max(1, side // min(images.shape[2:]))
    made = []
    for image, found in zip((images.cpu() * 255).round().to(torch.uint8), objects, strict=True):
        pixels = np.ascontiguousarray(image.expand(3, -1, -1).permute(1, 2, 0).numpy())
        rows = found.cpu().double().numpy()
        confidences = rows[:, 5].tolist() if rows.shape[1] > 5 else None
        canvas = draw_boxes(Image.fromarray(pixels), rows[:, :5], labels, confidences, factor)
        made.append(torch.from_numpy(np.array(canvas)).permute(2, 0, 1))
    return torch.stack(made).float() / 255
