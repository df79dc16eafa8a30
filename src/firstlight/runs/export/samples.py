"""Samples on which an exported file is checked, calibrated and tested."""

import math

import numpy as np
import torch
from torch import Tensor

from firstlight.randomness import generator
from firstlight.runs import RunFolder
from firstlight.runs.export.portable import Portable
from firstlight.tasks.build import build_source

NUMBER = 64
_BATCH = 64
_BYTES = 1 << 28  # of inputs or of outputs, at most


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
        return [_latents(network, NUMBER, "export").numpy()], "latents"
    try:
        config = folder.config(trust)
        test = build_source(config).splits(config.seed)[1]["test"]
    except (ValueError, OSError):
        return _random(network), "random samples, because the data is gone"
    raw, _ = test.take(torch.arange(min(NUMBER, len(test))))
    if network.input_name != "images":
        return [raw.numpy()], "test samples"
    return [_enlarged(as_images(image[None]), place % 4) for place, image in enumerate(raw)], "test images"


def labelled_samples(
    network: Portable, folder: RunFolder, split: str, number: int, trust: bool = False
) -> tuple[Tensor, Tensor]:
    """Return raw samples of a split, evenly spaced, and their targets; latents if the network takes these.

    Args:
        network: the network.
        folder: the run.
        split: "train" or "test".
        number: the most samples. Fewer are returned if the split has fewer, or if they or the answers to them would
            take more than 256 MB.
        trust: see `RunFolder.config`.

    Raises:
        ValueError: the data of the run is gone.
    """
    number = min(number, _BYTES // _bytes_per_sample(network))
    if network.input_name == "latents":
        latents = _latents(network, number, split)
        return latents, latents
    config = folder.config(trust)
    samples = build_source(config).splits(config.seed)[1][split]
    return samples.take(torch.linspace(0, len(samples) - 1, min(number, len(samples))).round().long())


def as_inputs(network: Portable, raw: Tensor) -> list[np.ndarray]:
    """Return raw samples (samples, ...) as inputs of a network, in batches."""
    batches = raw.split(_BATCH)
    return [as_images(batch) if network.input_name == "images" else batch.numpy() for batch in batches]


def as_images(raw: Tensor) -> np.ndarray:
    """Return stored images (batch, channels, height, width) as files hold them, (batch, height, width, 4), uint8.

    The channels are red, green, blue and an alpha of 255, which hides nothing.
    """
    colour = raw.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    return np.concatenate([colour, np.full_like(colour[..., :1], 255)], axis=3)


def _enlarged(images: np.ndarray, variant: int) -> np.ndarray:
    if variant % 2:
        return images.repeat(1 + variant, axis=1).repeat(variant, axis=2)[:, : -variant or None]
    return images


def _latents(network: Portable, number: int, purpose: str) -> Tensor:
    return torch.randn(number, *network.example.shape[1:], generator=generator(0, purpose))


@torch.inference_mode()
def _bytes_per_sample(network: Portable) -> int:
    """Return the bytes of an input of the stored size or of the answers to it, whichever is more."""
    spec = network.task.spec
    one = 4 * math.prod(spec.stored_shape[-2:]) if network.input_name == "images" else network.example[0].nbytes
    return max(one, sum(output[0].nbytes for output in network(network.example)))


def _random(network: Portable) -> list[np.ndarray]:
    example, random = network.example, generator(0, "export")
    shape = (NUMBER, *example.shape[1:])
    if example.dtype == torch.float32:
        return [torch.randn(shape, generator=random).numpy()]
    high = 256 if network.input_name == "images" else len(network.task.spec.tokens)
    return [torch.randint(high, shape, generator=random).to(example.dtype).numpy()]
