from pathlib import Path

import pytest

import firstlight as fl

SHORT = ("trainer.accelerator=cpu", "trainer.max_epochs=1", "sweep.launcher=in_process")


def test_the_runs_are_ranked_as_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("model=linear,mlp", "optimizer.lr=1e-3,fast", "sweep.on_mistake=skip")
    ranking = fl.sweep(*words, *SHORT, path=tmp_path / "sweep")
    assert [run.config.name for run in ranking] == ["digits-mlp", "digits-linear"]
    assert ranking[0].metrics["val/loss"] < ranking[1].metrics["val/loss"]
    assert ranking[0].path == tmp_path / "sweep" / "2"
    assert ranking.table["status"].to_list() == ["completed", "completed", "failed", "failed"]
    assert ranking.table["job"].to_list() == [2, 0, 1, 3]
    assert "optimizer.lr=fast: must be a number (AdamW)." in capsys.readouterr().out
    assert "model=mlp optimizer.lr=0.001" in ranking._repr_html_()


def test_a_sweep_needs_a_new_folder_and_a_job_that_trains(tmp_path: Path) -> None:
    (tmp_path / "summary.csv").touch()
    with pytest.raises(ValueError, match=r"^hydra\.sweep\.dir=.*: must be a new folder"):
        fl.sweep("model=linear", *SHORT, path=tmp_path)
    with pytest.raises(ValueError, match=r"run_dir=here: must be left out of a sweep"):
        fl.sweep("model=linear", "run_dir=here", *SHORT, path=tmp_path / "sweep")
