"""Recognise the names of splits in the names of folders: `Training`, `test_set`, `asl_alphabet_train`, `val2017`."""

import re
from collections.abc import Iterable

_SPLITS = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "validate", "dev"),
    "test": ("test", "testing", "tst", "holdout"),
    "eval": ("eval", "evaluation"),  # the test split, or the validation split if there is a folder test
    "unlabelled": ("pred", "predict", "prediction", "predictions", "unlabelled", "unlabeled"),
}
# Words that may stand beside the name of a split, or be joined to it.
_FILLERS = (
    *("set", "sets", "data", "dataset", "image", "images", "img", "imgs", "photo", "photos", "sample", "samples"),
    *("split", "folder", "dir", "files"),
)
_WORDS = {f"{word}{filler}": split for split, stems in _SPLITS.items() for word in stems for filler in ("", *_FILLERS)}


def split_names(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the names that denote splits, by split: "train", "val", "test", "eval" and "unlabelled".

    A name that has other words too, such as `seg_train`, counts only if the same words occur with another split.
    """
    parsed = {name: split_and_stem for name in names if (split_and_stem := _parse(name))}
    splits_of: dict[tuple[str, ...], set[str]] = {}
    for split, stem in parsed.values():
        splits_of.setdefault(stem, set()).add(split)
    found: dict[str, list[str]] = {}
    for name, (split, stem) in parsed.items():
        if not stem or ("train" in splits_of[stem] and len(splits_of[stem]) > 1):
            found.setdefault(split, []).append(name)
    return found


def is_filler(name: str) -> bool:
    """Return whether a name says nothing about its content, such as `images` or `data_set`."""
    parts = _words(name)
    return bool(parts) and all(word in _FILLERS for word in parts)


def _parse(name: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the split that a name denotes and the other words of the name; None if it denotes not exactly one."""
    parts = _words(name)
    splits = [_WORDS[word] for word in parts if word in _WORDS]
    if len(splits) != 1:
        return None
    return splits[0], tuple(word for word in parts if word not in _WORDS and word not in _FILLERS)


def _words(name: str) -> list[str]:
    """Return the words of a name in lower case, without numbers; a capital after a small letter begins a word."""
    return [word.lower() for word in re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])", name)]
