import pytest
import torch
from torch.nn import functional as F

from firstlight.spec import IGNORED
from firstlight.tasks.segmentation.losses import LOSSES, Loss

WEIGHTS = torch.tensor([1.0, 3.0, 0.5])


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits (2, 3, 4, 5) and masks, a quarter of whose pixels is ignored."""
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, generator=random, requires_grad=True)
    masks = torch.randint(0, 3, (2, 4, 5), generator=random)
    return logits, masks.masked_fill(torch.rand(2, 4, 5, generator=random) < 0.25, IGNORED)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_cross_entropy_is_that_of_torch_without_the_ignored_pixels(weights: torch.Tensor | None) -> None:
    logits, masks = batch()
    expected = F.cross_entropy(logits, masks, weights, ignore_index=IGNORED)
    torch.testing.assert_close(Loss("cross_entropy", 2.0)(logits, masks, weights), expected)
    torch.testing.assert_close(Loss("focal", 0.0)(logits, masks, weights), expected)


def test_focal_loss_and_dice_are_those_of_the_papers() -> None:
    logits, masks = batch()
    p = logits.softmax(1).movedim(1, 3)[masks != IGNORED]  # (pixels, classes)
    true = masks[masks != IGNORED]
    of_class = p[torch.arange(len(true)), true]
    focal = -(((1 - of_class) ** 3) * of_class.log()).mean()
    torch.testing.assert_close(Loss("focal", 3.0)(logits, masks), focal)
    one_hot = F.one_hot(true, 3)
    coefficients = (2 * (p * one_hot).sum(0) + 1) / ((p + one_hot).sum(0) + 1)
    torch.testing.assert_close(Loss("dice", 2.0)(logits, masks), 1 - coefficients.mean())
    weighted = 1 - (coefficients * WEIGHTS).sum() / WEIGHTS.sum()
    torch.testing.assert_close(Loss("dice", 2.0)(logits, masks, WEIGHTS), weighted)


def test_a_sum_of_losses_is_their_sum() -> None:
    logits, masks = batch()
    parts = [Loss(name, 2.0)(logits, masks) for name in ("cross_entropy", "dice")]
    torch.testing.assert_close(Loss("cross_entropy + dice", 2.0)(logits, masks), sum(parts))


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("name", LOSSES)
def test_ignored_pixels_have_no_gradient(name: str, weights: torch.Tensor | None) -> None:
    logits, masks = batch()
    Loss(name, 2.0)(logits, masks, weights).backward()
    assert logits.grad is not None
    moved = logits.grad.abs().sum(1) > 0
    assert torch.equal(moved, masks != IGNORED)
    nothing = Loss(name, 2.0)(logits.detach(), torch.full_like(masks, IGNORED), weights)
    assert float(nothing) == 0.0


def test_an_unknown_loss_is_named() -> None:
    with pytest.raises(ValueError, match="loss=dise: unknown loss, did you mean 'dice'"):
        Loss("cross_entropy+dise", 2.0)
