"""Decode the image files of a data set, in threads, into one array on the disk."""

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import numpy as np
from tqdm import tqdm

from firstlight.data.images import refuse_decompression_bombs
from firstlight.data.read_ahead import read_batches
from firstlight.data.store import Arrays
from firstlight.log import logger

MAX_SKIPPED = 0.01  # fraction of the images; more damaged images point to another mistake
_MAX_WARNINGS = 10
_BATCH_SIZE = 128  # images in the threads' queue; two batches are in memory, with their contents from an archive


def decode(
    splits: Mapping[str, Sequence[tuple[Path, int]]],
    shape: tuple[int, int, int],
    scratch_dir: Path,
    *,
    on_corrupt: str = "error",
    contents: Iterable[tuple[Path, bytes]] | None = None,
) -> dict[str, Arrays]:
    """Return the images and classes of each split.

    The array is memory-mapped from a temporary file without a name, so it may be larger than the memory, and the
    operating system deletes it even if the process is killed.

    Args:
        splits: paths and classes of the images of each split; no path occurs twice.
        shape: (channels, height, width) of the images in the array; see `read_image`.
        scratch_dir: folder of the temporary file; created if missing.
        on_corrupt: "error" raises an error for an image that cannot be read; "skip" leaves it out and logs a warning.
        contents: path and content of each image, in any order, for images in an archive; None reads the paths.

    Raises:
        ValueError: an image cannot be read, or `on_corrupt` is "skip" and more than 1 % of the images cannot be read.
    """
    labelled = [image for images in splits.values() for image in images]
    rows = {path: row for row, (path, _) in enumerate(labelled)}
    assert len(rows) == len(labelled)
    pixels = _scratch_array((len(labelled), *shape), scratch_dir)

    problems: dict[int, str] = {}
    images = contents if contents is not None else ((path, None) for path in rows)
    bar = tqdm(total=len(rows), desc="decoding", unit="image", leave=False, dynamic_ncols=True, disable=None)
    with refuse_decompression_bombs(), ThreadPoolExecutor() as pool, bar:
        for path, image in chain.from_iterable(read_batches(pool, images, shape, _BATCH_SIZE)):
            bar.update()
            if isinstance(image, np.ndarray):
                pixels[rows[path]] = image
                continue
            if on_corrupt == "error":
                raise ValueError(f"{image} Or leave out damaged images with data.on_corrupt=skip") from image
            problems[rows[path]] = str(image)
            _check_num_skipped(problems, len(rows))
    _log(problems)
    kept = np.delete(np.arange(len(rows)), list(problems))
    if problems:
        for row, before in enumerate(kept):  # in place, because the array may be as large as the memory
            pixels[row] = pixels[before]
    ends = np.cumsum([len(images) for images in splits.values()])[:-1]
    cuts = np.searchsorted(kept, ends)
    targets = np.array([target for _, target in labelled], dtype=np.int64)[kept]
    parts = zip(np.split(pixels[: len(kept)], cuts), np.split(targets, cuts), strict=True)
    return {name: Arrays(*part) for name, part in zip(splits, parts, strict=True)}


def _scratch_array(shape: tuple[int, ...], folder: Path) -> np.ndarray:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):  # without it, a full disk kills the process when a page is written
            os.posix_fallocate(file.fileno(), 0, int(np.prod(shape)))
        return np.memmap(file, np.uint8, mode="w+", shape=shape)


def _check_num_skipped(problems: Mapping[int, str], num_images: int) -> None:
    if len(problems) > MAX_SKIPPED * num_images:
        shown = "\n".join(list(problems.values())[:3])
        raise ValueError(
            f"data.on_corrupt=skip: must be used with at most {MAX_SKIPPED:.0%} damaged images,"
            f" but more of the {num_images:,} images cannot be read:\n{shown}"
        )


def _log(problems: Mapping[int, str]) -> None:
    """Log the images that are left out: the first ones on the screen, all of them in train.log."""
    for number, problem in enumerate(problems.values()):
        if number < _MAX_WARNINGS:
            logger.warning("left out: %s", problem)
        else:
            logger.debug("left out: %s", problem)
    if len(problems) > _MAX_WARNINGS:
        logger.warning("left out: %d more images; train.log lists them", len(problems) - _MAX_WARNINGS)
