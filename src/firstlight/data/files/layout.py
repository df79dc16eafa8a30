"""Understand how a folder of images is arranged: which folders are splits, and which are classes."""

import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from firstlight.data.files.left_out import counted
from firstlight.data.files.split_names import is_filler, split_names
from firstlight.data.files.tree import Tree
from firstlight.files import cannot_read, encodable

LAYOUTS = ("auto", "splits", "classes")
ARRANGE = (
    "name the folder with data.dir=, and arrange the images as train/CLASS/image.jpg and test/CLASS/image.jpg, or as"
    " CLASS/image.jpg."
)

Classes = dict[str, list[Path]]


@dataclass
class Layout:
    """The images of each class in each split.

    Attributes:
        folder: the folder of the splits or classes.
        splits: images by class, for "train" and, if there are folders for them, "val" and "test"; classes are sorted.
        places: the folder of each split.
        remarks: lines for the user about what is special.
    """

    folder: Path
    splits: dict[str, Classes]
    places: dict[str, Path]
    remarks: list[str] = field(default_factory=list)

    @property
    def has_splits(self) -> bool:
        """Whether the folders name splits."""
        return len(self.splits) > 1 or self.places["train"] != self.folder

    def description(self, root: Path) -> str:
        """Return a line that says how many images and classes each split has, and in which folders below `root`."""
        train = self.splits["train"]
        inside = "" if self.folder == root else f" in {encodable(str(self.folder.relative_to(root)))}"
        if not self.has_splits:
            return f"{counted(_count(train))} in {len(train)} classes{inside}: {_listed(list(train))}"
        parts = [f"train {_count(train):,} in {len(train)} classes"]
        for split in ("val", "test"):
            if classes := self.splits.get(split):
                fewer = f" in {len(classes)} classes" if len(classes) < len(train) else ""
                parts.append(f"{split} {_count(classes):,}{fewer}")
        places = [encodable(str(self.places[split].relative_to(root))) for split in self.splits]
        where = (
            f"folders {_listed(places)}" if self.places["train"] != self.folder else f"folders in each class{inside}"
        )
        return f"{', '.join(parts)} ({where})"


def find_layout(folder: Path, choice: str = "auto", *, skip_empty: bool = False) -> Layout:
    """Return the layout of a folder.

    Understood are folders of splits that contain folders of classes; folders of classes that contain folders of splits;
    and folders of classes alone. A folder around them, and a folder of the same name inside a folder, are entered.

    Args:
        folder: the folder.
        choice: "splits" or "classes" says what the folders are, if their names may be either; "auto" finds out.
        skip_empty: whether folders of classes and splits without images are left out, with a remark.

    Raises:
        ValueError: the layout is not understood, or can be understood in two ways.
    """
    layout = _find_layout(_unwrapped(Tree(folder)), choice)
    for split, classes in layout.splits.items():
        empty = [name for name, paths in classes.items() if not paths]
        if empty and not skip_empty:
            fix = "add images, delete the folder, or leave out such classes with data.on_corrupt=skip"
            raise cannot_read(layout.places[split] / empty[0], "this class has no image", fix)
        if empty:
            inside = f" in {split}" if layout.has_splits else ""
            layout.remarks.append(f"left out: classes without images{inside}: {_listed(empty)}")
    splits = {split: {name: paths for name, paths in found.items() if paths} for split, found in layout.splits.items()}
    layout.splits = {split: classes for split, classes in splits.items() if classes or split == "train"}
    return layout


def _find_layout(tree: Tree, choice: str) -> Layout:
    found = {} if choice == "classes" else _splits_of(tree)
    if found and (choice == "splits" or _are_splits(tree, found)):
        return _read_splits(tree, found)
    if choice != "classes" and (layout := _read_splits_in_classes(tree)):
        return layout
    if choice == "splits":
        raise cannot_read(tree.path, "no folder in it has the name of a split", ARRANGE)
    return Layout(tree.path, {"train": _classes(tree)}, {"train": tree.path})


def _unwrapped(tree: Tree) -> Tree:
    """Enter a folder as long as it contains nothing but one folder, which contains folders of images."""
    while len(tree.with_images) == 1 and not tree.images:
        ((name, inner),) = tree.with_images.items()
        if inner.images or split_names([name]):
            break
        tree = inner
    return tree


