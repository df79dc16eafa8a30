"""Two sweeps, each in a process of its own, that begin at the same time and work on one study."""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import optuna
import pytest

from firstlight.runs.sweeps import SweepFolder
from firstlight.training.studies.storage import open_storage
from helpers.postgresql import PASSWORD, postgresql

NUM_TRIALS = 30
WORDS = ["optimizer.lr=tag(log,interval(1e-4,1e-1))", "sweep.method=random", f"sweep.trials={NUM_TRIALS}"]
GRID = [f"seed=range(0,{NUM_TRIALS})"]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    pytest.importorskip("psycopg")
    with postgresql() as url:
        yield url


@pytest.fixture(params=["journal", "sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("server"))
    return f"sqlite:///{tmp_path}/study.db" if request.param == "sqlite" else str(tmp_path / "study.log")


@pytest.mark.slow
@pytest.mark.parametrize("words", [WORDS, GRID], ids=["random", "grid"])
def test_two_processes_train_no_trial_twice(words: list[str], storage: str, tmp_path: Path) -> None:
    name = "both" + words[0]
    given = [*words, f"sweep.storage={storage}", f"sweep.study='{name}'"]
    command = [sys.executable, "-m", "helpers.sweep_process"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    folders = [tmp_path / "0", tmp_path / "1"]
    processes = [subprocess.Popen([*command, str(folder), *given], env=environment) for folder in folders]
    assert [process.wait(60) for process in processes] == [0, 0]
    numbers = [[record.number for record in SweepFolder.read(folder).jobs] for folder in folders]
    assert sorted(chain.from_iterable(numbers)) == list(range(NUM_TRIALS))
    assert all(len(own) >= NUM_TRIALS // 5 for own in numbers)
    opened = open_storage(storage)
    study = optuna.load_study(study_name=name, storage=opened)
    assert [(trial.number, trial.value) for trial in study.trials] == [(n, float(n)) for n in range(NUM_TRIALS)]
    assert len({str(trial.params) for trial in study.trials}) == NUM_TRIALS
    assert all(PASSWORD not in path.read_text() for folder in folders for path in folder.glob("*.json*"))
    if isinstance(opened, optuna.storages.RDBStorage):
        opened.remove_session()
        opened.engine.dispose()
