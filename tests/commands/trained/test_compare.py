from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from firstlight.commands.trained.compare import with_paths

Profiled = Callable[..., tuple[CompletedProcess[str], set[str]]]


def test_the_script_compares_paths_without_importing_torch(profiled: Profiled, trained_run: Path) -> None:
    process, modules = profiled("compare", str(trained_run), "output=page.html")
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.splitlines()[-1] == "page page.html"
    assert not modules & {"torch", "lightning", "polars"}


def test_the_words_without_a_key_are_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lr=0.1").mkdir()
    assert with_paths(["a b", "output=c.html", "lr=0.1", 'd"e']) == [r'runs=["a b","lr=0.1","d\"e"]', "output=c.html"]
    assert with_paths(["runs=[a]", "--cfg", "job"]) == ["runs=[a]", "--cfg", "job"]
