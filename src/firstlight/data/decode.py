"""The image files of a whole data set, decoded once, by many threads, into an array on the disk."""

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

MAX_SKIPPED = 0.01  # share of the images; with more of them damaged, something else is wrong
_NAMED = 10
_BATCH_SIZE = 128  # images in the threads' queue; two batches are in memory, with their contents from an archive


def decode(
    splits: Mapping[str, Sequence[tuple[Path, int]]],
    shape: tuple[int, int, int],
    scratch_dir: Path,
    *,
    on_corrupt: str = "error",
    contents: Iterable[tuple[Path, bytes]] | None = None,
) -> dict[str, Arrays]:
    """Images with their classes, by split.

    The array is on the disk, in a file without a name: larger than the memory it does no harm, and however this
    ends, nothing is left behind.

    Args:
        splits: paths and classes of the images; no path occurs twice.
        shape: (channels, height, width) of every image in the array; see `read_image`.
        scratch_dir: where the array lies; made where it is missing.
        on_corrupt: "error", or "skip" to leave out images that cannot be read, and to say which.
        contents: what is at each path, in any order, where the images do not lie there as files.

    Raises:
        ValueError: an image cannot be read; names the file. Or more than 1 % of them cannot.
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
                raise ValueError(f"{image} Or leave such images out with data.on_corrupt=skip") from image
            problems[rows[path]] = str(image)
            _check_number(problems, len(rows))
    _log(problems)
    kept = np.delete(np.arange(len(rows)), list(problems))
    if problems:
        for row, before in enumerate(kept):  # in place: the array may be as large as the memory
            pixels[row] = pixels[before]
    ends = np.cumsum([len(images) for images in splits.values()])[:-1]
    cuts = np.searchsorted(kept, ends)
    targets = np.array([target for _, target in labelled], dtype=np.int64)[kept]
    parts = zip(np.split(pixels[: len(kept)], cuts), np.split(targets, cuts), strict=True)
    return {name: Arrays(*part) for name, part in zip(splits, parts, strict=True)}


def _scratch_array(shape: tuple[int, ...], folder: Path) -> np.ndarray:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):  # else a full disk would end the process when a page is written
            os.posix_fallocate(file.fileno(), 0, int(np.prod(shape)))
        return np.memmap(file, np.uint8, mode="w+", shape=shape)


def _check_number(problems: Mapping[int, str], num_images: int) -> None:
    if len(problems) > MAX_SKIPPED * num_images:
        shown = "\n".join(list(problems.values())[:3])
        raise ValueError(
            f"data.on_corrupt=skip: more than {MAX_SKIPPED:.0%} of {num_images:,} images cannot be read:\n{shown}"
        )


def _log(problems: Mapping[int, str]) -> None:
    """Which images are left out: the first ones on the screen, all of them in train.log."""
    for number, problem in enumerate(problems.values()):
        if number < _NAMED:
            logger.warning("left out: %s", problem)
        else:
            logger.debug("left out: %s", problem)
    if len(problems) > _NAMED:
        logger.warning("left out: %d more, which train.log names", len(problems) - _NAMED)
