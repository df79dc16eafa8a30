"""Image files in batches; threads read the next batch while the caller works on the current one."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from firstlight.data.images.memory import MAX_PIXELS
from firstlight.data.images.reading import read_image

# A path with what was read, by default the image (channels, height, width), or with the error that reading has raised.
Result = tuple[Path, Any]


def read_ahead(
    pool: Executor,
    paths: Iterable[Path],
    shape: tuple[int, ...],
    batch_size: int,
    problems: list[str],
    interpolation: str = "bilinear",
    fit: str = "crop",
    max_pixels: int = MAX_PIXELS,
) -> Iterator[tuple[list[Path], Tensor]]:
    """Yield batches of the images that can be read: their paths, and the images (batch, *shape), uint8.

    Args:
        pool: the threads that read.
        paths: the image files.
        shape: (channels, height, width), see `read_image`.
        batch_size: number of files that are read at a time; a batch is smaller if some of them cannot be read.
        problems: list that receives a message for each image that cannot be read.
        interpolation: see `read_image`.
        fit: see `read_image`.
        max_pixels: see `read_image`.
    """
    images = ((path, None) for path in paths)
    for batch in read_batches(pool, images, shape, batch_size, interpolation, fit, max_pixels):
        problems += [str(image) for _, image in batch if isinstance(image, ValueError)]
        readable = [(path, image) for path, image in batch if isinstance(image, np.ndarray)]
        if readable:
            names, arrays = zip(*readable, strict=True)
            yield list(names), torch.from_numpy(np.stack(arrays))


def read_batches(
    pool: Executor,
    images: Iterable[tuple[Path, bytes | None]],
    shape: tuple[int, ...],
    batch_size: int,
    interpolation: str = "bilinear",
    fit: str = "crop",
    max_pixels: int = MAX_PIXELS,
    read: Callable[..., Any] | None = None,
) -> Iterator[list[Result]]:
    """Yield batches of images, uint8 of `shape`, in the given order; at most two batches are in memory.

    Args:
        pool: the threads that read.
        images: the path and the content of each image; the content None stands for the file at the path.
        shape: (channels, height, width), see `read_image`.
        batch_size: images at a time.
        interpolation: see `read_image`.
        fit: see `read_image`.
        max_pixels: see `read_image`.
        read: what is called with the arguments of `read_image`; None for this function itself.
    """
    remaining = iter(images)

    def submit() -> list[Future[Result]]:
        batch = islice(remaining, batch_size)
        return [
            pool.submit(_try_to_read, read or read_image, path, shape, content, interpolation, fit, max_pixels)
            for path, content in batch
        ]

    current = submit()
    while current:
        following = submit()
        yield [future.result() for future in current]
        current = following


def _try_to_read(read: Callable[..., Any], path: Path, *options: Any) -> Result:
    try:
        return path, read(path, *options)
    except ValueError as error:
        return path, error
