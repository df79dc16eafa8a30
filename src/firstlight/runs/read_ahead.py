"""Read image files in batches: threads read the next batch while the network computes the current one."""

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
    """Yield the paths and the images (batch, *shape), uint8, of each batch. At most two batches are in memory.

    Args:
        pool: the threads that read.
        paths: the image files.
        shape: (channels, height, width), see `read_image`.
        batch_size: files in a batch, including files that cannot be read.
        problems: receives a message for each file that cannot be read. These files are left out.
        interpolation: see `read_image`.
    """
    read = partial(_read, shape=shape, interpolation=interpolation)
    chunks = [paths[start : start + batch_size] for start in range(0, len(paths), batch_size)]
    waiting = pool.map(read, chunks[0])
    for chunk, following in zip(chunks, [*chunks[1:], []], strict=True):
        found = list(zip(chunk, waiting, strict=True))
        waiting = pool.map(read, following)  # starts at once, before the caller asks for the next batch
        problems += [str(image) for _, image in found if isinstance(image, ValueError)]
        readable = [(path, image) for path, image in found if isinstance(image, np.ndarray)]
        if readable:
            names, images = zip(*readable, strict=True)
            yield list(names), torch.from_numpy(np.stack(images))


def _read(path: Path, shape: tuple[int, ...], interpolation: str) -> np.ndarray | ValueError:
    """Return the image, or the error, which must not end the other threads."""
    try:
        return read_image(path, shape, interpolation=interpolation)
    except ValueError as error:
        return error
