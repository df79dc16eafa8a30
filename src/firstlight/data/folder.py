"""The user's own images, in a folder for each class."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.data.hold_out import hold_out
from firstlight.data.image_files import ImageFiles
from firstlight.data.images import images_in
from firstlight.data.store import Arrays
from firstlight.files import cannot_read

_NAMES = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
_LAYOUT = "arrange the images as train/CLASS/image.jpg and test/CLASS/image.jpg, or as CLASS/image.jpg."

Images = list[tuple[Path, int]]


class Folder(ImageFiles):
    """Images in `dir`/train/CLASS and `dir`/test/CLASS, or in `dir`/CLASS; the names of the folders are the labels.

    A folder `val` (or `valid`, `validation`) is the validation split. Without it, the run's seed selects a part of
    train. Without a folder `test`, `split_seed` selects a part of each class for testing. Images in subfolders of a
    class folder belong to the class. Hidden files, other files and other folders beside `train` are ignored.

    Args:
        dir: the folder that contains the folders.
        test_fraction: fraction of each class for testing, if there is no folder `test`.
        split_seed: seed that selects these test images.
        kwargs: see `ImageFiles` and `Source`.
    """

    name = "folder"

    def __init__(self, dir: str, *, test_fraction: float = 0.2, split_seed: int = 0, **kwargs: Any) -> None:
        super().__init__(dir, **kwargs)
        self.test_fraction = test_fraction
        self.split_seed = split_seed
        self.options |= {"test_fraction": test_fraction, "split_seed": split_seed}

    def files(self) -> list[Path]:
        """Return the paths of all images."""
        return [path for images in self._images()[1].values() for path, _ in images]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Read the images of each split; the classes are sorted by name."""
        labels, images = self._images()
        splits = self._decode(images)
        for split, arrays in splits.items():
            lost = set(range(len(labels))) - set(arrays.targets.tolist())
            if lost:
                why = f"all images of '{labels[min(lost)]}' in {split} are damaged"
                raise cannot_read(self.dir, why, "replace the images or remove the class.")
        return labels, splits

    def _images(self) -> tuple[tuple[str, ...], dict[str, Images]]:
        """Return the names of the classes, and the images of each split.

        Raises:
            ValueError: a folder is missing, empty or superfluous.
        """
        if not self.dir.is_dir():
            raise cannot_read(self.dir, "this folder does not exist", f"{_LAYOUT} Name the folder with data.dir=")
        folders = self._split_folders()
        classes = {split: _classes(folder) for split, folder in folders.items()}
        labels = tuple(classes["train"])
        if len(labels) < 2:
            why = f"it contains one class, '{labels[0]}', not two or more" if labels else "it contains no class"
            raise cannot_read(folders["train"], why, _LAYOUT)
        for split, by_name in classes.items():
            if different := set(by_name) ^ set(labels):
                name = min(different)
                has, lacks = ("train", split) if name in labels else (split, "train")
                why = f"the class '{name}' is missing, but {folders[has]} contains it"
                raise cannot_read(folders[lacks], why, "add or remove the class.")
        splits = {
            split: [(path, number) for number, paths in enumerate(by_name.values()) for path in paths]
            for split, by_name in classes.items()
        }
        return labels, self._add_test_split(labels, splits)

    def _split_folders(self) -> dict[str, Path]:
        """Return the folder of each split; `dir` itself is train if no folder has the name of a split."""
        found: dict[str, Path] = {}
        for folder in _folders_in(self.dir):
            for split, names in _NAMES.items():
                if folder.name.lower() in names:
                    if split in found:
                        why = f"{found[split].name} and {folder.name} are both for {split}"
                        raise cannot_read(self.dir, why, "remove or rename one of them.")
                    found[split] = folder
        if found and "train" not in found:
            raise cannot_read(self.dir, f"it contains a folder {min(found)}, but no folder train", _LAYOUT)
        return found or {"train": self.dir}

    def _add_test_split(self, labels: tuple[str, ...], splits: dict[str, Images]) -> dict[str, Images]:
        """Select a test split if there is none, and check that each class has enough images for a val split."""
        train = splits["train"]
        if "test" not in splits:
            is_test = hold_out(np.array([target for _, target in train]), labels, self.test_fraction, self.split_seed)
            splits["test"] = [image for image, drawn in zip(train, is_test, strict=True) if drawn]
            splits["train"] = [image for image, drawn in zip(train, is_test, strict=True) if not drawn]
        elif "val" not in splits:
            target, number = Counter(target for _, target in train).most_common()[-1]
            if number < 2:
                why = f"'{labels[target]}' has one image for train and val"
                raise cannot_read(self.dir, why, "add images or remove the class.")
        return splits


def _folders_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _classes(folder: Path) -> dict[str, list[Path]]:
    """Return the images of each class."""
    classes = {path.name: images_in(path) for path in _folders_in(folder)}
    for name, images in classes.items():
        if not images:
            raise cannot_read(folder / name, "this class has no image", "add images or delete the folder.")
    return classes
