"""The real command on the clusters of this machine: the same table as here."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.runs import REPOSITORY, TINY

GRID = [*TINY, "figures=false", "optimizer.lr=1e-3,1e-2", "seed=1,2"]
CLUSTERS = {
    "submitit": ["sweep.launcher=submitit", "sweep.options={cluster: local}", "sweep.jobs=2"],
    "ray": ["sweep.launcher=ray", "sweep.options={num_cpus: 1}"],
}


def table(folder: Path, name: str, *words: str) -> list[tuple[str, ...]]:
    """Run a sweep; return its ranks, words and metrics."""
    command = [sys.executable, str(REPOSITORY / "scripts" / "train.py"), "-m", f"hydra.sweep.dir={name}", *GRID]
    ended = subprocess.run([*command, *words], cwd=folder, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    keys = ("rank", "job", "status", "optimizer.lr", "seed", "val/loss", "test/accuracy")
    with (folder / name / "summary.csv").open(newline="") as file:
        return [tuple(row[key] for key in keys) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, ...]]:
    return table(tmp_path_factory.mktemp("here"), "sweep", "sweep.jobs=1")


@pytest.mark.slow
@pytest.mark.parametrize("name", CLUSTERS)
def test_a_sweep_on_a_cluster_has_the_table_of_one_here(
    name: str, expected: list[tuple[str, ...]], tmp_path: Path
) -> None:
    pytest.importorskip(name)
    assert table(tmp_path, name, *CLUSTERS[name]) == expected
    assert [row[2] for row in expected] == ["completed"] * 4