def _splits_of(tree: Tree) -> dict[str, Tree]:
    """Return the folders whose names are those of splits.

    Raises:
        ValueError: two folders are for the same split.
    """
    names = split_names(tree.folders)
    names.pop("unlabelled", None)
    if "eval" in names:
        names.setdefault("val" if "test" in names else "test", []).extend(names.pop("eval"))
    for split, alike in names.items():
        if len(alike) > 1:
            first, second = sorted(alike)[:2]
            why = f"{encodable(first)} and {encodable(second)} are both for {split}"
            raise cannot_read(tree.path, why, "remove or rename one of them, or set data.layout=classes.")
    return {split: _inner(tree.folders[names[split][0]]) for split in ("train", "val", "test") if split in names}


def _inner(tree: Tree) -> Tree:
    """Enter a folder as long as it contains nothing but one folder of the same name, or one named `images` or so."""
    while len(tree.with_images) == 1 and not tree.images:
        ((name, inner),) = tree.with_images.items()
        if name.lower() != tree.path.name.lower() and not is_filler(name):
            break
        tree = inner
    return tree


def _are_splits(tree: Tree, found: dict[str, Tree]) -> bool:
    """Return whether folders with the names of splits are splits; the other reading is that they are classes.

    Raises:
        ValueError: both readings are possible.
    """
    named = {name for names in split_names(tree.folders).values() for name in names}
    others = [name for name in tree.with_images if name not in named]
    train = found.get("train")
    if train is None:
        if not others:
            why = f"it contains a folder {min(split_names(tree.folders).values())[0]}, but no folder train"
            raise cannot_read(tree.path, why, ARRANGE)
    elif train.has_classes:
        if len(found) > 1 or not others:
            return True
    elif len(found) == 1:
        return not (train.images and others)  # vehicles: train, car and bus
    elif not train.images:
        return True
    names = _listed(sorted(encodable(name) for name in tree.with_images), 3)
    why = f"{names} may be classes, or some of them splits whose classes are missing"
    fix = "set data.layout=classes, or arrange the images as train/CLASS/image.jpg and test/CLASS/image.jpg"
    if train is not None and train.has_classes:
        why = f"train may be a split, and then {_listed(others, 3)} is left out; or all are classes"
        fix = "set data.layout=splits or data.layout=classes"
    raise cannot_read(tree.path, why, f"{fix}.")


def _read_splits(tree: Tree, found: dict[str, Tree]) -> Layout:
    if "train" not in found:
        raise cannot_read(tree.path, "it contains no folder train", ARRANGE)
    splits, remarks = {}, []
    for split, inner in found.items():
        if split != "train" and inner.images and not inner.has_classes:
            remarks.append(f"{split} is not used: {counted(len(inner.images))} without folders of classes")
        elif split != "train" and not inner.has_images and not inner.folders:
            raise cannot_read(inner.path, "this split has no image", "add images or delete the folder.")
        else:
            splits[split] = _classes(inner)
    places = {split: found[split].path for split in splits}
    return Layout(tree.path, splits, places, remarks)


def _read_splits_in_classes(tree: Tree) -> Layout | None:
    """Return the layout CLASS/train/image.jpg; None if no folder contains folders of several splits.

    Raises:
        ValueError: only some of the folders do.
    """
    found = {name: _splits_of(inner) for name, inner in tree.with_images.items()}
    if not any(len(splits) > 1 for splits in found.values()):
        return None
    for name, inner in tree.with_images.items():
        if "train" not in found[name] or inner.images or len(inner.with_images) > len(found[name]):
            divided = next(other for other, splits in found.items() if len(splits) > 1)
            why = f"'{divided}' is divided into splits, but '{name}' has images beside them or no folder train"
            fix = f"{ARRANGE} Or set data.layout=classes, which ignores the splits."
            raise cannot_read(tree.path, encodable(why), fix)
    splits: dict[str, Classes] = {}
    for name, by_split in sorted(found.items()):
        for split, inner in by_split.items():
            splits.setdefault(split, {})[label(name)] = inner.all_images()
    return Layout(tree.path, splits, dict.fromkeys(splits, tree.path))


def _classes(tree: Tree) -> Classes:
    """Return the images of each class, sorted by its name."""
    classes: Classes = {}
    for name, inner in tree.folders.items():
        classes.setdefault(label(name), []).extend(inner.all_images())
    return dict(sorted(classes.items()))


def label(name: str) -> str:
    """Return the label of a folder's name: the same letters, whichever system wrote them."""
    return encodable(unicodedata.normalize("NFC", name))


def _count(classes: Classes) -> int:
    return sum(map(len, classes.values()))


def _listed(names: list[str], most: int = 8) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
