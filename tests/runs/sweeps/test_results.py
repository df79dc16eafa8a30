import base64
from pathlib import Path

import pytest
import yaml

from firstlight.config.compose import compose
from firstlight.runs.report.report import write_report
from firstlight.runs.sweeps import Ending, Job, SweepFolder
from firstlight.runs.sweeps.results import write_results


def sweep(path: Path, figures: bool = True, losses: tuple[float, ...] = (0.5, 0.25, 0.75)) -> SweepFolder:
    """Return a sweep over the network, whose run folders hold what a comparison reads."""
    folder = SweepFolder.create(path)
    for number, loss in enumerate(losses):
        words = (f"model={('lenet', 'mlp', 'linear')[number]}", "trainer.max_epochs=1")
        run_dir = folder.path / str(number)
        folder.begin(Job(number, words, {}, run_dir, run_dir / "log"))
        run_dir.mkdir()
        config = {"name": "x", "model": {"_target_": words[0]}, "task": {"_target_": "a.Task"}, "figures": figures}
        (run_dir / "config.yaml").write_text(yaml.safe_dump(config))
        write_report(run_dir)
        metrics = {"monitor": "val/loss", "monitor_mode": "min", "val/loss": loss, "run_dir": str(run_dir)}
        folder.end(Ending(number, "completed", metrics=metrics))
    return folder


def test_the_results_are_files_that_refer_to_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = sweep(tmp_path / "sweep")
    found = write_results(folder)
    assert list(found) == ["summary", "best", "figure", "page"]
    assert found["best"].endswith("train.py experiment=sweep/best.yaml")
    best = folder.path / "best.yaml"
    assert f"# job 1 of {folder.path}, the best of 3: val/loss 0.25\n" in best.read_text()
    assert compose("experiment=sweep/best.yaml") == compose("model=mlp", "trainer.max_epochs=1")
    page = (folder.path / "compare.html").read_text()
    assert base64.b64encode((folder.path / "sweep.png").read_bytes()).decode() in page
    assert all(f'href="{number}/report.html"' in page for number in range(3))
    assert 'href="../compare.html"' in (folder.path / "0" / "report.html").read_text()


def test_without_figures_or_a_choice_there_is_less(tmp_path: Path) -> None:
    folder = sweep(tmp_path / "plain", figures=False)
    assert list(write_results(folder)) == ["summary", "best"]
    assert "compare.html" not in (folder.path / "0" / "report.html").read_text()
    assert list(write_results(sweep(tmp_path / "single", losses=(0.5,)))) == ["summary", "best", "page"]
    assert list(write_results(SweepFolder.create(tmp_path / "empty"))) == ["summary"]


def test_a_damaged_run_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = sweep(tmp_path / "sweep")
    (folder.path / "0" / "metrics.json").write_text("{")
    assert list(write_results(folder)) == ["summary", "best", "figure"]
    assert "the figures of the sweep are not complete" in caplog.text
