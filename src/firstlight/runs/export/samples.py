"""Samples on which an exported file is checked."""

import numpy as np
import torch

from firstlight.randomness import generator
from firstlight.runs import RunFolder
from firstlight.runs.export.portable import Portable
from firstlight.tasks.build import build_source

NUMBER = 64


def samples_for(network: Portable, folder: RunFolder, trust: bool = False) -> tuple[list[np.ndarray], str]:
    """Return inputs of a network in batches, and what they are.

    They are the first samples of the run's test split, or random ones if the data is gone or the network takes latents.
    Every other image is enlarged and cropped, so that the batches have images of several sizes.

    Args:
        network: the network.
        folder: the run.
        trust: see `RunFolder.config`.
    """
    if network.input_name == "latents":
        return [torch.randn(NUMBER, *network.example.shape[1:], generator=generator(0, "export")).numpy()], "latents"
    try:
        config = folder.config(trust)
        test = build_source(config).splits(config.seed)[1]["test"]
    except (ValueError, OSError):
        return _random(network), "random samples, because the data is gone"
    raw, _ = test.take(torch.arange(min(NUMBER, len(test))))
    if network.input_name != "images":
        return [raw.numpy()], "test samples"
    return [_as_image(image, place % 4) for place, image in enumerate(raw.numpy())], "test images"


def _as_image(pixels: np.ndarray, variant: int) -> np.ndarray:
    """Return a batch of one decoded image, (1, height, width, 4), of a stored one (channels, height, width)."""
    colour = np.broadcast_to(pixels, (3, *pixels.shape[1:])).transpose(1, 2, 0)
    if variant % 2:
        colour = colour.repeat(1 + variant, axis=0).repeat(variant, axis=1)[: -variant or None]
    opaque = np.full((*colour.shape[:2], 1), 255, dtype=np.uint8)
    return np.concatenate([colour, opaque], axis=2)[None]


def _random(network: Portable) -> list[np.ndarray]:
    example, random = network.example, generator(0, "export")
    shape = (NUMBER, *example.shape[1:])
    if example.dtype == torch.float32:
        return [torch.randn(shape, generator=random).numpy()]
    high = 256 if network.input_name == "images" else network.task.spec.num_outputs
    return [torch.randint(high, shape, generator=random).to(example.dtype).numpy()]
