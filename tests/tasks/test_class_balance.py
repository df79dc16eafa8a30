from pathlib import Path

import pytest
import torch

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.data import BatchLoader, Split
from firstlight.tasks import Classification
from firstlight.tasks.build import build_task
from firstlight.tasks.class_balance import class_counts, class_weights, warnings
from firstlight.training.run import train
from helpers.samples import image_spec, noisy_images

SPEC = image_spec(1, 8, 8)
COUNTS = [40, 3, 10, 12, 10, 20, 5]
TARGETS = torch.arange(7).repeat_interleave(torch.tensor(COUNTS))


def split(indices: torch.Tensor | None = None) -> Split:
    return Split(noisy_images(len(TARGETS), 1, 8, 8), TARGETS, indices)


def classification(*words: str) -> Classification:
    task = build_task(RunConfig.from_overrides("model=linear", *words), SPEC)
    assert isinstance(task, Classification)
    return task


def test_only_the_samples_of_the_split_are_counted() -> None:
    assert class_counts(split(), 7).tolist() == COUNTS
    assert class_counts(split(torch.tensor([0, 1, 41, 99])), 8).tolist() == [2, 1, 0, 0, 0, 0, 1, 0]


def test_class_weights_give_every_class_the_same_total_weight() -> None:
    weights = class_weights(torch.tensor(COUNTS))
    torch.testing.assert_close(weights * torch.tensor(COUNTS), torch.full((7,), 100 / 7))
    assert torch.isfinite(class_weights(torch.tensor([3, 0]))).all()


def test_warnings_name_small_classes_and_classes_without_validation_samples() -> None:
    counts = torch.tensor(COUNTS)
    labels = tuple("abcdefg")
    assert warnings(labels, counts, counts) == ["classes with fewer than 10 training samples: b 3, g 5"]
    (many,) = warnings(labels, torch.tensor([40, 0, 0, 0, 0, 0, 0]), counts)
    assert many.endswith(": b 0, c 0, d 0, e 0, f 0 and 1 more")
    enough = torch.full((7,), 10)
    assert warnings(labels, enough, enough) == []
    assert warnings(labels, enough, torch.tensor([1, 0, 1, 1, 1, 1, 0])) == [
        "classes without validation samples: b, g; raise data.val_fraction"
    ]


def test_a_task_adapts_its_class_weights_to_the_training_split_only_if_balance_is_weights() -> None:
    part = split((TARGETS != 1).nonzero()[:, 0])
    balanced, plain = classification("task.balance=weights"), classification()
    assert (
        balanced.adapt_to(split(), part)
        == plain.adapt_to(split(), part)
        == warnings(SPEC.labels, class_counts(split(), 7), class_counts(part, 7))
    )
    assert balanced.class_weights is not None
    assert torch.equal(balanced.class_weights, class_weights(torch.tensor(COUNTS)))
    assert plain.class_weights is None
    assert [classification(f"task.balance={name}").balanced_sampling for name in ("weights", "sampler")] == [
        False,
        True,
    ]


@pytest.mark.parametrize("world_size", [1, 2])
def test_a_balanced_order_contains_every_class_equally_often(world_size: int) -> None:
    ranks = [
        BatchLoader(split(), 10, seed=3, balanced=True, rank=rank, world_size=world_size) for rank in range(world_size)
    ]
    for epoch in range(3):
        for loader in ranks:
            loader.set_epoch(epoch)
        seen = torch.cat([targets for loader in ranks for _, targets in loader])
        assert len(seen) == 100
        assert seen.bincount(minlength=7).tolist() == pytest.approx([100 / 7] * 7, abs=4)


def test_a_balanced_order_repeats_no_sample_of_a_large_class_and_contains_all_of_a_small_class() -> None:
    images = torch.arange(100)[:, None, None, None].expand(-1, 1, 8, 8).to(torch.uint8)
    loader = BatchLoader(Split(images, TARGETS), 100, seed=1, balanced=True)
    ((inputs, targets),) = loader
    large, small = (inputs[targets == label, 0, 0, 0] for label in (0, 1))
    assert len(large.unique()) == len(large)
    assert small.unique().tolist() == [40, 41, 42]


def test_a_balanced_order_follows_from_the_seed_and_the_epoch() -> None:
    def order(seed: int, epoch: int) -> torch.Tensor:
        loader = BatchLoader(split(), 100, seed=seed, balanced=True)
        loader.set_epoch(epoch)
        return next(iter(loader))[0]

    assert torch.equal(order(1, 0), order(1, 0))
    assert not torch.equal(order(1, 0), order(1, 1))
    assert not torch.equal(order(1, 0), order(2, 0))


@pytest.mark.parametrize("balance", ["weights", "sampler"])
def test_balancing_raises_the_recall_of_a_rare_class(balance: str, tmp_path: Path) -> None:
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
        "task=classification",
        "optimizer.lr=0.1",
        "trainer.max_epochs=20",
        "trainer.accelerator=cpu",
    )
    plain = train(compose(*words), run_dir=tmp_path / "plain")
    balanced = train(compose(*words, f"task.balance={balance}"), run_dir=tmp_path / "balanced")
    assert balanced["train/recall"] > plain["train/recall"] + 0.1
