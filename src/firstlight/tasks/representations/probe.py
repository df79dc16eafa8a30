"""What features know of the classes: a linear classifier and the nearest neighbours, fitted on labelled features."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_STEPS = 100  # of L-BFGS
_L2 = 1e-4  # keeps the weights finite if the classes are separable
_SHARPNESS = 1 / 0.07  # of the votes (Wu, Xiong, Yu & Lin 2018, section 3.4)


class Probe:
    """A linear classifier and a vote of the nearest neighbours, which are fitted on features and their classes.

    The linear classifier is a logistic regression on standardised features. The neighbours are the features of the
    largest cosine similarity; each votes with the exponential of its similarity (Wu, Xiong, Yu & Lin 2018,
    "Unsupervised feature learning via non-parametric instance discrimination", section 3.4).

    Args:
        features: (samples, features), float32.
        classes: (samples,), int64.
        num_classes: number of classes.
        neighbours: neighbours that vote; at most all samples do.
    """

    def __init__(self, features: Tensor, classes: Tensor, num_classes: int, neighbours: int) -> None:
        self.num_classes = num_classes
        self.neighbours = min(neighbours, len(features))
        self._directions, self._classes = F.normalize(features, dim=1), classes
        self._mean = features.mean(0)
        self._scale = features.std(0, unbiased=False).clamp_min(1e-6)
        self._weight, self._bias = _logistic_regression(self._standardised(features), classes, num_classes)

    def _standardised(self, features: Tensor) -> Tensor:
        return (features - self._mean) / self._scale

    def linear(self, features: Tensor) -> Tensor:
        """Return the classes (samples,) that the linear classifier predicts for features (samples, features)."""
        return (self._standardised(features) @ self._weight + self._bias).argmax(1)

    def nearest(self, features: Tensor) -> Tensor:
        """Return the classes (samples,) for which the nearest neighbours of features (samples, features) vote."""
        similarity = F.normalize(features, dim=1) @ self._directions.T
        closest = similarity.topk(self.neighbours, dim=1)
        votes = torch.zeros(len(features), self.num_classes, device=features.device)
        votes.scatter_add_(1, self._classes[closest.indices], (closest.values * _SHARPNESS).exp())
        return votes.argmax(1)


def _logistic_regression(features: Tensor, classes: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Return the weight (features, classes) and the bias (classes,) of the smallest cross entropy."""
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(features.device.type, enabled=False):
        features, classes = features.detach().clone(), classes.clone()  # tensors of inference mode have no gradients
        weight = torch.zeros(features.shape[1], num_classes, device=features.device, requires_grad=True)
        bias = torch.zeros(num_classes, device=features.device, requires_grad=True)
        optimizer: Any = torch.optim.LBFGS([weight, bias], max_iter=_STEPS, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(features @ weight + bias, classes) + _L2 * weight.square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
    return weight.detach(), bias.detach()
