"""Each optimizer, scheduler and average of configs/ trains the CNN on digits with its shipped defaults."""

from pathlib import Path

import pytest

from firstlight.config import CONFIG_DIR
from firstlight.config.compose import compose
from firstlight.training.run import train

WORDS = [
    f"{group}={path.stem}"
    for group in ("optimizer", "scheduler", "averaging")
    for path in sorted((CONFIG_DIR / group).glob("*.yaml"))
]


def accuracy(folder: Path, *words: str) -> float:
    return float(train(compose("model=cnn", "trainer.accelerator=cpu", *words), run_dir=folder)["test/accuracy"])


@pytest.mark.slow
@pytest.mark.parametrize("word", WORDS)
def test_the_shipped_defaults_reach_an_accuracy_of_0_95(word: str, tmp_path: Path) -> None:
    assert accuracy(tmp_path / "run", word) > 0.95


@pytest.mark.parametrize("word", ["optimizer=nesterov", "averaging=ema"])
def test_two_epochs_reach_an_accuracy_of_0_9(word: str, tmp_path: Path) -> None:
    assert accuracy(tmp_path / "run", "trainer.max_epochs=2", word) > 0.9


def test_a_batch_of_all_samples_is_a_step_of_each_epoch(tmp_path: Path) -> None:
    words = ("model=linear", "data.batch_size=all", "trainer.max_epochs=3", "optimizer=gradient_descent")
    train(compose(*words, "trainer.accelerator=cpu"), run_dir=tmp_path / "run")
    rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    column = rows[0].split(",").index("step")
    assert [row.split(",")[column] for row in rows[1:]] == ["1", "2", "3"]
