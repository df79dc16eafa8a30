"""A store that another data set has built, opened by its name: for data that lives in the memory of a program."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from firstlight.data.source import Source
from firstlight.data.statistics import describe
from firstlight.data.store import Arrays, Store
from firstlight.files import cannot_read
from firstlight.spec import DataSpec


class Stored(Source):
    """The store of a data set that was given to firstlight in Python, as `Source.stored_node` names it.

    Args:
        dir: the folder beside whose stores this one lies.
        store: name of the store.
        test_fraction: see `Source`.
        split_seed: see `Source`.
        stratified: see `Source`.
        consecutive: see `Source`.
        kwargs: see `Source`.

    Raises:
        ValueError: an argument is out of its range, or `store` is a path.
    """

    name = "stored"

    def __init__(
        self,
        dir: str,
        *,
        store: str,
        test_fraction: float = 0.2,
        split_seed: int = 0,
        stratified: bool = False,
        consecutive: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(dir, **kwargs)
        if not store or store.startswith(".") or {"/", "\\"} & set(store):
            raise ValueError(f"data.store={store}: must be the name of a store in {self.cache_dir}.")
        self.store_name = store
        self.test_fraction = test_fraction
        self.split_seed = split_seed
        self.stratified = stratified
        self.consecutive = consecutive

    def _store_path(self) -> Path:
        path = self.cache_dir / self.store_name
        if not path.is_dir():
            raise cannot_read(path, "this store does not exist", "give the data again in Python, as in training.")
        return path

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Return the arrays of the store."""
        found = self.store()
        arrays = {name: Arrays(split.inputs.numpy(), split.targets.numpy()) for name, split in found.stored.items()}
        return found.spec.labels, arrays

    def describe(self, labels: tuple[str, ...], train: Arrays) -> DataSpec:
        known = self._spec
        return replace(describe(labels, train, known.margin), fit=known.fit, columns=known.columns)

    def _with_test(self, store: Store, path: Path) -> Store:
        self._spec = store.spec
        return super()._with_test(store, path)
