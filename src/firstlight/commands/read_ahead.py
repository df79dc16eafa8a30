"""Image files in batches, read by threads while the network is at work on those before."""

from collections.abc import Iterator
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from firstlight.data.images import read_image


def read_ahead(
    pool: Executor,
    paths: list[Path],
    shape: tuple[int, ...],
    batch_size: int,
    problems: list[str],
    interpolation: str = "bilinear",
) -> Iterator[tuple[list[Path], Tensor]]:
    """Images (batch, *shape), uint8, with their paths; never more than two batches of them are held.

    Args:
        pool: its threads read.
        paths: of the images.
        shape: (channels, height, width), see `read_image`.
        batch_size: images at a time, those that cannot be read among them.
        problems: what is wrong with these is added here; they are left out.
        interpolation: see `read_image`.
    """
    read = partial(_read, shape=shape, interpolation=interpolation)
    chunks = [paths[start : start + batch_size] for start in range(0, len(paths), batch_size)]
    waiting = pool.map(read, chunks[0])
    for chunk, following in zip(chunks, [*chunks[1:], []], strict=True):
        found = list(zip(chunk, waiting, strict=True))
        waiting = pool.map(read, following)  # begins at once, and goes on while the network has this batch
        problems += [str(image) for _, image in found if isinstance(image, ValueError)]
        readable = [(path, image) for path, image in found if isinstance(image, np.ndarray)]
        if readable:
            names, images = zip(*readable, strict=True)
            yield list(names), torch.from_numpy(np.stack(images))


def _read(path: Path, shape: tuple[int, ...], interpolation: str) -> np.ndarray | ValueError:
    try:
        return read_image(path, shape, interpolation=interpolation)
    except ValueError as error:
        return error
