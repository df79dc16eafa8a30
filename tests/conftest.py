"""Generated data in official formats, a trained run to look at, and no network."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.generate import write_mnist
from helpers.runs import REPOSITORY, TINY

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # each of the workers has a core


@pytest.fixture(scope="session", autouse=True)
def _stores_in_a_folder_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without it, the tests would build stores in the user's data folder."""
    os.environ["REAL_DATA"] = os.environ.get("FIRSTLIGHT_DATA", "")
    os.environ["FIRSTLIGHT_DATA"] = str(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections go to this machine or nowhere."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def the_same_draws() -> None:
    """For tests of random draws."""
    import torch  # which many tests do without

    torch.manual_seed(0)


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs scripts/<name>.py from an empty working directory, as a user would."""

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
    """The folder of a short run of the linear network on digits. Not to be changed: tests share it."""
    from firstlight.config.compose import compose
    from firstlight.training.run import train

    folder = tmp_path_factory.mktemp("runs") / "trained"
    train(compose(*TINY), run_dir=folder)
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; tests that ask for it are skipped where there is none."""
    folder = os.environ.get("REAL_DATA", "")
    if not folder:
        pytest.skip("FIRSTLIGHT_DATA names no folder with real data")
    return Path(folder)


@pytest.fixture
def mnist_dir(tmp_path: Path) -> Path:
    """A folder with a tiny MNIST in the official format."""
    write_mnist(tmp_path)
    return tmp_path
