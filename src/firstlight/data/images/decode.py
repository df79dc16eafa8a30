"""Decode the image files of a data set, in threads, into one array on the disk."""

import hashlib
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.data.files.left_out import counted
from firstlight.data.images.copies import Occurrence, copies
from firstlight.data.images.frame import Target
from firstlight.data.images.memory import MAX_PIXELS
from firstlight.data.images.read_ahead import read_batches
from firstlight.data.images.reading import read_framed, refuse_decompression_bombs
from firstlight.data.store import Arrays
from firstlight.log import logger, progress_bar

AnyTarget = int | np.ndarray | Target

MAX_CORRUPT = 0.01
_HANDFUL = 5  # damaged images that a fraction always allows, because it would be less than one image in small data sets
_MAX_WARNINGS = 10
_BATCH_SIZE = 128  # images in the threads' queue; two batches are in memory, with their contents from an archive


def decode(
    splits: Mapping[str, Sequence[tuple[Path, AnyTarget]]],
    shape: tuple[int, int, int],
    scratch_dir: Path,
    *,
    on_corrupt: str = "error",
    max_corrupt: float = MAX_CORRUPT,
    fit: str = "crop",
    max_pixels: int = MAX_PIXELS,
    contents: Iterable[tuple[Path, bytes]] | None = None,
    remarks: list[str] | None = None,
) -> dict[str, Arrays]:
    """Return the images and targets of each split.

    The array is memory-mapped from a temporary file without a name, so it may be larger than the memory, and the
    operating system deletes it even if the process is killed.

    Args:
        splits: paths and targets of the images of each split; no path occurs twice. A target is a class, an array, or
            a `Target`, which follows its image; all have the same shape and type.
        shape: (channels, height, width) of the images in the array; see `read_image`.
        scratch_dir: folder of the temporary file; created if missing.
        on_corrupt: "error" raises an error for an image that cannot be read; "skip" leaves it out and logs a warning.
        max_corrupt: how many images may be left out: below 1 a fraction of them, which allows at least five, and from 1
            on a number. More damaged images point to another mistake.
        fit: see `read_image`.
        max_pixels: see `read_image`.
        contents: path and content of each image, in any order, for images in an archive; None reads the paths.
        remarks: list that receives lines for the user: how many images are left out, and which occur several times.

    Raises:
        ValueError: an image cannot be read, or `on_corrupt` is "skip" and too many images cannot be read.
    """
    labelled = [image for images in splits.values() for image in images]
    rows = {path: row for row, (path, _) in enumerate(labelled)}
    assert len(rows) == len(labelled)
    given = dict(labelled)
    targets = np.zeros(len(labelled), np.int64)
    pixels = scratch_array((len(labelled), *shape), scratch_dir)

    problems: dict[int, str] = {}
    digests: dict[int, bytes] = {}
    images = contents if contents is not None else ((path, None) for path in rows)
    bar = progress_bar(len(rows), "decoding", "image")
    with refuse_decompression_bombs(max_pixels), ThreadPoolExecutor() as pool, bar:
        read = partial(_read, given)
        batches = read_batches(pool, images, shape, _BATCH_SIZE, fit=fit, max_pixels=max_pixels, read=read)
        for path, image in chain.from_iterable(batches):
            bar.update()
            row = rows[path]
            if not isinstance(image, ValueError):
                pixels[row], target = image
                if target.shape != targets.shape[1:]:  # of the first image
                    targets = scratch_array((len(labelled), *target.shape), scratch_dir, target.dtype)
                targets[row] = target
                digests[row] = hashlib.blake2b(pixels[row], digest_size=16).digest()
                continue
            if on_corrupt == "error":
                raise ValueError(f"{image} Or leave out damaged images with data.on_corrupt=skip") from image
            problems[row] = str(image)
            _check_num_skipped(problems, len(rows), max_corrupt)
    _log(problems)
    if remarks is not None:
        remarks += [f"left out: {counted(len(problems), 'damaged image')}"] if problems else []
        remarks += copies(_occurrences(splits, digests))
    kept = np.delete(np.arange(len(rows)), list(problems))
    if problems:
        for row, before in enumerate(kept):  # in place, because the array may be as large as the memory
            pixels[row] = pixels[before]
            targets[row] = targets[before]
    ends = np.cumsum([len(images) for images in splits.values()])[:-1]
    cuts = np.searchsorted(kept, ends)
    parts = zip(*(np.split(array[: len(kept)], cuts) for array in (pixels, targets)), strict=True)
    return {name: Arrays(*part) for name, part in zip(splits, parts, strict=True)}


def _read(targets: Mapping[Path, AnyTarget], path: Path, *options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return an image and its target; the arguments are those of `read_image`."""
    image, frame = read_framed(path, *options)
    target = targets[path]
    return image, target.fitted(frame) if isinstance(target, Target) else np.asarray(target)


def scratch_array(shape: tuple[int, ...], folder: Path, dtype: Any = np.uint8) -> np.ndarray:
    """Return an array in a temporary file without a name in the folder, which is created if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        if hasattr(os, "posix_fallocate"):  # without it, a full disk kills the process when a page is written
            os.posix_fallocate(file.fileno(), 0, int(np.prod(shape)) * np.dtype(dtype).itemsize)
        return np.memmap(file, dtype, mode="w+", shape=shape)


def _occurrences(
    splits: Mapping[str, Sequence[tuple[Path, AnyTarget]]], digests: Mapping[int, bytes]
) -> dict[bytes, list[Occurrence]]:
    """Return the occurrences of each image, by the hash of its pixels, in the order of the splits."""
    found: dict[bytes, list[Occurrence]] = {}
    labelled = (
        Occurrence(path, split, target if isinstance(target, int) else 0)  # other targets are not compared
        for split, images in splits.items()
        for path, target in images
    )
    for row, occurrence in enumerate(labelled):
        if row in digests:
            found.setdefault(digests[row], []).append(occurrence)
    return found


def _check_num_skipped(problems: Mapping[int, str], num_images: int, max_corrupt: float) -> None:
    allowed = max(_HANDFUL, int(max_corrupt * num_images)) if 0 < max_corrupt < 1 else int(max_corrupt)
    if len(problems) > allowed:
        shown = "\n".join(list(problems.values())[:3])
        raise ValueError(
            f"data.max_corrupt={max_corrupt:g}: must be larger, because more than {allowed:,} of the {num_images:,}"
            f" images cannot be read:\n{shown}"
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
