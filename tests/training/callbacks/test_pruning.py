"""A run of a sweep ends when its metric is worse than that of other runs at the same epoch."""

from pathlib import Path

import optuna
import pytest

from firstlight.config.compose import compose
from firstlight.training.run import resume, train
from firstlight.training.studies.pruning import VARIABLE, ReportedTrial
from firstlight.training.studies.storage import open_storage
from helpers.runs import TINY, history


def test_a_poor_run_is_pruned_and_complete_up_to_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = str(tmp_path / "study.log")
    study = optuna.create_study(storage=open_storage(place), study_name="s", direction="maximize")
    for _ in range(5):
        good = study.ask()
        for epoch in range(1, 9):
            good.report(2.0, epoch)  # no accuracy reaches this
        study.tell(good, 2.0)
    poor = study.ask()
    trial = ReportedTrial(place, "s", poor.number, "val/accuracy", "median", 8)
    monkeypatch.setenv(VARIABLE, trial.environment()[VARIABLE])
    metrics = train(compose(*TINY, "trainer.max_epochs=8"), run_dir=tmp_path / "run")
    assert metrics["status"] == "pruned"
    assert "test/accuracy" in metrics
    rows = history(tmp_path / "run")
    assert len(rows) == 2  # the first epoch is a warm-up of the pruner
    reported = study.trials[poor.number].intermediate_values
    assert reported == {epoch: pytest.approx(float(row["val/accuracy"])) for epoch, row in enumerate(rows, start=1)}
    with pytest.raises(ValueError, match=r"must be a run that was stopped, and this one was pruned by its sweep\."):
        resume(tmp_path / "run")
