"""Masks and boxes move with their images: a bright rectangle stays where its mask and its box are."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from firstlight.augment import (
    Augment,
    Brightness,
    Flip,
    PadAndCrop,
    Perspective,
    RandomResizedCrop,
    Rotate,
    Shear,
    Shift,
    VerticalFlip,
    Zoom,
)
from firstlight.randomness import reseed
from firstlight.spec import IGNORED, NO_OBJECT, DataSpec

HEIGHT, WIDTH, MARGIN = 40, 56, 4
STEPS = {
    "flip": Flip(),
    "vertical": VerticalFlip(),
    "rotate": Rotate(degrees=30),
    "zoom": Zoom(low=0.8, high=1.2),
    "shift": Shift(width=0.2, height=0.2),
    "crop": PadAndCrop(pixels=5),
    "shear": Shear(degrees=15, vertical_degrees=10),
    "perspective": Perspective(distortion=0.2),
    "resized": RandomResizedCrop(scale_low=0.6),
}


def _spec(target_type: str, margin: int = MARGIN) -> DataSpec:
    shape = (1, HEIGHT, WIDTH)
    return DataSpec(shape, 2, ("none", "one"), (0.0,), (1.0,), margin=margin, target_type=target_type)


def _rectangles(number: int, margin: int = MARGIN) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return black images with one white rectangle each, their masks and their boxes."""
    random = np.random.default_rng(0)
    height, width = HEIGHT + 2 * margin, WIDTH + 2 * margin
    masks = torch.zeros(number, height, width, dtype=torch.uint8)
    boxes = torch.full((number, 2, 5), float(NO_OBJECT))
    for sample in range(number):
        top, left = random.integers(10, height - 26), random.integers(10, width - 28)
        bottom, right = top + random.integers(8, 16), left + random.integers(8, 18)
        masks[sample, top:bottom, left:right] = 1
        boxes[sample, 1] = torch.tensor([left, top, right, bottom, 1])
    return 255 * masks[:, None], masks, boxes


@pytest.mark.parametrize("size", [None, 64], ids=["own", "resized"])
@pytest.mark.parametrize("names", [*([name] for name in STEPS), list(STEPS)], ids=lambda names: "+".join(names)[:12])
def test_a_rectangle_its_mask_and_its_box_stay_together(names: list[str], size: int | None) -> None:
    """The edges of the white pixels, of the mask and of the box agree to half a pixel, if they are all visible."""
    raw, masks, boxes = _rectangles(64)
    steps: dict[str, Any] = {name: STEPS[name] for name in names}
    found = {}
    for kind, targets in (("masks", masks), ("boxes", boxes)):
        augment = Augment(_spec(kind), padding="zero", size=size, **steps)
        reseed(7, torch.device("cpu"))
        images, found[kind] = augment(raw, targets)
    height, width = images.shape[2:]
    assert found["masks"].shape == images[:, 0].shape
    # A pixel of the mask is the nearest one, so bilinear interpolation gives it a weight of a quarter or more.
    assert images[:, 0][found["masks"] == 1].min() > 0.249
    assert images[:, 0][found["masks"] == 0].max() < 0.751
    assert (found["boxes"][:, 0, 4] == NO_OBJECT).all()  # an empty row remains one
    scale = max(1.0, height / HEIGHT, width / WIDTH)
    tolerance = 0.51 * scale if _are_upright(names) else 1.5 * scale  # a corner covers little of its last pixel
    num_compared = 0
    for mask, box in zip(found["masks"], found["boxes"][:, 1], strict=True):
        if box[4] == 1 and box[:2].min() > 1 and box[2] < width - 1 and box[3] < height - 1:
            rows, columns = ((mask == 1).any(axis).nonzero()[:, 0] for axis in (1, 0))
            edges = torch.stack([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
            assert (edges - box[:4]).abs().max() <= tolerance
            num_compared += 1
    assert num_compared > 10


def _are_upright(names: list[str]) -> bool:
    """Whether a rectangle stays upright."""
    return not {"rotate", "shear", "perspective"} & set(names)


@pytest.mark.parametrize("kind", ["masks", "boxes"])
def test_evaluation_crops_the_margin_and_resizes(kind: str) -> None:
    """Without random changes, a place has the pixels of the network's input."""
    raw, masks, boxes = _rectangles(8)
    images, found = Augment(_spec(kind), size=80).plain(raw, masks if kind == "masks" else boxes)
    assert images.shape[2:] == (80, 80)
    if kind == "masks":
        assert found.shape == (8, 80, 80)
        assert ((images[:, 0] > 0.75) <= (found == 1)).all()
        assert ((images[:, 0] < 0.25) <= (found == 0)).all()
    else:
        left, top, right, bottom = (boxes[:, 1, :4] - MARGIN).unbind(1)
        expected = torch.stack([left / WIDTH, top / HEIGHT, right / WIDTH, bottom / HEIGHT], 1).clamp(0, 1) * 80
        torch.testing.assert_close(found[:, 1, :4], expected)


def test_pixels_beyond_the_edges_are_ignored_and_hidden_boxes_dropped() -> None:
    """A shift by more than the margin shows pixels that no mask knows; a box that has left the image is empty."""
    raw, masks, boxes = _rectangles(32, margin=0)
    steps: dict[str, Any] = {"shift": Shift(width=0.9, height=0.9)}
    torch.manual_seed(0)
    images, moved = Augment(_spec("masks", 0), padding="zero", **steps)(raw, masks)
    assert (moved == IGNORED).any()
    assert (images[:, 0][moved == IGNORED] == 0).all()
    torch.manual_seed(0)
    _, kept = Augment(_spec("boxes", 0), padding="zero", **steps)(raw, boxes)
    visible = (moved == 1).sum((1, 2)) / (masks == 1).sum((1, 2))
    torch.testing.assert_close(kept[:, 1, 4] == 1, visible >= 0.25)
    assert 5 < (visible == 0).sum() < 30


def test_photometric_steps_leave_places_alone() -> None:
    """Colours change, and the mask does not."""
    raw, masks, _ = _rectangles(4, margin=0)
    _, found = Augment(_spec("masks", 0), brightness=Brightness(change=0.5))(raw, masks)
    assert torch.equal(found, masks)


def test_what_would_part_a_place_from_its_image_is_refused() -> None:
    """Modules may move pixels, and mirrored objects have no boxes."""
    with pytest.raises(ValueError, match=r"augment\.mine: must be a step of firstlight with masks as targets"):
        Augment(_spec("masks"), mine=nn.Identity())
    with pytest.raises(ValueError, match=r"augment\.padding=mirror: must be border or zero with boxes"):
        Augment(_spec("boxes"), flip=Flip())
