"""The launchers of clusters, on clusters of this machine: processes of submitit, and a local cluster of Ray."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from firstlight.config.compose import compose, to_plain
from firstlight.runs.sweeps.job import Ending, Job
from firstlight.training.sweeps.launch import Launcher, end_all
from firstlight.training.sweeps.launch.clusters.ray_tasks import Ray, _fitting
from firstlight.training.sweeps.launch.clusters.slurm import Submitit
from helpers.runs import TINY
from helpers.sweep_jobs import await_file, make_job, work

ENDS = {
    "raises": ("failed", "optimizer.lr=-1: must be positive."),
    "exits": ("failed", "ended with exit code 3"),
    "kills itself": ("killed", "killed (SIGKILL)"),
    "diverges": ("diverged", "the training has diverged"),
}


@pytest.fixture(scope="module")
def _paths() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        yield


@pytest.fixture(scope="module")
def submitit(_paths: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    pytest.importorskip("submitit")
    folder = tmp_path_factory.mktemp("submitit")
    with closing(Submitit(folder, options={"cluster": "local", "timeout_min": 5}, work=work)) as launcher:
        yield launcher


@pytest.fixture(scope="module")
def ray(_paths: None) -> Iterator[Launcher]:
    pytest.importorskip("ray")
    with closing(Ray(options={"num_cpus": 0.5}, work=work)) as launcher:
        yield launcher


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of the libraries
@pytest.mark.parametrize("name", ["submitit", "ray"])
def test_jobs_on_a_cluster_end_as_they_do_here(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    launcher: Launcher = request.getfixturevalue(name)
    assert launcher.slots >= 2
    words = ("figures=false",)
    training = Job(9, words, to_plain(compose(*TINY, *words)), tmp_path / "9", tmp_path / "logs" / "9.log")
    for job in [training, *(make_job(tmp_path, number, end=end) for number, end in enumerate(ENDS))]:
        launcher.start(job)
    endings: dict[int, Ending] = {}
    while len(endings) <= len(ENDS):
        endings |= {ending.number: ending for ending in launcher.wait(5.0)}
    for number, (state, cause) in enumerate(ENDS.values()):
        assert (endings[number].state, endings[number].cause.splitlines()[0]) == (state, cause)
    assert (endings[9].state, endings[9].cause) == ("completed", "")
    assert endings[9].metrics["run_dir"] == str(tmp_path / "9")
    assert "epoch 2/2" in (tmp_path / "logs" / "9.log").read_text()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", ["submitit", "ray"])
def test_a_job_on_a_cluster_saves_when_it_is_stopped(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    launcher: Launcher = request.getfixturevalue(name)
    launcher.start(make_job(tmp_path, 0, end="waits"))
    await_file(tmp_path / "0" / "pid")
    (ending,) = end_all(launcher, [0])
    assert (ending.number, ending.state, ending.cause) == (0, "interrupted", "interrupted")
    assert (tmp_path / "0" / "saved").exists()


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("submitit", "ray"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=r'sweep.launcher=submitit: .* To fix: pip install "firstlight\[slurm\]"'):
        Submitit(tmp_path)
    with pytest.raises(ValueError, match=r'sweep.launcher=ray: .* To fix: pip install "firstlight\[ray\]"'):
        Ray()


def test_an_unknown_option_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    with pytest.raises(ValueError, match=r"sweep.options=\{'cluster': 'lokal'\}: must suit submitit"):
        Submitit(tmp_path, options={"cluster": "lokal"})
    with pytest.raises(ValueError, match=r"sweep.options=.*must suit submitit \(.*time_out"):
        Submitit(tmp_path, options={"cluster": "local", "time_out": 3})


def test_as_many_tasks_run_as_the_cluster_has_resources_for() -> None:
    total = {"CPU": 16.0, "GPU": 3.0, "memory": 1e9}
    assert _fitting(total, {"num_cpus": 1, "num_gpus": 1}) == 3
    assert _fitting(total, {"num_cpus": 4, "num_gpus": 0}) == 4
    assert _fitting(total, {"num_cpus": 1, "num_gpus": 0.25}) == 12
    assert _fitting(total, {"num_cpus": 99}) == 1
