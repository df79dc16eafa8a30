"""Targets that are places in the image, masks and boxes: they move with it, and are resized with it."""

import torch
from torch import Tensor
from torch.nn import functional as F

from firstlight.augment.constant import constant
from firstlight.augment.resample import move_whole_pixels, resample_nearest
from firstlight.spec import MIN_VISIBLE, NO_OBJECT, Size

_MIN_SIDE = 1e-3  # pixels; a smaller box has no area
_MIN_DEPTH = 1e-3  # of a corner; a strong perspective moves it behind the horizon if it has less


def resize_masks(masks: Tensor, size: Size) -> Tensor:
    """Resize masks (batch, height, width), uint8, to the nearest pixels: (batch, *size)."""
    if masks.shape[-2:] == size:
        return masks
    return F.interpolate(masks[:, None].float(), size, mode="nearest-exact")[:, 0].to(torch.uint8)


def move_masks(masks: Tensor, matrices: Tensor, view: Size, size: Size, padding: str, *, exact: bool) -> Tensor:
    """Move masks as `resample` and `move_whole_pixels` move their images, to the nearest pixels.

    Args:
        masks: (batch, height, width), uint8.
        matrices: see `resample`.
        view: see `resample`.
        size: height and width of the result.
        padding: zero, mirror or border; with zero, the pixels beyond the edges are `spec.IGNORED`.
        exact: whether the matrices only mirror, and shift by whole pixels.

    Returns:
        (batch, *size), uint8.
    """
    raised = (masks + 1)[:, None]  # IGNORED, 255, becomes 0, which is what the padding has
    if exact:
        moved = move_whole_pixels(raised, matrices, view, padding)[:, 0] - 1
        return resize_masks(moved, size)
    return resample_nearest(raised, matrices, view, size, padding)[:, 0].to(torch.uint8) - 1


def resize_boxes(boxes: Tensor, offset: tuple[float, float], view: Size, size: Size) -> Tensor:
    """Return the boxes in the pixels of a part of the image that is resized.

    Args:
        boxes: (batch, objects, 5), see `Split`.
        offset: left and top edge of the part, in pixels of the image.
        view: height and width of the part.
        size: height and width of the part after the resize.
    """
    x, y = boxes[..., 0:4:2] - offset[0], boxes[..., 1:4:2] - offset[1]
    return _visible(torch.stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], -1), boxes[..., 4], view, size)


def move_boxes(boxes: Tensor, matrices: Tensor, source: Size, view: Size, size: Size) -> Tensor:
    """Move boxes as `resample` moves their images: each becomes the smallest box around its four moved corners.

    Args:
        boxes: (batch, objects, 5), see `Split`.
        matrices: see `resample`.
        source: height and width of the images before.
        view: see `resample`.
        size: height and width of the result.

    Returns:
        (batch, objects, 5), in pixels of the result. Boxes are cut at the edges; the class of those that are less
        visible than `spec.MIN_VISIBLE` is `NO_OBJECT`.
    """
    x = boxes[..., [0, 2, 2, 0]] - source[1] / 2  # (batch, objects, corners)
    y = boxes[..., [1, 1, 3, 3]] - source[0] / 2
    corners = torch.stack([x, y, torch.ones_like(x)], -1)  # relative to the centre, as the matrices are
    moved = corners.flatten(1, 2) @ torch.linalg.inv(matrices).mT
    depth = moved[..., 2:].view(*x.shape)
    moved = (moved[..., :2] / moved[..., 2:].clamp_min(_MIN_DEPTH)).view(*x.shape, 2)
    moved = moved + constant((view[1] / 2, view[0] / 2), boxes.device)
    classes = torch.where((depth > _MIN_DEPTH).all(-1), boxes[..., 4], float(NO_OBJECT))
    return _visible(torch.cat([moved.amin(2), moved.amax(2)], -1), classes, view, size)


def _visible(edges: Tensor, classes: Tensor, view: Size, size: Size) -> Tensor:
    """Cut boxes at the edges of the view, drop those that are hardly visible, and scale the others to the size.

    Args:
        edges: (batch, objects, 4), left, top, right and bottom in pixels of the view.
        classes: (batch, objects).
        view: height and width of the view.
        size: height and width of the result.
    """
    limits = constant((view[1], view[0]) * 2, edges.device)
    cut = torch.minimum(edges.clamp_min(0), limits)
    is_kept = (_area(cut) >= MIN_VISIBLE * _area(edges)) & ((cut[..., 2:] - cut[..., :2]).amin(-1) > _MIN_SIDE)
    scaled = cut * constant((size[1] / view[1], size[0] / view[0]) * 2, edges.device)
    kept = torch.cat([scaled, classes[..., None]], -1)
    empty = constant((0, 0, 0, 0, NO_OBJECT), edges.device)
    return torch.where((is_kept & (classes != NO_OBJECT))[..., None], kept, empty)


def _area(edges: Tensor) -> Tensor:
    width, height = (edges[..., 2:] - edges[..., :2]).clamp_min(0).unbind(-1)
    return width * height
