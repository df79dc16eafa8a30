import csv
import statistics
from pathlib import Path

import pytest

from firstlight.runs.sweeps import Ending, Job, JobRecord, State, SweepFolder
from firstlight.runs.sweeps.seeds import has_repetitions, repeated


def record(number: int, words: str, value: float | None = None, state: State = "completed") -> JobRecord:
    about = {"monitor": "val/loss", "monitor_mode": "min", "val/loss": value, "parameters": 10, "status": state}
    metrics = {} if value is None else about
    return JobRecord(
        number, tuple(words.split()), Path(str(number)), state if value is not None else "failed", "", metrics
    )


def test_jobs_that_differ_only_in_their_seed_are_one() -> None:
    jobs = [
        record(0, "model=mlp seed=1", 0.5),
        record(1, "model=mlp seed=2", 0.3),
        record(2, "model=mlp seed=3"),
        record(3, "seed=1 model=lenet", 0.2),
        record(4, "model=lenet seed=2", 0.4, "pruned"),
        record(5, "model=lenet seed=3", 0.1),
        record(6, "model=linear seed=1", 0.9, "diverged"),
    ]
    lenet, mlp, linear = repeated(jobs)
    assert [each.rank for each in (lenet, mlp, linear)] == [1, 2, 3]
    assert [job.number for job in lenet.records] == [3, 5, 4]
    assert (lenet.mean("val/loss"), len(lenet.counted)) == (pytest.approx(0.15), 2)
    assert lenet.std("val/loss") == pytest.approx(statistics.stdev([0.2, 0.1]))
    assert lenet.state == "completed, 1 pruned"
    assert (mlp.first.number, mlp.mean("val/loss"), mlp.state) == (0, pytest.approx(0.4), "completed")
    assert (linear.state, linear.row()["val/loss/std"], linear.row()["n"]) == ("diverged", "", 1)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["seed=1", "seed=2"], True),
        (["model=mlp seed=1", "model=lenet seed=2"], False),
        (["lr=1 seed=1", "lr=1 seed=1"], False),  # sampled twice
        (["lr=1", "lr=2"], False),
        ([], False),
    ],
)
def test_only_jobs_that_differ_in_their_seed_are_repetitions(words: list[str], expected: bool) -> None:
    jobs = [record(number, each, 0.5) for number, each in enumerate(words)]
    assert has_repetitions(jobs) is expected
    if not expected:
        assert [each.first.number for each in repeated(jobs)] == list(range(len(words)))


def test_seeds_csv_has_a_row_for_the_jobs_of_all_seeds(tmp_path: Path) -> None:
    folder = SweepFolder.create(tmp_path)
    for number, value in enumerate((0.5, 0.3, 0.25, 0.25)):
        words = (f"model={'mlp' if number < 2 else 'lenet'}", f"seed={number % 2}")
        folder.begin(Job(number, words, {}, tmp_path / str(number), tmp_path / "log"))
        folder.end(Ending(number, "completed", metrics=record(number, "", value).metrics))
        assert folder.seeds_path.exists() == (number > 0)
    with folder.seeds_path.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert list(first.items())[:7] == [
        ("rank", "1"), ("jobs", "2 3"), ("n", "2"), ("status", "completed"), ("model", "lenet"),
        ("val/loss/mean", "0.25"), ("val/loss/std", "0.0"),
    ]  # fmt: skip
    assert (second["jobs"], second["val/loss/mean"]) == ("0 1", "0.4")
    assert float(second["val/loss/std"]) == pytest.approx(0.1414, abs=1e-4)
