"""Data sets of PyTorch: any object with a length and numbered samples, from a config or from Python."""

from collections.abc import Sequence
from typing import Any

from firstlight.data.numbered_samples import NumberedSamples
from firstlight.data.samples.access import as_dataset


class TorchDataset(NumberedSamples):
    """Any `torch.utils.data.Dataset`, or arrays; see `NumberedSamples`.

    Args:
        dir: folder of the store.
        train: the training samples: a data set, a list of samples, or a tuple of inputs and labels.
        val: the validation samples; None selects a part of `train`.
        test: the test samples; None holds out a part of `train`.
        keys: names or places of the input and the label in a sample that is a dict or a longer tuple.
        kwargs: see `NumberedSamples` and `Source`.

    Raises:
        ValueError: an argument is out of its range.
    """

    name = "dataset"

    def __init__(
        self,
        dir: str,
        *,
        train: Any = None,
        val: Any = None,
        test: Any = None,
        keys: Sequence[str | int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dir, **kwargs)
        if keys is not None and len(keys) not in (1, 2):
            raise ValueError(f"data.keys={list(keys)}: must be the places of the input and the label, such as [0,1].")
        self.given = {"train": train, "val": val, "test": test}
        self.keys = keys
        self.options |= {"keys": keys}

    def open(self) -> dict[str, Any]:
        """Return the data sets that were given.

        Raises:
            ValueError: one of them has no length or no numbered samples, or is empty.
        """
        given = {split: value for split, value in self.given.items() if split == "train" or value is not None}
        return {split: as_dataset(f"data.{split}", value) for split, value in given.items()}
