from pathlib import Path
from typing import Any

import pytest
import torch

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.networks import CNN, ViT
from firstlight.runs import RunFolder
from firstlight.runs.load import load_task
from firstlight.tasks import Masked
from firstlight.tasks.build import build_task
from firstlight.training.run import train
from helpers.small import IMAGES, TOKENS, augment, images, metrics_of, train_on


def masked(**options: Any) -> Masked:
    torch.manual_seed(0)
    network = ViT(IMAGES, embedding_dim=16, num_layers=1, num_heads=2)  # 4x4 patches of 2x2 pixels
    return Masked(IMAGES, network, augment(IMAGES), decoder_dim=16, decoder_layers=1, decoder_heads=2, **options)


@pytest.mark.parametrize(("ratio", "visible"), [(0.75, 4), (0.5, 8), (0.01, 15), (0.999, 1)])
def test_the_ratio_decides_how_many_patches_are_hidden(ratio: float, visible: int) -> None:
    task = masked(mask_ratio=ratio).train()
    seen, hidden = task.places(5)
    assert seen.shape == (5, visible)
    assert torch.equal(torch.cat([seen, hidden], 1).sort(1).values, torch.arange(16).expand(5, 16))
    assert not torch.equal(seen, task.places(5)[0])
    assert torch.equal(task.eval().places(5)[0], task.places(5)[0])


@pytest.mark.parametrize("normalise", [False, True])
def test_the_loss_counts_hidden_patches_alone(normalise: bool) -> None:
    task, batch = masked(normalise=normalise).eval(), images(6)
    patches = task.network.patches(task.preprocess(batch[0]))
    targets = patches
    if normalise:
        targets = (patches - patches.mean(2, keepdim=True)) / (patches.var(2, keepdim=True) + 1e-6).sqrt()
    visible, hidden = task.places(6)
    with torch.no_grad():
        errors = (task.reconstruct(patches, visible) - targets).square().mean(2)
    expected = errors.gather(1, hidden).mean()
    assert metrics_of(task, batch)["loss"] == pytest.approx(float(expected), rel=1e-5)
    assert float(expected) != pytest.approx(float(errors.mean()), rel=1e-3)


def test_nothing_of_a_hidden_patch_reaches_the_encoder() -> None:
    task, (raw, _) = masked().eval(), images(3)
    patches = task.network.patches(task.preprocess(raw))
    visible, hidden = task.places(3)
    changed = patches.scatter(1, hidden[..., None].expand(-1, -1, 4), 9.0)
    with torch.no_grad():
        assert torch.equal(task.reconstruct(changed, visible), task.reconstruct(patches, visible))


def test_it_learns_to_reconstruct() -> None:
    task, batch = masked(normalise=False, mask_ratio=0.5), images(4)
    before = metrics_of(task, batch)["loss"]
    train_on(task, batch, steps=30, lr=1e-2)
    assert metrics_of(task, batch)["loss"] < 0.9 * before


def test_examples_are_the_masked_the_reconstructed_and_the_complete_image() -> None:
    task, (raw, _) = masked(mask_ratio=0.5).eval(), images(2)
    shown = task.example_output(raw).view(2, 3, 1, 8, 8)
    pixels = raw / 255
    assert torch.allclose(shown[:, 2], pixels, atol=1e-5)
    is_visible = (shown[:, 0] - pixels).abs() < 1e-5
    assert float(is_visible.float().mean()) == pytest.approx(0.5, abs=0.02)
    assert torch.allclose(shown[:, 1][is_visible], pixels[is_visible], atol=1e-5)
    assert set(shown[:, 0][~is_visible].unique().tolist()) == {0.5}


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="must have a vision transformer, model=vit; CNN is none"):
        Masked(IMAGES, CNN(IMAGES), augment(IMAGES))
    with pytest.raises(ValueError, match="task=masked: must be another task, because the data holds tokens"):
        Masked(TOKENS, ViT(IMAGES), augment(TOKENS))
    with pytest.raises(
        ValueError, match=r"must have images of several patches. To fix: set a smaller model.patch_size"
    ):
        Masked(IMAGES, ViT(IMAGES, patch_size=8), augment(IMAGES))
    with pytest.raises(ValueError, match="mask_ratio=1: must be above 0 and below 1"):
        masked(mask_ratio=1)
    with pytest.raises(ValueError, match="decoder_embedding_dim=6: must be a multiple of 4"):
        Masked(IMAGES, ViT(IMAGES), augment(IMAGES), decoder_dim=6)


def run(path: Path, *words: str) -> RunFolder:
    """Train for one epoch, quickly."""
    quick = "trainer.max_epochs=1", "trainer.accelerator=cpu", "figures=false", "logger=none"
    train(compose(*words, *quick), run_dir=path)
    return RunFolder.open(path)


def test_the_encoder_of_a_run_starts_a_classifier(tmp_path: Path) -> None:
    words = ("data=digits", "model=vit", "model.embedding_dim=16", "model.num_layers=1", "data.train_fraction=0.2")
    folder = run(tmp_path / "masked", *words, "task=masked", "task.decoder_layers=1")
    assert {"test/loss", "test/knn_accuracy", "test/probe_accuracy"} <= set(folder.metrics())
    start = RunConfig.from_overrides(*words, f"model.weights={folder.path}", "model.freeze=backbone")
    encoder, classifier = load_task(folder.path).network, build_task(start, folder.spec()).network
    assert torch.equal(classifier.embedding.weight, encoder.embedding.weight)
    assert classifier.output.weight.shape == (10, 16)
