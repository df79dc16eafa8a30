import logging
from pathlib import Path

import pytest
import torch

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.data import BatchLoader, Split
from firstlight.tasks import Task
from firstlight.tasks.build import build_task
from firstlight.tasks.class_balance import class_counts, heed_class_sizes
from firstlight.training.run import train
from helpers.samples import image_spec, noisy_images

SPEC = image_spec(1, 8, 8)
COUNTS = [40, 3, 10, 12, 10, 20, 5]
TARGETS = torch.arange(7).repeat_interleave(torch.tensor(COUNTS))


def split(indices: torch.Tensor | None = None) -> Split:
    return Split(noisy_images(len(TARGETS), 1, 8, 8), TARGETS, indices)


def task(*words: str) -> Task:
    return build_task(RunConfig.from_overrides("model=linear", *words), SPEC)


def test_classes_are_counted_in_the_part_that_is_trained_on() -> None:
    assert class_counts(split(), 7).tolist() == COUNTS
    assert class_counts(split(torch.tensor([0, 1, 41, 99])), 8).tolist() == [2, 1, 0, 0, 0, 0, 1, 0]


def test_weights_make_every_class_count_alike() -> None:
    balanced = task("task.balance=weights")
    heed_class_sizes(balanced, split(), split())
    weights = balanced.class_weights
    assert torch.allclose(weights * torch.tensor(COUNTS), torch.full((7,), 100 / 7))
    plain = task()
    heed_class_sizes(plain, split(), split())
    assert plain.class_weights is None


def test_small_classes_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "firstlight"):
        heed_class_sizes(task(), split(), split())
    assert [record.getMessage() for record in caplog.records] == ["few samples to train on (below 10): b 3, g 5"]
    caplog.clear()
    heed_class_sizes(task(), split((TARGETS == 0).nonzero()[:, 0]), split())
    assert "b 0, c 0, d 0, e 0, f 0 and 1 more" in caplog.text
    caplog.clear()
    balanced = Split(noisy_images(70, 1, 8, 8), torch.arange(70) % 7)
    heed_class_sizes(task(), balanced, balanced)
    assert not caplog.records
    heed_class_sizes(task(), balanced, split((TARGETS != 1).nonzero()[:, 0]))
    assert "none to validate with: b; data.val_fraction=" in caplog.text


@pytest.mark.parametrize("world_size", [1, 2])
def test_a_balanced_order_has_every_class_equally_often(world_size: int) -> None:
    ranks = [
        BatchLoader(split(), 10, seed=3, balanced=True, rank=rank, world_size=world_size) for rank in range(world_size)
    ]
    for epoch in range(3):
        for loader in ranks:
            loader.set_epoch(epoch)
        seen = torch.cat([targets for loader in ranks for _, targets in loader])
        assert len(seen) == 100
        assert seen.bincount(minlength=7).tolist() == pytest.approx([100 / 7] * 7, abs=4)


def test_a_frequent_class_is_not_repeated_and_a_rare_one_is_shown_whole() -> None:
    images = torch.arange(100)[:, None, None, None].expand(-1, 1, 8, 8).to(torch.uint8)
    loader = BatchLoader(Split(images, TARGETS), 100, seed=1, balanced=True)
    ((inputs, targets),) = loader
    frequent, rare = (inputs[targets == label, 0, 0, 0] for label in (0, 1))
    assert len(frequent.unique()) == len(frequent)
    assert rare.unique().tolist() == [40, 41, 42]


def test_the_order_follows_from_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> torch.Tensor:
        loader = BatchLoader(split(), 100, seed=seed, balanced=True)
        loader.set_epoch(epoch)
        return next(iter(loader))[0]

    assert torch.equal(order(1, 0), order(1, 0))
    assert not torch.equal(order(1, 0), order(1, 1))
    assert not torch.equal(order(1, 0), order(2, 0))


@pytest.mark.parametrize("balance", ["weights", "sampler"])
def test_a_run_finds_the_rare_class(balance: str, tmp_path: Path) -> None:
    shades = torch.tensor([100.0, 115.0]).repeat_interleave(torch.tensor([190, 10]))
    random = torch.Generator().manual_seed(0)
    table = torch.stack([shades + 10 * torch.randn(200, generator=random), shades], 1)
    rows = "\n".join(f"{value:.3f},{'rare' if shade > 110 else 'common'}" for value, shade in table.tolist())
    (tmp_path / "table.csv").write_text(f"shade,kind\n{rows}\n")
    words = (
        "data=table",
        f"data.file={tmp_path / 'table.csv'}",
        "data.target=kind",
        "data.classes=true",
        "model=linear",
        "optimizer.lr=0.1",
    )
    words += ("task=classification", "trainer.max_epochs=20", "trainer.accelerator=cpu")
    plain = train(compose(*words), run_dir=tmp_path / "plain")
    balanced = train(compose(*words, f"task.balance={balance}"), run_dir=tmp_path / "balanced")
    assert balanced["train/recall"] > plain["train/recall"] + 0.1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["task.balance=wieghts"], r"balance=wieghts: there is none such\. did you mean 'weights'\?"),
        (["task.balance=weights", "task.class_weights=[1,1,1,1,1,1,2]"], "class_weights say already"),
    ],
)
def test_what_has_no_meaning_is_refused(words: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        task(*words)
