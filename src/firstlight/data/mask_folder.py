"""The user's own images with masks, which name the class of each pixel."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.checks import check_range
from firstlight.data.files.formats import open_image
from firstlight.data.files.left_out import counted
from firstlight.data.files.split_folders import split_folders
from firstlight.data.image_files import ImageFiles
from firstlight.data.images.masks import MaskFile
from firstlight.data.images.reading import images_in, refuse_decompression_bombs
from firstlight.data.store import Arrays
from firstlight.files import cannot_read, read_text
from firstlight.spec import IGNORED

ARRANGE = "arrange the files as images/NAME.jpg and masks/NAME.png, alone or in folders train, val and test."
_IMAGES = ("images", "image", "imgs", "img", "jpegimages")
_MASKS = ("masks", "mask", "labels", "annotations", "segmentationclass")
_NAMES = "classes.txt"
_MAX_NAMES = 2**20  # bytes
_BINARY = {0, 255}  # black and white: two classes, and 255 is not the number of ignored pixels

Pairs = list[tuple[Path, Path]]  # an image and its mask


class MaskFolder(ImageFiles):
    """Images in `dir`/images and masks of the same names in `dir`/masks, for each split or for all together.

    The folders of splits may have any usual names, see `split_names`, and lie above or below `images` and `masks`.
    A mask is a grey or palette image; the number of a pixel is its class, from 0, or `ignored`. If all pixels are 0 or
    255, white is class 1. The names of the classes are the lines of `dir`/classes.txt; without this file, the classes
    are the numbers that occur. A mask is as large as its image, and is turned and fitted with it.

    Args:
        dir: the folder.
        ignored: number of the pixels that belong to no class.
        test_fraction: fraction of the images for testing, if there is no test split.
        split_seed: seed that selects these images.
        kwargs: see `ImageFiles` and `Source`.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "mask_folder"

    def __init__(
        self, dir: str, *, ignored: int = IGNORED, test_fraction: float = 0.2, split_seed: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(dir, **kwargs)
        check_range("data.ignored", ignored, at_least=0, at_most=65535)
        self.ignored = ignored
        self.test_fraction = test_fraction
        self.split_seed = split_seed
        self.options |= {"ignored": ignored}

    def files(self) -> list[Path]:
        """Return the paths of all images and masks, and of the names of the classes."""
        names = self.dir / _NAMES
        found = [path for pairs in self._pairs().values() for pair in pairs for path in pair]
        return [*found, *([names] if names.is_file() else [])]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Read the images and masks of each split.

        Raises:
            ValueError: the folders are not understood, an image has no mask, or a mask does not fit to its image.
        """
        pairs = self._pairs(self.remarks)
        numbers = self._numbers(mask for split in pairs.values() for _, mask in split)
        labels, classes, known = self._classes(numbers)
        splits = {
            split: [(image, MaskFile(mask, classes, known)) for image, mask in found] for split, found in pairs.items()
        }
        return labels, self._decode(splits)

    def _pairs(self, remarks: list[str] | None = None) -> dict[str, Pairs]:
        """Return the images of each split with their masks."""
        if not self.dir.is_dir():
            raise cannot_read(self.dir, "this folder does not exist", f"{ARRANGE} Name the folder with data.dir=")
        found = split_folders(self.dir, (_IMAGES, _MASKS), ARRANGE)
        kept = [] if remarks is None else remarks
        pairs = {split: _paired(images, masks, kept) for split, (images, masks) in found.items()}
        for split, folders in found.items():
            if not pairs[split]:
                raise cannot_read(folders[0], "this folder has no image", "add images, or delete the folder.")
        return pairs

    def _numbers(self, masks: Iterable[Path]) -> set[int]:
        """Return the numbers that occur in masks; a damaged mask is reported later."""
        with refuse_decompression_bombs(self.max_pixels), ThreadPoolExecutor() as pool:
            return set().union(*pool.map(_numbers_of, masks))

    def _classes(self, numbers: set[int]) -> tuple[tuple[str, ...], Mapping[int, int], str]:
        """Return the names of the classes, the class of each number, and the known numbers for a message."""
        names = self._names()
        if numbers == _BINARY and self.ignored == IGNORED and len(names) in (0, 2):
            self.remarks.append("the masks are black and white: white, 255, is class 1")
            return names or ("background", "object"), {0: 0, 255: 1}, "0 or 255"
        if not names:
            last = max([1, *(number for number in numbers if number != self.ignored)])
            if last >= IGNORED:
                why = f"the masks have a class {last}, and there are at most {IGNORED}"
                raise cannot_read(self.dir, why, "number the classes from 0, or save the masks as palette PNGs.")
            names = tuple(str(number) for number in range(last + 1))
            self.remarks.append(f"the classes are the numbers 0 to {last} of the masks, because there is no {_NAMES}")
        classes = {number: number for number in range(len(names))} | {self.ignored: IGNORED}
        return names, classes, f"0 to {len(names) - 1}, or {self.ignored} for pixels that are ignored"

    def _names(self) -> tuple[str, ...]:
        path = self.dir / _NAMES
        if not path.is_file():
            return ()
        fix = "write the name of a class into each line, in the order of their numbers."
        lines = read_text(path, at_most=_MAX_NAMES, fix=fix).splitlines()
        names = tuple(line.strip() for line in lines if line.strip())
        if len(set(names)) < len(names) or not 2 <= len(names) <= IGNORED:
            why = f"it has {len(names)} names, {len(set(names))} of them different, and must have 2 to {IGNORED}"
            raise cannot_read(path, why, fix)
        return names


def _numbers_of(path: Path) -> set[int]:
    try:
        with open_image(path) as mask:
            return set(np.unique(np.asarray(mask)).tolist())
    except Exception:  # damaged files raise almost any exception
        return set()


def _paired(images: Path, masks: Path, remarks: list[str]) -> Pairs:
    """Return each image in a folder with the mask of the same name; `NAME_mask` is such a name too."""
    named: dict[str, Path] = {}
    for path in images_in(masks):
        key = _key(path, masks).removesuffix("_mask")
        if key in named:
            raise cannot_read(path, f"{named[key].name} is a mask of the same image", "delete one of them.")
        named[key] = path
    pairs = []
    for path in images_in(images):
        if _key(path, images) not in named:
            raise cannot_read(path, f"it has no mask in {masks}", "add the mask, or delete the image.")
        pairs.append((path, named[_key(path, images)]))
    if surplus := named.keys() - {_key(path, images) for path, _ in pairs}:
        remarks.append(f"left out: {counted(len(surplus), 'mask')} without an image, such as {min(surplus)}")
    return pairs


def _key(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()
