"""The user's own images, in a folder for each class."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.checks import check_range, choose
from firstlight.data.almost import alike, almost
from firstlight.data.files.layout import ARRANGE, LAYOUTS, Layout, find_layout
from firstlight.data.files.left_out import left_out
from firstlight.data.hold_out import hold_out
from firstlight.data.image_files import ImageFiles
from firstlight.data.store import Arrays
from firstlight.files import cannot_read

Images = list[tuple[Path, int]]


class Folder(ImageFiles):
    """Images in `dir`/train/CLASS and `dir`/test/CLASS, or in `dir`/CLASS; the names of the folders are the labels.

    The folders of splits may have any usual names, such as `Training`, `test_set`, `validation` or `seg_train`; see
    `find_layout`. Without a folder for val, the run's seed selects a part of train. Without a folder for test, or if it
    has no folders of classes, `split_seed` selects a part of each class for testing. Images in subfolders of a class
    folder belong to the class. Everything else is left out, and counted in a remark.

    Args:
        dir: the folder that contains the folders.
        layout: "splits" or "classes" says what the folders in `dir` are, if their names may be either.
        min_per_class: classes with fewer training images are left out.
        test_fraction: fraction of each class for testing, if there is no test split.
        split_seed: seed that selects these test images.
        kwargs: see `ImageFiles` and `Source`.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "folder"

    def __init__(
        self,
        dir: str,
        *,
        layout: str = "auto",
        min_per_class: int = 1,
        test_fraction: float = 0.2,
        split_seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(dir, **kwargs)
        check_range("data.min_per_class", min_per_class, at_least=1)
        self.layout = choose("data.layout", layout, LAYOUTS, "layout")
        self.min_per_class = min_per_class
        self.test_fraction = test_fraction
        self.split_seed = split_seed
        self.options |= {"layout": layout, "min_per_class": min_per_class}

    def files(self) -> list[Path]:
        """Return the paths of all images."""
        return [path for images in self._images(self._layout())[1].values() for path, _ in images]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Read the images of each split; the classes are sorted by name.

        Raises:
            ValueError: the layout is not understood, images are damaged, or a class has none.
        """
        layout = self._layout()
        labels, images = self._images(layout)
        self.remarks += [layout.description(self.dir), *layout.remarks, *alike(labels)]
        if unused := left_out(self.dir, [path for split in images.values() for path, _ in split]):
            self.remarks.append(unused)
        splits = self._decode(images)
        for split, arrays in splits.items():
            lost = sorted({target for _, target in images[split]} - set(arrays.targets.tolist()))
            if lost:
                names = ", ".join(labels[target] for target in lost)
                self.remarks.append(f"all images in {split} are damaged of the classes: {names}")
        return _without_lost(self.dir, labels, splits)

    def _layout(self) -> Layout:
        """Return the images of each class in each split, without small classes.

        Raises:
            ValueError: a folder is missing, empty or superfluous.
        """
        if not self.dir.is_dir():
            raise cannot_read(self.dir, "this folder does not exist", f"{ARRANGE} Name the folder with data.dir=")
        layout = find_layout(self.dir, self.layout, skip_empty=self.on_corrupt == "skip")
        train = layout.splits["train"]
        small = sorted(name for name, paths in train.items() if len(paths) < self.min_per_class)
        if small:
            layout.remarks.append(f"classes with fewer than {self.min_per_class} images: {', '.join(small)}")
            layout.splits = {
                split: {name: paths for name, paths in classes.items() if name not in small}
                for split, classes in layout.splits.items()
            }
            if len(layout.splits["train"]) < 2:
                raise ValueError(
                    f"data.min_per_class={self.min_per_class}: must leave at least two classes, and"
                    f" {len(small)} of {len(train)} have fewer images."
                )
        _check_classes(layout)
        return layout

    def _images(self, layout: Layout) -> tuple[tuple[str, ...], dict[str, Images]]:
        """Return the labels, and the images of each split with their classes."""
        labels = tuple(layout.splits["train"])
        splits = {
            split: [(path, labels.index(name)) for name, paths in classes.items() for path in paths]
            for split, classes in layout.splits.items()
        }
        return labels, self._check_sizes(labels, splits)

    def _check_sizes(self, labels: tuple[str, ...], splits: dict[str, Images]) -> dict[str, Images]:
        """Check that each class has enough images for the splits that the source selects later, see `Source`."""
        train = splits["train"]
        if "test" not in splits:
            targets = np.array([target for _, target in train])
            hold_out(targets, labels, self.test_fraction, self.split_seed, "data.min_per_class")
        elif "val" not in splits:
            target, number = Counter(target for _, target in train).most_common()[-1]
            if number < 2:
                why = f"'{labels[target]}' has one image for train and val"
                raise cannot_read(self.dir, why, "add images, or leave the class out with data.min_per_class=2.")
        return splits


def _without_lost(
    folder: Path, labels: tuple[str, ...], splits: dict[str, Arrays]
) -> tuple[tuple[str, ...], dict[str, Arrays]]:
    """Return the labels and splits without the classes whose training images are all damaged.

    Raises:
        ValueError: fewer than two classes remain.
    """
    kept = np.unique(splits["train"].targets)
    if len(kept) == len(labels):
        return labels, splits
    if len(kept) < 2:
        lost = next(label for target, label in enumerate(labels) if target not in kept)
        why = f"all images of '{lost}' in train are damaged"
        raise cannot_read(folder, why, "replace the images, or add another class.")
    places = np.full(len(labels), -1)
    places[kept] = np.arange(len(kept))
    parts = {split: arrays.part(np.flatnonzero(np.isin(arrays.targets, kept))) for split, arrays in splits.items()}
    renumbered = {split: Arrays(part.inputs, places[part.targets]) for split, part in parts.items()}
    return tuple(labels[target] for target in kept), renumbered


def _check_classes(layout: Layout) -> None:
    """Check that train has two classes or more, and all classes of the other splits.

    Raises:
        ValueError: it does not.
    """
    labels, place = list(layout.splits["train"]), layout.places["train"]
    if len(labels) < 2:
        why = f"it contains one class, '{labels[0]}', not two or more" if labels else "it contains no class"
        raise cannot_read(place, why, ARRANGE)
    for split, classes in layout.splits.items():
        if unknown := sorted(classes.keys() - set(labels)):
            hint = almost(unknown[0], labels)
            why = f"the class '{unknown[0]}' is missing, but {layout.places[split]} contains it{hint}"
            raise cannot_read(place, why, "add or remove the class.")
        if missing := [name for name in labels if name not in classes]:
            listed = ", ".join(missing[:8]) + (", ..." if len(missing) > 8 else "")
            layout.remarks.append(f"{split} lacks {len(missing)} of the {len(labels)} classes: {listed}")
