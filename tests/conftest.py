"""Fixtures: a trained run, generated data, a runner of scripts. No test reaches other machines."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from helpers import quick_compose
from helpers.generate import write_mnist
from helpers.runs import REPOSITORY, TINY, forbid_network

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # each worker has one core, and so have its child processes
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
quick_compose.install()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs, and their children, ignore it


@pytest.fixture(scope="session", autouse=True)
def _temporary_data_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Set FIRSTLIGHT_DATA, because the tests would otherwise build stores in the user's data folder."""
    os.environ["REAL_DATA"] = os.environ.get("FIRSTLIGHT_DATA", "")
    os.environ["FIRSTLIGHT_DATA"] = str(tmp_path_factory.mktemp("data"))
    os.environ["FIRSTLIGHT_FIGURES"] = "false"  # of the runs that several tests read, see `_no_figures`


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_network(monkeypatch)


@pytest.fixture(autouse=True)
def _no_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no figures, which take two seconds of each run, except in tests with the mark `figures`."""
    is_wanted = request.node.get_closest_marker("figures") is not None
    monkeypatch.setenv("FIRSTLIGHT_FIGURES", str(is_wanted).lower())
    if not is_wanted:
        from firstlight.runs.findings import write

        monkeypatch.setattr(write, "write_findings", lambda *arguments: {})  # of evaluate


@pytest.fixture
def the_same_draws() -> None:
    """Seed torch's global generator, for tests that draw random numbers."""
    torch.manual_seed(0)


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs scripts/<name>.py in an empty working directory, as a user would."""

    def run(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(REPOSITORY / "scripts" / f"{name}.py"), *arguments],
            cwd=tmp_path,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short run of the linear network on digits. Several tests read it; none may change it."""
    from firstlight.config.compose import compose
    from firstlight.training.run import train

    folder = tmp_path_factory.mktemp("runs") / "trained"
    train(compose(*TINY, "figures=true"), run_dir=folder)
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets. Tests that need it are skipped if FIRSTLIGHT_DATA is not set."""
    folder = os.environ.get("REAL_DATA", "")
    if not folder:
        pytest.skip("FIRSTLIGHT_DATA names no folder with real data")
    return Path(folder)


@pytest.fixture
def mnist_dir(tmp_path: Path) -> Path:
    """A folder with a tiny MNIST in the official format."""
    write_mnist(tmp_path)
    return tmp_path
