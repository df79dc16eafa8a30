import csv
import math
from pathlib import Path
from typing import Any

import pytest

from firstlight.runs.sweep import Sweep


def rows(sweep: Sweep) -> list[dict[str, str]]:
    with (sweep.path / "summary.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def order(sweep: Sweep) -> list[str]:
    return [row["job"] for row in rows(sweep)]


def metrics(monitor: str, value: float | None) -> dict[str, Any]:
    mode = "max" if monitor == "val/accuracy" else "min"
    return {"status": "completed", "monitor": monitor, "monitor_mode": mode, monitor: value}


@pytest.mark.parametrize(("monitor", "best_first"), [("val/loss", ["1", "2", "0"]), ("val/accuracy", ["0", "2", "1"])])
def test_jobs_are_ranked_from_the_best_to_the_worst(tmp_path: Path, monitor: str, best_first: list[str]) -> None:
    sweep = Sweep(tmp_path)
    for number, value in enumerate([0.9, 0.1, 0.5]):
        sweep.begin(number, [f"seed={number}"])
        sweep.finished(metrics(monitor, value))
    assert order(sweep) == best_first
    assert [row["rank"] for row in rows(sweep)] == ["1", "2", "3"]


@pytest.mark.parametrize("monitor", ["val/loss", "val/accuracy"])
def test_jobs_that_diverged_are_ranked_below_other_jobs_and_above_failed_jobs(tmp_path: Path, monitor: str) -> None:
    sweep = Sweep(tmp_path)
    sweep.begin(0, ["optimizer.lr=fast"])
    sweep.failed("optimizer.lr=fast: must be a number (AdamW).")
    sweep.begin(1, ["optimizer.lr=1e9"])
    sweep.finished(metrics(monitor, math.nan))
    sweep.begin(2, ["optimizer.lr=1e-3"])
    sweep.finished(metrics(monitor, 0.5))
    assert order(sweep) == ["2", "1", "0"]
    assert [row["status"] for row in rows(sweep)] == ["completed", "completed", "failed"]


def test_jobs_of_the_same_value_stay_in_the_order_in_which_they_ran(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    for number in range(3):
        sweep.begin(number, [])
        sweep.finished(metrics("val/loss", 0.5))
    assert order(sweep) == ["0", "1", "2"]


def test_jobs_that_monitor_different_metrics_are_ranked_apart(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    jobs = [
        ("val/loss", 0.7),
        ("val/accuracy", 0.8),
        ("val/loss", 0.2),
        None,
        ("val/accuracy", 0.9),
        ("train/loss", 0.1),
    ]
    for number, monitored in enumerate(jobs):
        sweep.begin(number, [])
        if monitored:
            sweep.finished(metrics(*monitored))
        else:
            sweep.failed("no luck")
    assert [(row["job"], row["rank"]) for row in rows(sweep)] == [
        *(("2", "1"), ("0", "2")),  # val/loss
        *(("4", "1"), ("1", "2")),  # val/accuracy
        ("5", "1"),  # train/loss
        ("3", "2"),  # failed
    ]


def test_a_job_without_a_value_is_ranked_last(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    for number, value in enumerate([None, 7.0]):
        sweep.begin(number, [])
        sweep.finished(metrics("val/loss", value))
    assert order(sweep) == ["1", "0"]


def test_the_columns_are_rank_job_status_choices_metrics_and_error(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    sweep.begin(0, ["model=linear", "+trainer.min_epochs=1", "~experiment"])
    sweep.finished(metrics("val/loss", 0.5) | {"run_dir": "somewhere"})
    sweep.begin(1, ["model=mlp", "+trainer.min_epochs=1", "~experiment"])
    sweep.failed("no\n  luck")
    good, bad = rows(sweep)
    recorded = ["monitor", "monitor_mode", "val/loss", "run_dir", "error"]
    assert list(good) == ["rank", "job", "status", "model", "trainer.min_epochs", *recorded]
    assert list(good.values()) == ["1", "0", "completed", "linear", "1", "val/loss", "min", "0.5", "somewhere", ""]
    assert list(bad.values()) == ["2", "1", "failed", "mlp", "1", "", "", "", "", "no luck"]


def test_an_override_may_contain_commas_and_equal_signs(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    sweep.begin(0, ["model.hidden_sizes=[3,4]", 'name="a=b"'])
    sweep.finished(metrics("val/loss", 0.5))
    assert rows(sweep)[0]["model.hidden_sizes"] == "[3,4]"
    assert rows(sweep)[0]["name"] == "a=b"


def test_the_summary_is_up_to_date_after_each_job(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path / "sweeps" / "new")
    for number in range(2):
        sweep.begin(number, [])
        sweep.finished(metrics("val/loss", 0.5))
        assert len(rows(sweep)) == number + 1


def test_the_ranking_ends_with_the_path_of_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = Sweep(tmp_path)
    sweep.begin(0, ["model=lenett"])
    sweep.failed("model=lenett: unknown model.\nA second line.")
    sweep.begin(1, ["model=lenet"])
    sweep.finished(metrics("val/loss", 0.25))
    capsys.readouterr()
    sweep.print_ranking()
    assert capsys.readouterr().out.strip().splitlines() == [
        f"sweep {tmp_path}",
        "  1. [job 1] model=lenet  val/loss 0.2500",
        "  2. [job 0] model=lenett  failed: model=lenett: unknown model.",
        f"summary {tmp_path / 'summary.csv'}",
    ]


def test_the_ranking_shows_the_result_of_each_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = Sweep(tmp_path)
    for number, result in enumerate([metrics("val/loss", 0.5), metrics("val/loss", 0.6) | {"status": "diverged"}, {}]):
        sweep.begin(number, [f"seed={number}"])
        sweep.finished(result)
    sweep.begin(3, ["seed=x"])
    sweep.failed("seed=x: must be a whole number.\nA second line.")
    capsys.readouterr()
    sweep.print_ranking()
    assert capsys.readouterr().out.splitlines()[2:-1] == [
        "  1. [job 0] seed=0  val/loss 0.5000",
        "  2. [job 1] seed=1  val/loss 0.6000  diverged",
        "  3. [job 2] seed=2",
        "  4. [job 3] seed=x  failed: seed=x: must be a whole number.",
    ]
