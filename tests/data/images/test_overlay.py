import numpy as np
import torch
from PIL import Image

from firstlight.data.images.overlay import colour_of, draw_boxes, overlay_mask, with_places
from firstlight.spec import IGNORED, NO_OBJECT, DataSpec


def test_a_mask_colours_its_pixels_and_leaves_the_background() -> None:
    mask = torch.tensor([[0, 1], [2, IGNORED]], dtype=torch.uint8)
    found = np.asarray(overlay_mask(Image.new("L", (4, 4), 40), mask, 3, opacity=0.5)).astype(int)
    assert (found[:2, :2] == 40).all()
    for place, colour in (((0, 3), colour_of(1)), ((3, 0), colour_of(2)), ((3, 3), (128, 128, 128))):
        assert np.abs(found[place] - (40 + np.array(colour)) / 2).max() <= 1
    assert len({colour_of(number) for number in range(100)}) == 100


def test_boxes_are_lines_around_their_pixels_with_names() -> None:
    boxes = [(2, 30, 12, 40, 1), (0, 0, 0, 0, NO_OBJECT)]
    found = np.asarray(draw_boxes(Image.new("RGB", (100, 50)), boxes, ("cat", "dog"), [0.75, 0.0], factor=2))
    assert found.shape == (100, 200, 3)
    is_line = (found == colour_of(1)).all(2)
    assert is_line[60, 4:24].all()
    assert is_line[79, 4:24].all()
    assert is_line[60:80, [4, 23]].all()
    assert not found[61:79, 5:23].any()
    assert found[40:60, 24:60].any()  # the name and its probability
    assert not found[:, 100:].any()


def test_places_are_drawn_on_batches() -> None:
    spec = DataSpec((1, 8, 8), 2, ("background", "pet"), (0.5,), (0.5,), target_type="masks")
    masks = torch.zeros(2, 8, 8, dtype=torch.uint8)
    masks[1, 2:4] = 1
    found = with_places(torch.zeros(2, 1, 8, 8), masks, spec)
    assert found.shape == (2, 3, 8, 8)
    assert torch.equal(found.amax(1) > 0, masks == 1)
