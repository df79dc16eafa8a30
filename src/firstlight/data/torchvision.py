"""The data sets of torchvision, by their names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firstlight.checks import choose, printable
from firstlight.data.numbered_samples import NumberedSamples
from firstlight.data.samples.access import as_dataset
from firstlight.data.samples.constructor import arguments_of, check_options, split_arguments
from firstlight.data.samples.official import download
from firstlight.data.source import cache_beside
from firstlight.data.store import Arrays, locked
from firstlight.files import cannot_read

_SUPPLIED = {
    "root": "data.dir= names the folder.",
    "download": "missing files are downloaded anyway.",
}


class TorchVision(NumberedSamples):
    """A data set of `torchvision.datasets`, from its official files in `dir`, which are downloaded if missing.

    The splits are found by the argument `train` or `split` of its class. If one of these is in `options`, this split is
    all of the data. An official `val` without a `test` becomes the test split.

    Args:
        dir: folder of the official files, as torchvision arranges them.
        name: name of the class in `torchvision.datasets`, such as FashionMNIST.
        options: further arguments of the class, such as {split: letters} for EMNIST.
        kwargs: see `NumberedSamples` and `Source`.

    Raises:
        ValueError: the name or an option is unknown, or an argument is out of its range.
    """

    name = "torchvision"

    def __init__(self, dir: str, *, name: str = "FashionMNIST", options: Any = None, **kwargs: Any) -> None:
        super().__init__(dir, **kwargs)
        from torchvision import datasets

        # LSUN unpickles a file that has no checksum, which may run any code.
        offered = [known for known in datasets.__all__ if not known.startswith(("LSUN", "VisionDataset"))]
        classes = [known for known in offered if isinstance(getattr(datasets, known), type)]
        self.cls: Any = getattr(datasets, choose("data.name", name, classes, "data set of torchvision"))
        if not isinstance(options or {}, Mapping):
            raise ValueError(f"data.options={options}: must be arguments of {name}, such as {{split: train}}.")
        self.arguments = dict(options or {})
        self.accepted = arguments_of(self.cls)
        check_options("data.options", self.arguments, self.accepted, _SUPPLIED)
        self.name = f"torchvision-{name.lower()}"
        self.test_is_val = False

    @property
    def cache_dir(self) -> Path:
        """Folder of the stores: not in `dir` if the class would take it for a class, as ImageFolder does."""
        takes_all = "root" in self.accepted and "download" not in self.accepted
        return cache_beside(self.dir.parent if takes_all else self.dir)

    def open(self) -> dict[str, Any]:
        """Return the data set of each split.

        Raises:
            ValueError: the files are missing and cannot be downloaded, or the class refuses an option.
        """
        found = {}
        for split, choices in split_arguments(self.accepted, self.arguments).items():
            if (dataset := self._first(choices)) is not None:
                found[split] = as_dataset(f"data.name={self.cls.__name__} ({split})", dataset)
        self.test_is_val = "val" in found and "test" not in found
        if self.test_is_val:
            found["test"] = found.pop("val")
        return found

    def fingerprint(self) -> Any:
        found = super().fingerprint()
        return [self.cls.__name__, self.test_is_val, found]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        found = super().read()
        if self.test_is_val:
            self.remarks.append("val is used for testing, because there is no official test split with labels")
        return found

    def _first(self, choices: list[dict[str, Any]]) -> Any:
        """Return the data set of the first choice that its class knows; None if it knows none."""
        for choice in choices:
            try:
                return self._build(choice)
            except _UnknownSplitError:
                continue
        return None

    def _build(self, choice: dict[str, Any]) -> Any:
        root = {"root": str(self.dir)} if "root" in self.accepted else {}
        arguments = root | self.arguments | choice
        try:
            return self.cls(**arguments)
        except (RuntimeError, OSError) as error:
            missing = error
        except (ImportError, TypeError, ValueError) as error:
            raise self._refusal(choice, error) from error
        if "download" not in self.accepted:
            fix = f"put the files there as torchvision.datasets.{self.cls.__name__} expects them."
            raise cannot_read(self.dir, printable(missing, 200), fix) from missing
        self.cache_dir.mkdir(parents=True, exist_ok=True)
        with locked(self.cache_dir / f"{self.name}.download.lock"):
            return download(self.cls, lambda: self.cls(**arguments, download=True), self.dir)

    def _refusal(self, choice: dict[str, Any], error: Exception) -> Exception:
        """Return the error for a class that cannot be built with its arguments."""
        if "split" in choice and str(error).startswith("Unknown value"):
            return _UnknownSplitError()
        if isinstance(error, ImportError):
            return ValueError(f"data.name={self.cls.__name__}: must have another package ({error}).")
        return ValueError(f"data.options: {self.cls.__name__} refuses them ({printable(error, 200)}).")


class _UnknownSplitError(Exception):
    """The class of a data set has no split of this name."""
