"""The random numbers that loaders and transforms of others draw, as a function of the seed and the epoch."""

import random
from typing import Any

import numpy as np
import torch

from firstlight.randomness import derive, reseed


class EpochSeeds:
    """Seeds the global random numbers at the start of each epoch, for a resumed run as for an uninterrupted one.

    Args:
        seed: the seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._is_first = True

    def begin(self, trainer: Any) -> None:
        """Seed the random numbers of the Trainer's current epoch. Called before the epoch draws any."""
        device = trainer.strategy.root_device
        seed_everything(derive(self.seed, "epoch", trainer.current_epoch, trainer.global_rank), device)
        if self._is_first:
            # Lightning has created the iterator of the first epoch of a process earlier, with other random numbers.
            # That of each later epoch is created after this call.
            iter(trainer.fit_loop._data_fetcher)  # no public name
            self._is_first = False


def seed_everything(seed: int, device: torch.device) -> None:
    """Seed the global random numbers of torch, NumPy and Python, which loaders and transforms of others draw from."""
    reseed(seed, device)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # the code of others draws from it
