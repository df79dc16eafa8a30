"""Boxes as their left, top, right and bottom edges: areas, overlaps, and losses of predicted boxes."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

_BETA = 0.1  # of the image's side: the smooth L1 loss is quadratic below it
_TINY = 1e-9  # an area that divides nothing


def areas(edges: Tensor) -> Tensor:
    """Return the areas of boxes (..., 4): (...,); 0 where edges are crossed."""
    width, height = (edges[..., 2:] - edges[..., :2]).clamp_min(0).unbind(-1)
    return width * height


def overlaps(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Return the areas of the intersection and of the union of pairs of boxes: (..., 4) and (..., 4) -> (...,) each."""
    corners = torch.maximum(one[..., :2], other[..., :2]), torch.minimum(one[..., 2:], other[..., 2:])
    intersection = areas(torch.cat(corners, -1))
    return intersection, areas(one) + areas(other) - intersection


def iou(one: Tensor, other: Tensor) -> Tensor:
    """Return the intersection over union of pairs of boxes, from 0 to 1: (..., 4) and (..., 4) -> (...,)."""
    intersection, union = overlaps(one, other)
    return intersection / union.clamp_min(_TINY)


def giou(one: Tensor, other: Tensor) -> Tensor:
    """Return the generalised intersection over union of pairs of boxes: (..., 4) and (..., 4) -> (...,).

    It is the IoU minus the empty fraction of the smallest box around both, and so from -1 to 1. It has a gradient where
    boxes do not touch. Source: Rezatofighi et al. 2019, "Generalized intersection over union", algorithm 1.
    """
    intersection, union = overlaps(one, other)
    corners = torch.minimum(one[..., :2], other[..., :2]), torch.maximum(one[..., 2:], other[..., 2:])
    around = areas(torch.cat(corners, -1))
    return intersection / union.clamp_min(_TINY) - (around - union) / around.clamp_min(_TINY)


def giou_loss(predicted: Tensor, true: Tensor) -> Tensor:
    """Return 1 - GIoU of pairs of boxes, from 0 to 2: (..., 4) and (..., 4) -> (...,)."""
    return 1 - giou(predicted, true)


def smooth_l1_loss(predicted: Tensor, true: Tensor) -> Tensor:
    """Return the sum of the smooth L1 losses of the edges of pairs of boxes: (..., 4) and (..., 4) -> (...,).

    Source: Girshick 2015, "Fast R-CNN", equation 3, but quadratic up to a tenth of the image's side.

    Args:
        predicted: as fractions of the image's sides.
        true: as fractions of the image's sides.
    """
    return F.smooth_l1_loss(predicted, true, beta=_BETA, reduction="none").sum(-1)


BOX_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"giou": giou_loss, "smooth_l1": smooth_l1_loss}
