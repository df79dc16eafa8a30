import pytest
import torch

from firstlight.tasks.objects.geometry import giou, giou_loss, iou, smooth_l1_loss

# One box and another; intersection, union and the smallest box around both, computed by hand.
PAIRS = {
    "equal": ((0, 0, 2, 3), (0, 0, 2, 3), 6, 6, 6),
    "overlapping": ((0, 0, 2, 2), (1, 1, 4, 3), 1, 9, 12),
    "inside": ((0, 0, 4, 4), (1, 1, 2, 3), 2, 16, 16),
    "touching": ((0, 0, 1, 1), (1, 0, 3, 1), 0, 3, 3),
    "apart": ((0, 0, 1, 1), (3, 2, 4, 4), 0, 3, 16),
}


@pytest.mark.parametrize("name", PAIRS)
def test_iou_and_giou_equal_hand_computed_values(name: str) -> None:
    *boxes, intersection, union, around = PAIRS[name]
    one, other = (torch.tensor(box, dtype=torch.float32) for box in boxes)
    expected = intersection / union - (around - union) / around
    for pair in ((one, other), (other, one)):
        assert iou(*pair).item() == pytest.approx(intersection / union)
        assert giou(*pair).item() == pytest.approx(expected, abs=1e-6)
        assert giou_loss(*pair).item() == pytest.approx(1 - expected, abs=1e-6)


def test_giou_moves_a_box_towards_one_that_it_does_not_touch() -> None:
    box, goal = torch.tensor([0.0, 0, 1, 1], requires_grad=True), torch.tensor([3.0, 0, 4, 1])
    giou_loss(box, goal).backward()
    assert box.grad is not None
    assert box.grad[2] < 0  # its right edge moves to the right


def test_crossed_edges_have_no_area_and_no_nan() -> None:
    crossed, box = torch.tensor([[2.0, 2, 1, 1]], requires_grad=True), torch.tensor([[0.0, 0, 3, 3]])
    assert iou(crossed, box).item() == 0
    giou_loss(crossed, torch.zeros(1, 4)).sum().backward()
    assert crossed.grad is not None
    assert crossed.grad.isfinite().all()


def test_smooth_l1_is_quadratic_up_to_a_tenth_of_the_image() -> None:
    found = smooth_l1_loss(torch.tensor([[0.05, 0.5, 0.0, 0.0]]), torch.zeros(1, 4))
    assert found.item() == pytest.approx(0.5 * 0.05**2 / 0.1 + 0.5 - 0.05)
