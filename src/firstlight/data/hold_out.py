"""A test split for data that has none."""

from collections.abc import Sequence

import numpy as np
import torch

from firstlight.randomness import generator


def hold_out(targets: np.ndarray, labels: Sequence[str], fraction: float, seed: int) -> np.ndarray:
    """Which samples are for testing: of each class the same share, at least one, as the seed alone decides.

    Args:
        targets: class of each sample.
        labels: names of the classes.
        fraction: share of every class.
        seed: `data.split_seed`, not the run's: all runs are measured on the same samples.

    Returns:
        (samples,), bool.

    Raises:
        ValueError: a class that would leave fewer than two samples, which train and val need; or no such share.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"data.test_fraction={fraction}: a share between 0 and 1.")
    is_test = np.zeros(len(targets), dtype=bool)
    for target, label in enumerate(labels):
        members = np.flatnonzero(targets == target)
        num_test = max(1, round(len(members) * fraction))
        if len(members) - num_test < 2:
            raise ValueError(
                f"data.test_fraction={fraction}: of '{label}' there are {len(members)} samples, too few for train, val"
                " and test; add some, or leave it out."
            )
        order = torch.randperm(len(members), generator=generator(seed, "test", target)).numpy()
        is_test[members[order[:num_test]]] = True
    return is_test
