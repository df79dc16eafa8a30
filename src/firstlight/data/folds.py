"""Parts of a data set for cross-validation."""

from dataclasses import dataclass

import torch
from torch import Tensor

from firstlight.randomness import generator


@dataclass(frozen=True)
class Fold:
    """One part of the training split, which is held out for validation.

    Attributes:
        number: which part, from 1 to `of`.
        of: the number of parts.
    """

    number: int
    of: int

    def is_held_out(self, classes: Tensor, seed: int) -> Tensor:
        """Return which samples this part holds: (samples,), bool.

        The parts are disjoint and hold every sample once. Their sizes differ by one sample at most, and so do the
        numbers of samples that they have of a class.

        Args:
            classes: (samples,), int64: the class of each sample; zeros for targets that are no classes.
            seed: the seed of the run, which shuffles the samples of each class.

        Raises:
            ValueError: there are fewer samples than parts.
        """
        if len(classes) < self.of:
            raise ValueError(f"kfold={self.of}: must be at most {len(classes)}, the number of training samples.")
        order = torch.randperm(len(classes), generator=generator(seed, "folds"))
        by_class = order[classes[order].sort(stable=True).indices]
        found = torch.zeros(len(classes), dtype=torch.bool)
        found[by_class[self.number - 1 :: self.of]] = True
        return found
