import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest

from firstlight.runs.sweeps import Ending, Job, State, SweepFolder


def job(folder: SweepFolder, number: int, *overrides: str) -> Job:
    run_dir = folder.path / str(number)
    return Job(number, overrides, {}, run_dir, run_dir / "job.log")


def metrics(monitor: str, value: float | None) -> dict[str, Any]:
    mode = "max" if monitor == "val/accuracy" else "min"
    return {"status": "completed", "monitor": monitor, "monitor_mode": mode, monitor: value}


def run(folder: SweepFolder, number: int, result: dict[str, Any], *overrides: str, state: State = "completed") -> None:
    folder.begin(job(folder, number, *overrides))
    folder.end(Ending(number, state, metrics=result))


def fail(folder: SweepFolder, number: int, cause: str, *overrides: str) -> None:
    folder.begin(job(folder, number, *overrides))
    folder.end(Ending(number, "failed", cause))


def rows(folder: SweepFolder) -> list[dict[str, str]]:
    with (folder.path / "summary.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def order(folder: SweepFolder) -> list[str]:
    return [row["job"] for row in rows(folder)]


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return SweepFolder.create(tmp_path / "sweeps" / "new", ["model=mlp,lenet"], {"method": "grid"})


@pytest.mark.parametrize(("monitor", "best_first"), [("val/loss", ["1", "2", "0"]), ("val/accuracy", ["0", "2", "1"])])
def test_jobs_are_ranked_from_the_best_to_the_worst(folder: SweepFolder, monitor: str, best_first: list[str]) -> None:
    for number, value in enumerate([0.9, 0.1, 0.5]):
        run(folder, number, metrics(monitor, value))
        assert len(rows(folder)) == number + 1  # after each job
    assert order(folder) == best_first
    assert [row["rank"] for row in rows(folder)] == ["1", "2", "3"]


def test_the_columns_are_rank_job_status_choices_metrics_and_error(folder: SweepFolder) -> None:
    words = ["+trainer.min_epochs=1", "model.hidden_sizes=[3,4]", 'name="a=b"', "~experiment"]
    run(folder, 0, metrics("val/loss", 0.5) | {"run_dir": "somewhere"}, "model=linear", *words)
    fail(folder, 1, "no\n  luck", "model=mlp", *words)
    good, bad = rows(folder)
    choices = ["model", "trainer.min_epochs", "model.hidden_sizes", "name"]
    recorded = ["monitor", "monitor_mode", "val/loss", "run_dir", "error"]
    assert list(good) == ["rank", "job", "status", *choices, *recorded]
    given = ["1", "[3,4]", "a=b"]
    assert list(good.values()) == ["1", "0", "completed", "linear", *given, "val/loss", "min", "0.5", "somewhere", ""]
    assert list(bad.values()) == ["2", "1", "failed", "mlp", *given, "", "", "", "", "no luck"]


def test_a_killed_sweep_is_rebuilt_and_goes_on(folder: SweepFolder) -> None:
    run(folder, 0, metrics("val/loss", math.nan), "seed=1", state="diverged")
    run(folder, 1, metrics("val/loss", 0.25) | {"run_dir": Path("somewhere")}, "seed=2")
    folder.begin(job(folder, 2, "seed=3"))
    folder.begin(job(folder, 3, "seed=4"))
    folder.end(Ending(3, "killed", "killed (SIGKILL)", seconds=1.5))
    before = folder.jobs
    folder.close()
    ledger = folder.path / "jobs.jsonl"
    with ledger.open("a") as file:
        file.write('{"begin": 4, "overr')  # the sweep was killed while it wrote

    shown = SweepFolder.read(folder.path)
    assert [record.state for record in shown.jobs] == ["diverged", "completed", "running", "killed"]
    with SweepFolder.resume(folder.path) as resumed:
        assert (resumed.words, resumed.settings, resumed.metrics) == (("model=mlp,lenet",), {"method": "grid"}, None)
        assert [record.state for record in resumed.jobs] == ["diverged", "completed", "interrupted", "killed"]
        assert [resumed.jobs[place].choices for place in (2, 3)] == [{"seed": "3"}, {"seed": "4"}]
        assert (resumed.jobs[0], resumed.jobs[3]) == (before[0], before[3])
        assert resumed.jobs[1].value("val/loss") == 0.25
        assert math.isnan(resumed.jobs[0].value("val/loss"))
        run(resumed, 2, metrics("val/loss", 0.125), "seed=3")
        assert order(resumed) == ["2", "1", "0", "3"]
    assert all(json.loads(line) for line in ledger.read_text().splitlines())
    assert [record.state for record in SweepFolder.read(folder.path).jobs][2] == "completed"


def test_one_process_at_a_time_writes_to_a_new_folder(folder: SweepFolder, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^hydra\.sweep\.dir=.*: must be a folder that no other process writes to"):
        SweepFolder.create(folder.path)
    with pytest.raises(ValueError, match=r"^resume=.*: must be a folder that no other process writes to"):
        SweepFolder.resume(folder.path)
    folder.close()
    with pytest.raises(ValueError, match=r"^hydra\.sweep\.dir=.*: must be a new folder.*resume="):
        SweepFolder.create(folder.path)
    with pytest.raises(ValueError, match=r"^resume=.*: must be the folder of a sweep"):
        SweepFolder.resume(tmp_path)
    SweepFolder.resume(folder.path).close()  # the errors have left no lock


def test_a_damaged_line_is_named(folder: SweepFolder) -> None:
    run(folder, 0, metrics("val/loss", 0.5))
    path = folder.path / "jobs.jsonl"
    path.write_text("nonsense\n" + path.read_text())
    with pytest.raises(ValueError, match=r"jobs\.jsonl, line 1: cannot read \(it is not the beginning or the end"):
        SweepFolder.read(folder.path)


def test_several_metrics_rank_the_jobs_after_a_restart_too(tmp_path: Path) -> None:
    metrics = {"val/accuracy": "max", "seconds/fit": "min"}
    folder = SweepFolder.create(tmp_path, metrics=metrics)
    for number, values in enumerate([(0.9, 9.0), (0.8, 9.0), (0.8, 1.0)]):
        run(folder, number, {"val/accuracy": values[0], "seconds/fit": values[1]})
    assert order(folder) == ["0", "2", "1"]
    folder.close()
    resumed = SweepFolder.resume(tmp_path)
    assert resumed.metrics == metrics
    assert [each.record.number for each in resumed.ranked()] == [0, 2, 1]
