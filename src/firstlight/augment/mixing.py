"""Samples mixed with each other, and their targets in the same proportion."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.distributions import Beta

from firstlight.augment.filters import random_rectangles
from firstlight.augment.step import Step
from firstlight.checks import check_range


class Mixing(Step, ABC):
    """A step that mixes each sample with another one of its batch.

    Args:
        alpha: of the Beta(alpha, alpha) distribution of the shares: 1 makes all equally likely, less keeps samples
            nearer to what they were.
        p: probability that a sample is mixed.

    Raises:
        ValueError: `alpha` is less than 0.01.
    """

    def __init__(self, *, alpha: float = 0.2, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("alpha", alpha, at_least=0.01)
        self.alpha = alpha

    @abstractmethod
    def mix(self, images: Tensor, soft_targets: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised images (samples, channels, height, width) and class probabilities (samples, classes), mixed."""

    def mixing_fractions(self, num_samples: int, device: torch.device) -> Tensor:
        """How much of each sample comes from another one: (samples,), 0 for samples that stay alone."""
        alpha = torch.full((num_samples,), float(self.alpha), device=device)
        fractions = Beta(alpha, alpha, validate_args=False).sample()
        return self.for_chosen(fractions, 0.0)


class Mixup(Mixing):
    """Images are blended (Zhang et al. 2018, "mixup").

    As in the paper, the other image's share may be above a half; the likelier class is then the other's.
    """

    def mix(self, images: Tensor, soft_targets: Tensor) -> tuple[Tensor, Tensor]:
        """Each sample with the one of a random order of the batch."""
        others = torch.randperm(len(images), device=images.device)
        fractions = self.mixing_fractions(len(images), images.device)
        mixed = torch.lerp(images, images[others], fractions[:, None, None, None])
        return mixed, torch.lerp(soft_targets, soft_targets[others], fractions[:, None])


class Cutmix(Mixing):
    """A rectangle comes from another image (Yun et al. 2019, "CutMix")."""

    def __init__(self, *, alpha: float = 1.0, p: float = 1.0) -> None:
        super().__init__(alpha=alpha, p=p)

    def mix(self, images: Tensor, soft_targets: Tensor) -> tuple[Tensor, Tensor]:
        """The rectangle has the image's proportions; targets follow its area in whole pixels."""
        others = torch.randperm(len(images), device=images.device)
        sides = self.mixing_fractions(len(images), images.device).sqrt()
        inside = random_rectangles(sides[:, None].expand(-1, 2), images)
        fractions = inside.float().mean((1, 2, 3))
        return torch.where(inside, images[others], images), torch.lerp(
            soft_targets, soft_targets[others], fractions[:, None]
        )
