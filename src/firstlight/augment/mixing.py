"""Steps that mix samples with each other, and their targets in the same proportion."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.distributions import Beta

from firstlight.augment.filters import random_rectangles
from firstlight.augment.step import Step
from firstlight.checks import check_range


class Mixing(Step, ABC):
    """A step that mixes each sample with another sample of the batch.

    Args:
        alpha: parameter of the Beta(alpha, alpha) distribution of the mixing fractions. 1 makes all fractions equally
            likely; smaller values make fractions near 0 and 1 more likely.
        p: probability that a sample is mixed.

    Raises:
        ValueError: `alpha` is less than 0.01.
    """

    stage = "mixing"

    def __init__(self, *, alpha: float = 0.2, p: float = 1.0) -> None:
        super().__init__(p)
        check_range("alpha", alpha, at_least=0.01)
        self.alpha = alpha

    @abstractmethod
    def mix(self, images: Tensor, soft_targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return mixed images and mixed targets.

        Args:
            images: (samples, channels, height, width), normalised.
            soft_targets: (samples, classes), the probability of each class.
        """

    def mixing_fractions(self, num_samples: int, device: torch.device) -> Tensor:
        """Draw the fraction of the other sample in each mixture: (samples,), 0 for samples that are not mixed."""
        alpha = torch.full((num_samples,), float(self.alpha), device=device)
        fractions = Beta(alpha, alpha, validate_args=False).sample()
        return self.for_chosen(fractions, 0.0)


class Mixup(Mixing):
    """Blend each image with another one (Zhang et al. 2018, "mixup").

    As in the paper, the fraction of the other image may exceed 0.5; its class is then the more probable one.
    """

    def mix(self, images: Tensor, soft_targets: Tensor) -> tuple[Tensor, Tensor]:
        others = torch.randperm(len(images), device=images.device)
        fractions = self.mixing_fractions(len(images), images.device)
        mixed = torch.lerp(images, images[others], fractions[:, None, None, None])
        return mixed, torch.lerp(soft_targets, soft_targets[others], fractions[:, None])


class Cutmix(Mixing):
    """Replace a rectangle of each image by the same rectangle of another one (Yun et al. 2019, "CutMix").

    The rectangle has the aspect ratio of the image. The targets follow its area in whole pixels.
    """

    def __init__(self, *, alpha: float = 1.0, p: float = 1.0) -> None:
        super().__init__(alpha=alpha, p=p)

    def mix(self, images: Tensor, soft_targets: Tensor) -> tuple[Tensor, Tensor]:
        others = torch.randperm(len(images), device=images.device)
        sides = self.mixing_fractions(len(images), images.device).sqrt()
        inside = random_rectangles(sides[:, None].expand(-1, 2), images)
        fractions = inside.float().mean((1, 2, 3))
        mixed = torch.where(inside, images[others], images)
        return mixed, torch.lerp(soft_targets, soft_targets[others], fractions[:, None])
