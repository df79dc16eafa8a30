"""Find the folders of images and of what belongs to them, such as masks, for each split."""

from collections.abc import Sequence
from pathlib import Path

from firstlight.data.files.litter import is_litter
from firstlight.data.files.split_names import split_names
from firstlight.files import cannot_read

SPLITS = ("train", "val", "test")


def split_folders(root: Path, wanted: Sequence[Sequence[str]], arrange: str) -> dict[str, tuple[Path, ...]]:
    """Return for each split the folders with the wanted names.

    Understood are `images` beside `masks`, in the root or in a folder for each split, and a folder for each split in
    `images` and in `masks`. Without splits, all is "train".

    Args:
        root: the folder.
        wanted: for each folder, the names that it may have, in small letters.
        arrange: how to arrange the files, for messages.

    Raises:
        ValueError: a folder is missing, or two are for the same split.
    """
    found = [find_folder(root, names) for names in wanted]
    if all(found):
        folders = [folder for folder in found if folder is not None]
        inner = [named_splits(folder) for folder in folders]
        if "train" not in inner[0]:
            return {"train": tuple(folders)}
        for split, path in inner[0].items():
            for folder, other in zip(folders, inner, strict=True):
                if split not in other:
                    raise cannot_read(folder, f"it has no folder {path.name}, but {folders[0]} has", arrange)
        return {split: tuple(other[split] for other in inner) for split in inner[0]}
    splits = {}
    for split, path in named_splits(root).items():
        parts = [find_folder(path, names) for names in wanted]
        for part, names in zip(parts, wanted, strict=True):
            if part is None:
                raise cannot_read(path, f"it has no folder {names[0]}", arrange)
        splits[split] = tuple(part for part in parts if part is not None)
    if "train" not in splits:
        missing = next(names[0] for names, folder in zip(wanted, found, strict=True) if folder is None)
        raise cannot_read(root, f"it has no folder {missing}", arrange)
    return splits


def find_folder(root: Path, names: Sequence[str]) -> Path | None:
    """Return the first folder in `root` with one of the names, whatever their case; None if there is none."""
    found = {path.name.lower(): path for path in _folders(root)}
    return next((found[name] for name in names if name in found), None)


def named_splits(root: Path) -> dict[str, Path]:
    """Return the folders in `root` whose names denote splits, see `split_names`.

    Raises:
        ValueError: two folders are for the same split.
    """
    folders = {path.name: path for path in _folders(root)}
    names = split_names(folders)
    for split in SPLITS:
        if len(alike := sorted(names.get(split, []))) > 1:
            why = f"{alike[0]} and {alike[1]} are both for {split}"
            raise cannot_read(root, why, "remove or rename one of them.")
    return {split: folders[names[split][0]] for split in SPLITS if split in names}


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not is_litter(path.name))
