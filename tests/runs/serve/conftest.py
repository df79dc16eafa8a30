"""Clients of the served runs, in this process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from firstlight.config import compose
from firstlight.runs.serve.app import create_app
from firstlight.runs.serve.limits import Limits
from firstlight.runs.serve.models.served import open_served
from firstlight.training import train

SHORT = ("trainer.max_epochs=1", "trainer.accelerator=cpu", "+trainer.limit_train_batches=2")
Client = Callable[..., TestClient]


@pytest.fixture
def client() -> Iterator[Client]:
    """Return a function from a run, or an exported file, and limits to a client of its pages."""
    with ExitStack() as stack:

        def make(source: Path, limits: Limits | None = None, **options: Any) -> TestClient:
            run, file = (source, None) if source.is_dir() else (None, source)
            served = open_served(run, file, "best", "cpu", trust=True)
            app = create_app(served, limits or Limits(), **options)
            return stack.enter_context(TestClient(app, raise_server_exceptions=False))

        yield make


@pytest.fixture(scope="session")
def table_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A regression on a table of two numbers and a category."""
    folder = tmp_path_factory.mktemp("table")
    lines = [f"{i},{i % 7},k{i % 3},{3 * i + i % 7}" for i in range(60)]
    (folder / "t.csv").write_text("\n".join(["a,b,kind,y", *lines]) + "\n")
    words = ("data=table", f"data.file={folder / 't.csv'}", "data.target=y", "model=mlp", *SHORT)
    train(compose(*words), run_dir=folder / "run")
    return folder / "run"


@pytest.fixture(scope="session")
def text_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model of characters."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "t.txt").write_text("the quick brown fox jumps over the lazy dog\n" * 200)
    words = ("data=text", f"data.file={folder / 't.txt'}", "model=lstm", "model.hidden_size=16", *SHORT)
    train(compose(*words), run_dir=folder / "run")
    return folder / "run"
