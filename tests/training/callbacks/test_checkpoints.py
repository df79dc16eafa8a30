import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from omegaconf import OmegaConf

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.runs import RunFolder
from firstlight.runs.evaluate import evaluate
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


@pytest.mark.parametrize(
    ("mode", "values", "expected"),
    [
        ("min", [1.0, 0.96, 0.91, 0.89, 0.85, 0.84], [0, 1, 2, 0, 1, 2]),
        ("max", [0.5, 0.54, 0.58, 0.61, 0.62, 0.63], [0, 1, 2, 0, 1, 2]),
        ("min", [float("nan"), 1.0, float("nan"), 0.8, 0.95], [0, 0, 1, 0, 1]),
    ],
)
def test_small_improvements_do_not_count_for_patience_but_the_best_is_the_best(
    mode: str, values: list[float], expected: list[int], tmp_path: Path
) -> None:
    checkpoints = Checkpoints(RunFolder(tmp_path), "val/loss", mode, patience=3, min_delta=0.1)
    counts = []
    for number, value in enumerate(values, 1):
        learner: Any = SimpleNamespace(metrics={"val/loss": value})
        trainer = MagicMock(is_global_zero=False, lightning_module=torch.nn.Linear(1, 1))
        checkpoints.save(trainer, learner, number)
        counts.append(checkpoints.epochs_since_best)
        state = checkpoints.state_dict()  # a resumed run counts on
        checkpoints = Checkpoints(RunFolder(tmp_path), "val/loss", mode, patience=3, min_delta=0.1)
        checkpoints.load_state_dict(state)
    assert counts == expected
    assert checkpoints.best["val/loss"] == (0.8 if len(values) == 5 else values[-1])


def test_a_run_that_stops_early_tests_its_best_weights_and_not_its_last_ones(tmp_path: Path) -> None:
    worse = ["optimizer=sgd", "optimizer.lr=30", "scheduler=constant", "patience=2", "trainer.max_epochs=9"]
    metrics = train(compose(*TINY, *worse, "min_delta=0.01"), run_dir=tmp_path / "run")
    losses = [float(row["val/loss"]) for row in history(tmp_path / "run")]
    assert len(losses) < 9
    assert metrics["val/loss"] == min(losses) < losses[-1]
    tested = {name: evaluate(tmp_path / "run", checkpoint=name)["test/loss"] for name in ("best", "last")}
    assert metrics["test/loss"] == pytest.approx(tested["best"], rel=1e-5)
    assert metrics["test/loss"] != pytest.approx(tested["last"], rel=1e-5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["min_delta=-1", "patience=2"], "min_delta=-1: must be at least 0"),
        (["min_delta=0.1"], r"min_delta=0\.1: must be 0 without patience"),
    ],
)
def test_an_invalid_min_delta_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RunConfig.from_overrides(*words)


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
