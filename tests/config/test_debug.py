"""The options of debug=, each with a run on a linear network."""

import json
from pathlib import Path

import pytest

from firstlight.config.compose import compose
from firstlight.training.run import train
from helpers.runs import history

LINEAR = "model=linear"


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def run(*words: str) -> Path:
    metrics = train(compose(LINEAR, *words))
    assert metrics["status"] == "completed"
    return Path(metrics["run_dir"])


def test_a_fast_run_has_one_batch_of_each_split_and_can_be_evaluated() -> None:
    folder = run("debug=fdr")
    assert folder.parent.parent == Path.cwd() / "outputs" / "debug"
    assert [row["step"] for row in history(folder)] == ["1"]
    assert "test/accuracy" in json.loads((folder / "metrics.json").read_text())
    assert (folder / "checkpoints" / "best.ckpt").is_file()
    assert not (folder / "tensorboard").exists()


def test_limits_overfitting_and_the_profiler() -> None:
    assert [row["step"] for row in history(run("debug=limit"))] == ["4", "8", "12"]
    rows = history(run("debug=overfit"))
    assert rows[-1]["step"] == "60"
    assert float(rows[-1]["train/loss"]) < 0.7 * float(rows[0]["train/loss"])
    assert "FIT Profiler Report" in (run("debug=profiler") / "profile.txt").read_text()


def test_words_win_over_debug_and_debug_over_an_experiment() -> None:
    config = compose("debug=overfit", "experiment=mnist_lenet", "trainer.devices=2", "output_dir=elsewhere")
    assert (config.trainer.max_epochs, config.trainer.overfit_batches, config.trainer.devices) == (20, 3, 2)
    assert (config.output_dir, config.trainer.detect_anomaly) == ("elsewhere", True)
    assert compose("debug=default").trainer.accelerator == "cpu"
