"""Each optimizer, scheduler and average of configs/ trains the CNN on digits with its shipped defaults."""

import itertools
from pathlib import Path

import pytest

from firstlight.config import CONFIG_DIR
from firstlight.config.compose import compose
from firstlight.training.run import train

DEFAULTS = ("scheduler=onecycle", "averaging=none")  # every optimizer runs with them
NAMED = {
    group: [
        word for path in sorted((CONFIG_DIR / group).glob("*.yaml")) if (word := f"{group}={path.stem}") not in DEFAULTS
    ]
    for group in ("optimizer", "scheduler", "averaging")
}
WORDS = [[word] for word in NAMED["optimizer"]]
WORDS += [[word for word in pair if word] for pair in itertools.zip_longest(NAMED["scheduler"], NAMED["averaging"])]


def accuracy(folder: Path, *words: str) -> float:
    return float(train(compose("model=cnn", "trainer.accelerator=cpu", *words), run_dir=folder)["test/accuracy"])


@pytest.mark.slow
@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_the_shipped_defaults_reach_an_accuracy_of_0_95(words: list[str], tmp_path: Path) -> None:
    assert accuracy(tmp_path / "run", *words) > 0.95


def test_two_epochs_reach_an_accuracy_of_0_9(tmp_path: Path) -> None:
    assert accuracy(tmp_path / "run", "trainer.max_epochs=2", "optimizer=nesterov", "averaging=ema") > 0.9


def test_a_batch_of_all_samples_is_a_step_of_each_epoch(tmp_path: Path) -> None:
    words = ("model=linear", "data.batch_size=all", "trainer.max_epochs=3", "optimizer=gradient_descent")
    train(compose(*words, "trainer.accelerator=cpu"), run_dir=tmp_path / "run")
    rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    column = rows[0].split(",").index("step")
    assert [row.split(",")[column] for row in rows[1:]] == ["1", "2", "3"]
