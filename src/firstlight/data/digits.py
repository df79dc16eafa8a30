"""The 1,797 handwritten digits that scikit-learn bundles."""

import importlib.util
from pathlib import Path

import numpy as np

from firstlight.data.source import Source
from firstlight.data.store import Arrays


class Digits(Source):
    """8x8 digits of 43 people (Alpaydin & Kaynak 1998, UCI "Optical Recognition of Handwritten Digits").

    The bundled file has no official split: every fifth sample of each class is for testing, independent of the seed.
    Grey levels 0 to 16 become 0 to 255.
    """

    name = "digits"

    def files(self) -> list[Path]:
        """Return the file of digits in the installed scikit-learn package."""
        found = importlib.util.find_spec("sklearn")  # importing scikit-learn takes a second
        assert found is not None
        assert found.origin is not None
        return [Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"]

    def read(self) -> tuple[tuple[str, ...], dict[str, Arrays]]:
        """Read 1,442 digits for training and 355 for testing."""
        rows = np.loadtxt(self.files()[0], delimiter=",", dtype=np.int64)  # 64 grey levels and a class
        images = np.rint(rows[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
        targets = rows[:, 64]
        test = np.zeros(len(targets), dtype=bool)
        for digit in range(10):
            test[np.flatnonzero(targets == digit)[4::5]] = True
        labels = tuple(str(digit) for digit in range(10))
        return labels, {"train": Arrays(images[~test], targets[~test]), "test": Arrays(images[test], targets[test])}
