"""Anyone's images: a folder for each class."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.data.hold_out import hold_out
from firstlight.data.image_files import ImageFiles
from firstlight.data.images import images_in
from firstlight.data.store import Arrays

_NAMES = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
_LAYOUT = "It takes train/CLASS/image.jpg and test/CLASS/image.jpg, or CLASS/image.jpg."

Images = list[tuple[Path, int]]


class Folder(ImageFiles):
    """Images in `dir`/train/CLASS and `dir`/test/CLASS, or in `dir`/CLASS; the names of the folders are the labels.

    A folder `val` (`valid`, `validation`) is used where it is there; else a part of train that follows from the
    run's seed. Where there is no test folder, a part of each class that follows from `split_seed` is for testing.
    Images in folders within a class folder count; hidden files, files that are no images, and whatever else lies
    beside `train` do not.

    Args:
        dir: the folder of the folders.
        test_fraction: share of each class that is for testing where there is no test folder.
        split_seed: says which images those are.
        kwargs: as for `ImageFiles` and every source.
    """

    name = "folder"

    def __init__(self, dir: str, *, test_fraction: float = 0.2, split_seed: int = 0, **kwargs: Any) -> None:
        super().__init__(dir, **kwargs)
        self.test_fraction = test_fraction
        self.split_seed = split_seed
        self.options |= {"test_fraction": test_fraction, "split_seed": split_seed}

    def files(self) -> list[Path]:
        """All images."""
        return [path for images in self._images()[1].values() for path, _ in images]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """The images by split, classes in the order of their names."""
        labels, images = self._images()
        splits = self._decode(images)
        for split, arrays in splits.items():
            lost = set(range(len(labels))) - set(arrays.targets.tolist())
            if lost:
                raise ValueError(f"{self.dir}: no image of '{labels[min(lost)]}' in {split} can be read.")
        return labels, splits

    def _images(self) -> tuple[tuple[str, ...], dict[str, Images]]:
        """The classes, and what there is in each split.

        Raises:
            ValueError: the folders do not make a data set.
        """
        if not self.dir.is_dir():
            raise ValueError(f"data.dir={self.dir}: there is no such folder. {_LAYOUT}")
        folders = self._split_folders()
        classes = {split: _classes(folder) for split, folder in folders.items()}
        labels = tuple(classes["train"])
        if len(labels) < 2:
            only = f"one class, '{labels[0]}'" if labels else "no folder of a class"
            raise ValueError(f"{folders['train']}: there is {only}; it takes two or more. {_LAYOUT}")
        for split, by_name in classes.items():
            if different := set(by_name) ^ set(labels):
                name = min(different)
                has, lacks = ("train", split) if name in labels else (split, "train")
                raise ValueError(f"{folders[lacks]}: there is no folder '{name}', but {folders[has]} has one.")
        splits = {
            split: [(path, number) for number, paths in enumerate(by_name.values()) for path in paths]
            for split, by_name in classes.items()
        }
        return labels, self._divided(labels, splits)

    def _split_folders(self) -> dict[str, Path]:
        """The folder of each split; all is for training where no folder has the name of a split."""
        found: dict[str, Path] = {}
        for folder in _folders_in(self.dir):
            for split, names in _NAMES.items():
                if folder.name.lower() in names:
                    if split in found:
                        raise ValueError(f"{self.dir}: both {found[split].name} and {folder.name} are for {split}.")
                    found[split] = folder
        if found and "train" not in found:
            raise ValueError(f"{self.dir}: there is a folder {min(found)}, but no train. {_LAYOUT}")
        return found or {"train": self.dir}

    def _divided(self, labels: tuple[str, ...], splits: dict[str, Images]) -> dict[str, Images]:
        """The same with a test split, and with enough in every class for a val split to be drawn."""
        train = splits["train"]
        if "test" not in splits:
            is_test = hold_out(np.array([target for _, target in train]), labels, self.test_fraction, self.split_seed)
            splits["test"] = [image for image, drawn in zip(train, is_test, strict=True) if drawn]
            splits["train"] = [image for image, drawn in zip(train, is_test, strict=True) if not drawn]
        elif "val" not in splits:
            target, number = Counter(target for _, target in train).most_common()[-1]
            if number < 2:
                raise ValueError(f"{self.dir}: '{labels[target]}' has one image to train on; val needs one too.")
        return splits


def _folders_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _classes(folder: Path) -> dict[str, list[Path]]:
    """The images of each class, by the name of its folder."""
    classes = {path.name: images_in(path) for path in _folders_in(folder)}
    for name, images in classes.items():
        if not images:
            raise ValueError(f"{folder / name}: there is no image in the folder of this class. Fill or delete it.")
    return classes
