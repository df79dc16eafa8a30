import math

import pytest
import torch

from firstlight.spec import NO_OBJECT
from firstlight.tasks.objects.matching import Matched, around, detection_losses, focal_loss, match

# Places 4 pixels apart in an image of 8 x 8 pixels, and one place for the whole image.
POINTS = torch.tensor([[2.0, 2], [6, 2], [2, 6], [6, 6], [4, 4]])
STRIDES = torch.tensor([4.0, 4, 4, 4, 8])
REACH = torch.tensor([[0.0, 5]] * 4 + [[3, math.inf]])
EMPTY = [0.0, 0, 0, 0, NO_OBJECT]


def matched(*boxes: list[float], radius: float = math.inf) -> Matched:
    return match(POINTS, STRIDES, REACH, torch.tensor([boxes]), radius)


def test_a_place_predicts_the_smallest_object_that_contains_it() -> None:
    found = matched([0, 0, 7, 4, 0], EMPTY, [0, 1, 4, 4, 1])
    assert found.classes.tolist() == [[1, NO_OBJECT, NO_OBJECT, NO_OBJECT, NO_OBJECT]]  # (6, 2) is 6 from the left edge
    assert found.edges[0, 0].tolist() == [0, 1, 4, 4]
    # Distances 2, 1, 2, 2 from (2, 2): sqrt(2/2 * 1/2).
    assert found.centred[0].tolist() == pytest.approx([math.sqrt(0.5), 0, 0, 0, 0])


def test_large_objects_belong_to_the_level_with_their_reach() -> None:
    found = matched([0, 0, 8, 8, 1])
    assert found.classes.tolist() == [[NO_OBJECT] * 4 + [1]]
    assert found.centred[0, 4] == 1


def test_places_far_from_the_centre_predict_nothing() -> None:
    box = [1.0, 1, 7, 5, 0]  # centre (4, 3); (2, 2) and (6, 2) are 2 pixels away, half a stride
    assert matched(box).classes[0].tolist() == [0, 0, NO_OBJECT, NO_OBJECT, NO_OBJECT]
    assert matched(box, radius=0.4).classes[0].tolist() == [NO_OBJECT] * 5


def test_an_image_without_objects_is_background() -> None:
    found = matched(EMPTY, EMPTY)
    assert (found.classes == NO_OBJECT).all()
    assert not found.centred.any()
    losses = detection_losses(torch.zeros(1, 5, 2), torch.zeros(1, 5, 4), torch.zeros(1, 5), found, 0.25, 2.0)
    # Ten logits at the probability 0.5: 0.75 * 0.25 * log(2) each.
    assert losses["class_loss"].item() == pytest.approx(10 * 0.75 * 0.25 * math.log(2))
    assert losses["box_loss"] == losses["centre_loss"] == 0


def test_distances_and_edges_are_inverse() -> None:
    assert around(torch.tensor([2.0, 3]), torch.tensor([1.0, 2, 3, 4])).tolist() == [1, 1, 5, 7]


def test_the_focal_loss_equals_hand_computed_values() -> None:
    found = focal_loss(torch.tensor([math.log(3), math.log(3)]), torch.tensor([1.0, 0.0]), alpha=0.25, gamma=2)
    expected = [0.25 * 0.25**2 * -math.log(0.75), 0.75 * 0.75**2 * -math.log(0.25)]
    assert found.tolist() == pytest.approx(expected)


def test_perfect_places_have_almost_no_loss() -> None:
    found = matched([0, 0, 4, 4, 1], [4, 4, 8, 8, 0])
    logits = torch.full((1, 5, 2), -20.0)
    logits[0, 0, 1] = logits[0, 3, 0] = 20
    losses = detection_losses(logits, found.edges, torch.full((1, 5), 20.0), found, 0.25, 2.0)
    assert all(loss.item() == pytest.approx(0, abs=1e-6) for loss in losses.values())
