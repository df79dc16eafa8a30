"""Select a test split for data without an official one."""

from collections.abc import Sequence

import numpy as np
import torch

from firstlight.checks import check_range
from firstlight.randomness import generator


def hold_out(
    targets: np.ndarray, labels: Sequence[str], fraction: float, seed: int, option: str | None = None
) -> np.ndarray:
    """Select the same fraction of each class for testing, and at least one sample; the seed decides which.

    Args:
        targets: class of each sample.
        labels: names of the classes.
        fraction: fraction of each class.
        seed: `data.split_seed`. It is not the run's seed, so that all runs are evaluated on the same samples.
        option: name of an option that leaves out classes with fewer samples, for the error message.

    Returns:
        (samples,), bool: True for the samples for testing.

    Raises:
        ValueError: `fraction` is not between 0 and 1, or a class keeps fewer than two samples for train and val.
    """
    check_range("data.test_fraction", fraction, above=0, below=1)
    is_test = np.zeros(len(targets), dtype=bool)
    for target, label in enumerate(labels):
        members = np.flatnonzero(targets == target)
        num_test = max(1, round(len(members) * fraction))
        if len(members) - num_test < 2:
            or_else = f", or set {option}={len(members) + 1} to leave it out" if option else ""
            raise ValueError(
                f"data.test_fraction={fraction}: must leave two samples of each class for train and val,"
                f" but '{label}' has {len(members)} in all. Add samples or remove the class{or_else}."
            )
        order = torch.randperm(len(members), generator=generator(seed, "test", target)).numpy()
        is_test[members[order[:num_test]]] = True
    return is_test
