from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.data import Split
from firstlight.runs.evaluate import evaluate
from firstlight.tasks import Task
from firstlight.tasks.build import build_source, build_task
from firstlight.training import features
from firstlight.training.features import cached_features
from firstlight.training.run import train
from firstlight.training.trainer import build_trainer
from firstlight.transfer.head import head_removed
from helpers.generate import write_classes
from helpers.runs import history

FROZEN = (
    "model=cnn",
    "model.filters=[4,8]",
    "model.freeze=backbone",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=2",
)
VIEWS = (*FROZEN, "augment=light", "augment.views=3")


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of samples in each batch that has passed a backbone."""
    counted: list[int] = []
    of_batch = features._of_batch

    def count(task: Task, inputs: torch.Tensor, bar: Any) -> np.ndarray:
        counted.append(len(inputs))
        return of_batch(task, inputs, bar)

    monkeypatch.setattr(features, "_of_batch", count)
    return counted


@pytest.fixture
def images(tmp_path: Path) -> str:
    write_classes(tmp_path / "images", 12)
    return f"data.dir={tmp_path / 'images'}"


def compute(*words: str) -> tuple[Task, dict[str, Split], dict[str, Split]]:
    """Return the task, its splits, and the splits of features."""
    config = RunConfig.from_overrides(*words)
    source = build_source(config)
    store, splits = source.splits(config.seed)
    task = build_task(config, store.spec)
    trainer = build_trainer(config, task)
    return task, splits, cached_features(task, store, splits, trainer, config, source.cache_dir)


def test_the_head_applied_to_the_features_gives_the_outputs_of_the_network(passes: list[int]) -> None:
    task, splits, found = compute(*FROZEN, "model.filters=[4,7]")
    assert sum(passes) == 1797
    assert task.reads_features
    for name, split in splits.items():
        samples = torch.arange(20)
        raw, targets = split.take(samples)
        of_split, same_targets = found[name].take(samples)
        assert torch.equal(targets, same_targets)
        with torch.inference_mode():
            outputs = task.network(task.preprocess(raw))
            assert torch.allclose(task.freezing.head(of_split), outputs, atol=1e-5)


def test_the_views_are_the_sample_and_different_augmentations_of_it() -> None:
    task, splits, found = compute(*VIEWS)
    views, _ = found["train"].take(torch.arange(len(splits["train"])))
    assert views.shape[:2] == (len(splits["train"]), 4)
    raw, _ = splits["train"].take(torch.arange(len(splits["train"])))
    with torch.inference_mode(), head_removed(task.network, task.freezing.head_name):
        assert torch.allclose(views[:, 0], task.network(task.preprocess(raw)), atol=1e-5)
    for view in range(1, 4):
        for other in range(view):
            assert not torch.isclose(views[:, view], views[:, other]).all(1).any()  # all views differ
    near = (views[:, 1:] - views[:, :1]).norm(dim=2).mean()
    far = (views[:, :1] - views[torch.randperm(len(views)), :1]).norm(dim=2).mean()
    assert near < far  # views are similar to their sample
    for name in ("val", "test"):
        assert found[name].inputs.ndim == 2  # no views


def test_training_draws_every_view_equally_often() -> None:
    task, _, found = compute(*VIEWS)
    assert task.training
    batch = found["train"].take(torch.arange(100))
    drawn = [task.prepared(batch)[0] for _ in range(20)]
    chosen = torch.stack([(inputs[:, None] == batch[0]).all(2).int().argmax(1) for inputs in drawn])
    assert all((inputs[:, None] == batch[0]).all(2).any(1).all() for inputs in drawn)
    fractions = chosen.flatten().bincount(minlength=4) / chosen.numel()
    assert fractions.numpy() == pytest.approx(0.25, abs=0.05)


def test_features_are_computed_once_for_all_epochs_and_runs_until_something_they_depend_on_changes(
    passes: list[int], images: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data=folder", images, *FROZEN]

    def computed(*more: str) -> int:
        passes.clear()
        train(compose(*words, *more), run_dir=tmp_path / f"run{len(list(tmp_path.iterdir()))}")
        return sum(passes)

    assert computed() == 24
    assert "from the cache" not in capsys.readouterr().out
    assert computed("optimizer.lr=1e-3", "trainer.max_epochs=3", "task.label_smoothing=0.1") == 0
    assert "features of 24 samples: from the cache" in capsys.readouterr().out
    assert computed("seed=2") == 24  # other weights
    assert computed("data.image_size=32") == 24
    assert computed("augment.size=48") == 24
    assert computed("augment=light", "augment.views=2") == 2 * 24
    assert computed("augment=light", "augment.views=3") == 3 * 24
    assert computed("augment=light", "augment.views=3", "augment.rotate.degrees=20") == 3 * 24
    assert computed("augment=light", "augment.views=3") == 0
    (tmp_path / "images" / "cat" / "00.jpg").write_bytes((tmp_path / "images" / "dog" / "00.jpg").read_bytes())
    assert computed() == 24


def test_a_run_on_features_equals_a_run_on_images(images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("data=folder", images, *FROZEN)
    on_features = train(compose(*words), run_dir=tmp_path / "features")
    monkeypatch.setattr(
        "firstlight.training.trainees.task_trainee.cached_features", lambda task, store, splits, *rest: splits
    )
    train(compose(*words), run_dir=tmp_path / "images-run")
    for one, other in zip(history(tmp_path / "features"), history(tmp_path / "images-run"), strict=True):
        assert float(one["train/loss"]) == pytest.approx(float(other["train/loss"]), rel=1e-3)
    again = evaluate(tmp_path / "features", accelerator="cpu")
    assert again["test/loss"] == pytest.approx(on_features["test/loss"], rel=1e-4)


@pytest.mark.parametrize(
    "more",
    [("augment=light",), ("model.unfreeze_at_epoch=2",), ("model.freeze=null", "model.lr_decay=0.5")],
)
def test_no_features_are_computed_if_the_samples_or_the_backbone_change_during_training(
    more: tuple[str, ...], passes: list[int]
) -> None:
    task, splits, found = compute(*FROZEN, *more)
    assert (found, passes, task.reads_features) == (splits, [], False)


def test_an_interrupted_computation_leaves_no_features_behind(
    monkeypatch: pytest.MonkeyPatch, images: str, tmp_path: Path
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(features, "_of_batch", stop)
    with pytest.raises(KeyboardInterrupt):
        train(compose("data=folder", images, *FROZEN), run_dir=tmp_path / "run")
    assert not list((tmp_path / "images" / ".firstlight").glob("*features*/*"))
