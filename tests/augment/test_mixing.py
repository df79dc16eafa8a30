import pytest
import torch
from torch.nn import functional as F

from firstlight.augment import Cutmix, Mixup
from firstlight.augment.mixing import Mixing
from helpers.samples import assert_uniform

pytestmark = pytest.mark.usefixtures("the_same_draws")

CPU = torch.device("cpu")


def single_colour_images(num_samples: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images that are filled with their index, and one-hot targets with a class for each image."""
    colours = torch.arange(float(num_samples))
    return colours[:, None, None, None].expand(-1, 3, 12, 20).clone(), torch.eye(num_samples)


@pytest.mark.parametrize("step", [Mixup(alpha=1), Cutmix(), Mixup(alpha=0.2, p=0.5), Cutmix(alpha=0.5, p=0.5)])
def test_targets_contain_each_class_in_the_fraction_of_its_pixels(step: Mixing) -> None:
    images, classes = single_colour_images(200)
    mixed, targets = step.mix(images, classes)
    torch.testing.assert_close(targets.sum(1), torch.ones(200))
    assert targets.min() >= 0
    # An image's mean colour is the mean of its classes' colours, weighted by its targets.
    torch.testing.assert_close(mixed.mean((1, 2, 3)), targets @ torch.arange(200.0), atol=1e-2, rtol=1e-4)
    assert ((targets > 0).sum(1) <= 2).all()
    assert (targets.max(1).values < 1).any()


def test_mixup_blends_whole_images() -> None:
    mixed, _ = Mixup(alpha=1).mix(*single_colour_images(50))
    assert (mixed.flatten(1).std(1) < 1e-4).all()
    assert (mixed[:, 0, 0, 0].frac() > 0).sum() > 40


def test_cutmix_inserts_one_rectangle_of_another_image() -> None:
    mixed, targets = Cutmix(alpha=1).mix(*single_colour_images(300))
    for index, (image, target) in enumerate(zip(mixed, targets, strict=True)):
        foreign = image[0] != index
        assert torch.equal(image[0], image[1])
        assert foreign.any(1).sum() * foreign.any(0).sum() == foreign.sum()
        assert set(image.unique().tolist()) == set(target.nonzero()[:, 0].tolist())


def test_a_rectangle_has_the_aspect_ratio_of_the_image() -> None:
    mixed, _ = Cutmix(alpha=1).mix(*single_colour_images(300))
    foreign = mixed[:, 0] != torch.arange(300.0)[:, None, None]
    rows, columns = foreign.any(2).sum(1), foreign.any(1).sum(1)
    assert ((rows / 12 - columns / 20).abs() <= 0.5 / 12 + 0.5 / 20).all()


def test_areas_of_rectangles_follow_the_beta_distribution() -> None:
    _, targets = Cutmix(alpha=1).mix(*single_colour_images(2000))
    assert_uniform(1 - targets.diagonal(), 0, 1)


def test_partners_come_from_the_whole_batch() -> None:
    _, targets = Mixup(alpha=1).mix(*single_colour_images(200))
    partners = targets.fill_diagonal_(0).argmax(1)
    assert len(partners.unique()) > 190


def test_mixing_fractions_follow_the_beta_distribution() -> None:
    assert_uniform(Mixup(alpha=1).mixing_fractions(20_000, CPU), 0, 1)  # Beta(1, 1)
    fractions = Mixup(alpha=0.2).mixing_fractions(20_000, CPU)
    assert fractions.mean().item() == pytest.approx(0.5, abs=0.015)
    assert fractions.var().item() == pytest.approx(1 / (4 * (2 * 0.2 + 1)), abs=0.005)


@pytest.mark.parametrize("step", [Mixup(alpha=1, p=0.3), Cutmix(p=0.3)])
def test_a_fraction_p_of_the_samples_is_mixed_and_the_others_stay_equal(step: Mixing) -> None:
    assert (step.mixing_fractions(20_000, CPU) > 0).float().mean().item() == pytest.approx(0.3, abs=0.015)
    images, classes = single_colour_images(500)
    mixed, targets = step.mix(images, classes)
    alone = targets.diagonal() == 1
    assert alone.sum() > 300
    assert torch.equal(mixed[alone], images[alone])


@pytest.mark.parametrize("step", [Mixup(alpha=1), Cutmix()])
def test_the_loss_of_mixed_targets_is_the_weighted_sum_of_the_losses(step: Mixing) -> None:
    logits, classes = torch.randn(8, 5), torch.tensor([0, 1, 2, 3, 4, 0, 1, 2])
    _, targets = step.mix(torch.randn(8, 3, 12, 20), F.one_hot(classes, 5).float())
    of_each_class = torch.stack(
        [F.cross_entropy(logits, torch.full((8,), number), reduction="none") for number in range(5)], 1
    )
    torch.testing.assert_close(F.cross_entropy(logits, targets), (targets * of_each_class).sum(1).mean())


@pytest.mark.parametrize("step", [Mixup(), Cutmix()])
def test_a_batch_of_one_sample_is_unchanged(step: Mixing) -> None:
    mixed, targets = step.mix(torch.ones(1, 1, 4, 4), torch.tensor([[0.0, 1.0]]))
    assert torch.equal(mixed, torch.ones(1, 1, 4, 4))
    assert torch.equal(targets, torch.tensor([[0.0, 1.0]]))


@pytest.mark.parametrize("step", [Mixup, Cutmix])
def test_invalid_options_raise_an_error_with_their_names(step: type[Mixup]) -> None:
    with pytest.raises(ValueError, match=r"alpha=0: must be at least 0\.01"):
        step(alpha=0)
    with pytest.raises(ValueError, match="p=-1: must be at least 0 and at most 1"):
        step(p=-1)
