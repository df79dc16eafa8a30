"""Data sets of Hugging Face, from the hub or from a folder."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from firstlight.checks import check_range, choose, printable
from firstlight.data.files.download import unreachable
from firstlight.data.files.split_names import split_names
from firstlight.data.numbered_samples import NumberedSamples
from firstlight.data.samples.columns import Columns, Rows, choose_columns
from firstlight.data.samples.texts import windows
from firstlight.data.store import Arrays, Split, Store
from firstlight.data.tokens import UNITS
from firstlight.files import cannot_read, user_path

_SPLITS = ("train", "val", "test", "eval")


class HuggingFace(NumberedSamples):
    """A data set of the Hugging Face hub, or a folder that `save_to_disk` has written or `load_dataset` reads.

    The columns are found from the types of the data set: an image with a label; else texts, which a language model
    learns to continue; else numbers with a label. Files from the hub are kept in the cache of Hugging Face.

    Args:
        dir: folder of the store.
        name: name on the hub, such as `ylecun/mnist`; the path of a folder, in the working directory or in `dir`, with
            a saved data set, or with images in folders of classes, Parquet, CSV or JSON files.
        subset: name of the configuration, for data sets that have several.
        image: name of the column of images; None to find it.
        label: name of the column of labels; None to find it.
        text: name of the column of texts; None to find it.
        options: further arguments of `datasets.load_dataset`, such as {revision: ...}.
        unit: see `Text`.
        length: see `Text`.
        max_vocabulary: see `Text`.
        kwargs: see `NumberedSamples` and `Source`.

    Raises:
        ValueError: the package `datasets` or a name is missing, or an argument is out of its range.
    """

    name = "huggingface"

    def __init__(
        self,
        dir: str,
        *,
        name: str | None = None,
        subset: str | None = None,
        image: str | None = None,
        label: str | None = None,
        text: str | None = None,
        options: Any = None,
        unit: str = "characters",
        length: int = 128,
        max_vocabulary: int = 10_000,
        **kwargs: Any,
    ) -> None:
        super().__init__(dir, **kwargs)
        if not name:
            raise ValueError("data.name=null: must be the name of a data set on the hub, or a folder that holds one.")
        if "trust_remote_code" in (options or {}):
            raise ValueError("data.options.trust_remote_code: must be left out, because it runs code of the data set.")
        choose("data.unit", unit, UNITS, "unit")
        check_range("data.length", length, at_least=1)
        check_range("data.max_vocabulary", max_vocabulary, at_least=2)
        self.source_name = name
        self.subset = subset
        self.chosen = (image, label, text)
        self.arguments = dict(options or {})
        self.unit = unit
        self.length = length
        self.max_vocabulary = max_vocabulary
        self.columns: Columns | None = None
        self.options |= {"chosen": self.chosen, "text": [unit, length, max_vocabulary, self.val_fraction]}

    def open(self) -> dict[str, Rows]:
        """Return the rows of each split.

        Raises:
            ValueError: the data set cannot be found or loaded, or has no input.
        """
        loaded = self._load()
        splits = {"train": loaded} if not isinstance(loaded, Mapping) else _by_split(loaded)
        self.columns = choose_columns(splits["train"].features, *self.chosen)
        self.consecutive = self.columns.is_text
        return {split: Rows(rows, self.columns) for split, rows in splits.items()}

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        rows: dict[str, Rows] = self.datasets
        assert self.columns is not None
        used = f"{', '.join(self.columns.inputs[:5])} as input, {self.columns.label or 'nothing'} as label"
        if not self.columns.is_text:
            self.remarks.append(f"columns: {used}")
            return super().read()
        self.remarks.append(f"column {self.columns.inputs[0]}: a text to continue")
        texts = {split: found.texts() for split, found in rows.items()}
        fractions = {"val": self.val_fraction, "test": self.test_fraction}
        return windows(texts, self.unit, self.length, self.max_vocabulary, fractions)

    @property
    def label_key(self) -> str | None:
        return self.columns.label if self.columns else None

    def splits(self, seed: int) -> tuple[Store, dict[str, Split]]:
        _ = self.datasets  # decides whether the samples are consecutive
        return super().splits(seed)

    def _load(self) -> Any:
        datasets = _package()
        for folder in (user_path(self.source_name, "data.name"), self.dir / self.source_name):
            if folder.is_dir():
                return self._from_folder(datasets, folder)
        if self.source_name.startswith((".", "/", "~")) or self.source_name.count("/") > 1:
            raise ValueError(f"data.name={self.source_name}: must be an existing folder, or a name on the hub.")
        return self._from_hub(datasets)

    def _from_folder(self, datasets: Any, folder: Path) -> Any:
        try:
            if any((folder / name).is_file() for name in ("dataset_dict.json", "state.json")):
                return datasets.load_from_disk(str(folder))
            return datasets.load_dataset(str(folder), self.subset, **self.arguments)
        except Exception as error:  # the package raises errors of many kinds
            fix = "write it with save_to_disk, or name a folder of images, Parquet, CSV or JSON files."
            raise cannot_read(folder, printable(error, 200), fix) from error

    def _from_hub(self, datasets: Any) -> Any:
        name = self.source_name
        problem = None if datasets.config.HF_HUB_OFFLINE else unreachable(datasets.config.HF_ENDPOINT)
        try:
            with _offline(datasets, bool(problem)):
                return datasets.load_dataset(name, self.subset, **self.arguments)
        except Exception as error:  # the package raises errors of many kinds
            why = problem or printable(error, 200)
            code = f"datasets.load_dataset('{name}').save_to_disk(FOLDER)"
            raise ValueError(
                f"data.name={name}: cannot be loaded ({why}). To fix: correct the name; or, without a network, call"
                f" {code} where there is one, copy FOLDER, and set data.name=FOLDER. HF_HUB_OFFLINE=1 uses the cache."
            ) from error


def _package() -> Any:
    try:
        import datasets
    except ImportError:
        fix = 'pip install "firstlight[huggingface]"'
        raise ValueError(f"data=huggingface: must have the package datasets. To fix: {fix}") from None
    return datasets


def _by_split(loaded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data set of each split, by the usual names; a single one is all of the data.

    Raises:
        ValueError: no split is for training.
    """
    if len(loaded) == 1:
        return {"train": next(iter(loaded.values()))}
    names = split_names(loaded)
    found = {split: loaded[names[split][0]] for split in _SPLITS if split in names}
    if "eval" in found:
        found.setdefault("test" if "test" not in found else "val", found.pop("eval"))
    if "train" not in found:
        raise ValueError(f"data.name: must have a split for training, and has {', '.join(loaded)}.")
    return found


@contextmanager
def _offline(datasets: Any, is_offline: bool) -> Iterator[None]:
    """Let the package use its cache alone, if there is no network."""
    from huggingface_hub import constants

    before = datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    if is_offline:
        datasets.config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before
