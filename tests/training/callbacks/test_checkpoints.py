import json
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from firstlight.config.compose import compose
from firstlight.runs import RunFolder
from firstlight.training.callbacks import Checkpoints
from firstlight.training.callbacks.checkpoints import AtomicCheckpointIO
from firstlight.training.run import resume, train
from helpers.runs import TINY, history


def test_the_best_epoch_has_the_best_monitored_metric(trained_run: Path) -> None:
    metrics = json.loads((trained_run / "metrics.json").read_text())
    best = min(history(trained_run), key=lambda row: float(row["val/loss"]))
    assert metrics["epoch"] == int(best["epoch"])
    assert metrics["val/loss"] == float(best["val/loss"])


def test_a_checkpoint_holds_its_config_and_spec_as_plain_values(trained_run: Path) -> None:
    checkpoint = torch.load(trained_run / "checkpoints" / "best.ckpt", weights_only=True)
    assert checkpoint["config"] == OmegaConf.to_container(OmegaConf.load(trained_run / "config.yaml"))
    assert checkpoint["spec"] == json.loads((trained_run / "spec.json").read_text())


def test_a_run_stops_after_patience_epochs_without_improvement(tmp_path: Path) -> None:
    no_learning = ["optimizer=sgd", "optimizer.lr=0.0", "scheduler=constant"]
    train(compose(*TINY, *no_learning, "patience=2", "trainer.max_epochs=9"), run_dir=tmp_path / "run")
    assert len(history(tmp_path / "run")) == 3


def test_a_patience_below_1_raises_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="patience=0: must be at least 1"):
        Checkpoints(RunFolder(tmp_path), "val/loss", "min", patience=0)


def test_a_run_that_diverges_stops_and_cannot_be_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    diverging = ["optimizer=sgd", "optimizer.lr=1e30", "trainer.max_epochs=9"]
    metrics = train(compose(*TINY, *diverging), run_dir=tmp_path / "run")
    assert not history(tmp_path / "run")
    assert "val/loss" not in metrics
    assert metrics["status"] == "diverged"
    assert "try a smaller optimizer.lr" in capsys.readouterr().out
    with pytest.raises(ValueError, match="this one has diverged"):
        resume(tmp_path / "run")


def test_a_checkpoint_is_deleted_only_where_its_path_leads_straight_down(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    inside, outside = tmp_path / "run" / "old.ckpt", tmp_path / "precious.ckpt"
    inside.touch()
    outside.touch()
    plugin = AtomicCheckpointIO()
    for path in (f"{tmp_path}/run/../precious.ckpt", f"local://{outside}", inside):
        plugin.remove_checkpoint(path)
    assert outside.exists()
    assert not inside.exists()
