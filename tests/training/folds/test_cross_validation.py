import contextlib
import io
import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Trainer

from firstlight.config.compose import compose
from firstlight.runs import RunFolder
from firstlight.runs.evaluate import evaluate
from firstlight.training.callbacks import Checkpoints
from firstlight.training.front_door import sweep
from firstlight.training.module import TrainingModule
from firstlight.training.run import resume, train
from helpers.runs import TINY, history, same_weights

WORDS = [*TINY, "kfold=4"]


def stop_in_fold(fold: int, run_dir: Path) -> None:
    """Train a cross-validation, and interrupt it after the first epoch of a fold."""
    save = Checkpoints.save

    def save_and_stop(self: Checkpoints, trainer: Trainer, module: TrainingModule, epoch: int) -> None:
        save(self, trainer, module, epoch)
        if self.folder.path.name == f"fold_{fold}":
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "save", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            train(compose(*WORDS), run_dir=run_dir)


@dataclass(frozen=True)
class Whole:
    """A complete cross-validation: its folder, its metrics and what it printed. No test changes it."""

    path: Path
    metrics: dict[str, Any]
    printed: str


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    path, printed = tmp_path_factory.mktemp("folds") / "run", io.StringIO()
    with contextlib.redirect_stdout(printed):
        metrics = train(compose(*WORDS, "tags=[a]"), run_dir=path)
    return Whole(path, metrics, printed.getvalue())


def test_the_metrics_are_means_over_all_folds(whole: Whole) -> None:
    found = whole.metrics
    folds = [RunFolder(whole.path / f"fold_{number}").metrics() for number in range(1, 5)]
    values = [fold["val/accuracy"] for fold in folds]
    assert len(set(values)) > 1
    assert found["val/accuracy"] == pytest.approx(statistics.mean(values))
    assert found["val/accuracy_std"] == pytest.approx(statistics.stdev(values))
    assert found["test/loss"] == pytest.approx(statistics.mean(fold["test/loss"] for fold in folds))
    assert (found["status"], found["monitor"], found["monitor_mode"], found["folds"]) == (
        "completed",
        "val/loss",
        "min",
        4,
    )
    assert found["seconds/total"] == pytest.approx(sum(fold["seconds/total"] for fold in folds))
    assert json.loads((whole.path / "metrics.json").read_text()).items() <= found.items()
    last = whole.printed.rpartition("[fold 4 of 4]")[2]
    assert f"{found['val/accuracy']:.4f} ± {found['val/accuracy_std']:.4f}" in last
    with pytest.raises(ValueError, match=r"all folds of this one have ended"):
        resume(whole.path)
    with pytest.raises(ValueError, match=r"run=.*: must be one of its folds, such as .*fold_1"):
        evaluate(whole.path)
    assert evaluate(whole.path / "fold_2", split="val")["val/accuracy"] == pytest.approx(values[1])


def test_a_stopped_cross_validation_resumes_in_its_fold(
    whole: Whole, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stop_in_fold(3, tmp_path / "stopped")
    assert f"resume={tmp_path / 'stopped'}\n" in capsys.readouterr().out
    paths = [tmp_path / "stopped" / f"fold_{number}" for number in range(1, 5)]
    ended = [(path / "checkpoints" / "last.ckpt").stat().st_mtime_ns for path in paths[:2]]
    assert len(history(paths[2])) == 1
    assert not paths[3].exists()
    found = train(compose(f"resume={tmp_path / 'stopped'}"))
    assert [(path / "checkpoints" / "last.ckpt").stat().st_mtime_ns for path in paths[:2]] == ended
    metrics = {name for name in whole.metrics if name.startswith(("val/", "test/"))}
    assert {name: found[name] for name in metrics} == {name: whole.metrics[name] for name in metrics}
    for path in paths:
        assert same_weights(path, whole.path / path.name)


def test_one_fold_alone_is_an_ordinary_run(whole: Whole, tmp_path: Path) -> None:
    train(compose(*WORDS, "fold=2"), run_dir=tmp_path / "alone")
    assert same_weights(tmp_path / "alone", whole.path / "fold_2")


def test_the_mean_ranks_a_sweep(tmp_path: Path) -> None:
    words = (*TINY, "kfold=2", "optimizer.lr=1e-5,1e-2", "sweep.launcher=in_process")
    ranking = sweep(*words, path=tmp_path / "sweep")
    assert [run.config.optimizer["lr"] for run in ranking] == [1e-2, 1e-5]
    assert ranking[0].metrics["folds"] == 2


def test_a_mistake_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="official split val"):
        train(compose("data=line", "kfold=2"), run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_another_launcher_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    with pytest.raises(ValueError, match=r"kfold=4: must be null where another program starts the processes"):
        train(compose(*WORDS), run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()
