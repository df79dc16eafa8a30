"""Which place of an image predicts which object, and the losses of a detector."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from firstlight.spec import NO_OBJECT
from firstlight.tasks.objects.geometry import areas, giou_loss


class Matched(NamedTuple):
    """What each place of a batch of images must predict.

    Attributes:
        classes: (batch, places), int64; `NO_OBJECT` for the background.
        edges: (batch, places, 4), the left, top, right and bottom edge of the object, in pixels.
        centred: (batch, places), how near a place is to the centre of its object: 1 there, 0 at its edges.
    """

    classes: Tensor
    edges: Tensor
    centred: Tensor


def match(points: Tensor, strides: Tensor, reach: Tensor, boxes: Tensor, radius: float) -> Matched:
    """Assign an object to each place, or none.

    A place predicts an object if it lies inside its box, at most `radius` strides from its centre in x and in y, and
    if the farthest edge is within reach. Of several objects it predicts the smallest. Source: Tian et al. 2019,
    "FCOS", sections 3.1 to 3.3; the radius is that of the authors' later version.

    Args:
        points: (places, 2), see `networks.FCOS`.
        strides: (places,), in pixels.
        reach: (places, 2), in pixels.
        boxes: (batch, objects, 5), see `Split`.
        radius: in strides; infinite for all places inside of a box.
    """
    edges = boxes[:, None, :, :4]  # (batch, 1, objects, 4)
    distances = _distances(points[:, None], edges)  # (batch, places, objects, 4)
    centres = (edges[..., :2] + edges[..., 2:]) / 2
    away = (points[:, None] - centres).abs().amax(-1)  # (batch, places, objects)
    farthest = distances.amax(-1)
    fits = (distances.amin(-1) > 0) & (away <= radius * strides[:, None]) & (boxes[:, None, :, 4] != NO_OBJECT)
    fits &= (farthest > reach[:, None, 0]) & (farthest <= reach[:, None, 1])
    smallest = torch.where(fits, areas(edges), torch.inf).min(-1)  # (batch, places)
    chosen = boxes.gather(1, smallest.indices[..., None].expand(-1, -1, 5))  # (batch, places, 5)
    is_object = smallest.values.isfinite()
    classes = torch.where(is_object, chosen[..., 4].long(), NO_OBJECT)
    return Matched(classes, chosen[..., :4], _centredness(_distances(points, chosen[..., :4])) * is_object)


def _distances(points: Tensor, edges: Tensor) -> Tensor:
    """Return the distances from points (..., 2) to the left, top, right and bottom edges (..., 4): (..., 4)."""
    return torch.cat([points - edges[..., :2], edges[..., 2:] - points], -1)


def _centredness(distances: Tensor) -> Tensor:
    """Return the centre-ness (equation 3) of distances (..., 4): (...,); 0 outside of the box."""
    pairs = distances.clamp_min(0).unflatten(-1, (2, 2))  # left and top, then right and bottom
    quotients = pairs.amin(-2) / pairs.amax(-2).clamp_min(1e-9)
    return quotients.prod(-1).sqrt()


def around(points: Tensor, distances: Tensor) -> Tensor:
    """Return the boxes whose edges have these distances (..., 4) from the points (..., 2): (..., 4)."""
    return torch.cat([points - distances[..., :2], points + distances[..., 2:]], -1)


def focal_loss(logits: Tensor, targets: Tensor, alpha: float, gamma: float) -> Tensor:
    """Return the focal loss of each logit, which counts less what is already right.

    Source: Lin, Goyal, Girshick, He & Dollár 2017, the paper of RetinaNet, equation 5.

    Args:
        logits: (...,).
        targets: (...,), 0 or 1.
        alpha: weight of the targets 1; that of the others is 1 - alpha.
        gamma: exponent of the probability of the wrong answer.
    """
    losses = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    wrong = torch.where(targets > 0, 1 - logits.sigmoid(), logits.sigmoid())
    return torch.where(targets > 0, alpha, 1 - alpha) * wrong**gamma * losses


def detection_losses(
    logits: Tensor, edges: Tensor, centred: Tensor, matched: Matched, alpha: float, gamma: float
) -> dict[str, Tensor]:
    """Return the `class_loss`, `box_loss` and `centre_loss` of a batch: scalars.

    The focal losses are summed over places and classes, and divided by the number of places with an object. The losses
    of the boxes are weighted by the centre-ness.

    Args:
        logits: (batch, places, classes).
        edges: (batch, places, 4), in pixels.
        centred: (batch, places), logits of the centre-ness.
        matched: what each place must predict.
        alpha: see `focal_loss`.
        gamma: see `focal_loss`.
    """
    is_object = matched.classes != NO_OBJECT
    number = is_object.sum().clamp_min(1)
    one_hot = F.one_hot(matched.classes.clamp_min(0), logits.shape[-1]) * is_object[..., None]
    class_loss = focal_loss(logits, one_hot.to(logits.dtype), alpha, gamma).sum() / number
    weights = matched.centred[is_object]
    box_losses = giou_loss(edges[is_object], matched.edges[is_object])
    box_loss = (box_losses * weights).sum() / weights.sum().clamp_min(1e-6)
    centre_loss = F.binary_cross_entropy_with_logits(centred[is_object], weights, reduction="sum") / number
    return {"class_loss": class_loss, "box_loss": box_loss, "centre_loss": centre_loss}
