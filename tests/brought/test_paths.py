"""Paths as people write them: `~`, variables, empty values, a file for a folder and a folder for a file."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firstlight.commands import train as command
from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.data import Folder, Table, Text
from firstlight.files import user_path
from firstlight.runs.evaluate import evaluate
from firstlight.runs.predict import predict
from firstlight.runs.preview import preview
from firstlight.training.run import train
from helpers.generate import write_classes, write_image
from helpers.runs import TINY


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home directory; the working directory is another one."""
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


def run_command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["train.py", *words])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_path_is_absolute_and_its_home_and_variables_are_filled_in(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACE", str(home / "data"))
    assert user_path("~") == home
    assert user_path("~/a/") == home / "a"
    assert user_path("$PLACE/b") == user_path("${PLACE}/b") == home / "data" / "b"
    assert user_path("a/../b") == Path.cwd() / "a/../b"
    assert user_path("cost$NOT_SET.csv") == Path.cwd() / "cost$NOT_SET.csv"
    Path("~$table.csv").touch()  # Office locks a table by a file of this name
    assert user_path("~$table.csv") == Path.cwd() / "~$table.csv"
    for wrong in ("", " ", "~no-user-of-this-name/data"):
        with pytest.raises(ValueError, match=r"^data\.dir=.*: must be a path, and"):
            user_path(wrong, "data.dir")


def test_a_run_reads_and_writes_in_the_home_directory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_classes(home / "photos", 8)
    write_image(home / "one.png", 3)
    words = [*TINY, "data=folder", "data.image_size=8", "trainer.max_epochs=1", "+trainer.limit_train_batches=1"]
    first = train(compose(*words, "data.dir=~/photos", "output_dir=~/out/"))
    assert Path(first["run_dir"]).parent.parent == home / "out"
    shutil.copy(Path(first["run_dir"]) / "checkpoints" / "best.ckpt", home / "net.ckpt")
    monkeypatch.setenv("FIRSTLIGHT_DATA", "~/photos")
    again = train(compose(*words, "model.weights=~/net.ckpt", "run_dir=~/run"))
    assert again["run_dir"] == str(home / "run")
    evaluate("~/run", accelerator="cpu", input="~/photos")
    (row,) = predict("~/run", "~/one.png", output="~/found.csv", accelerator="cpu")
    assert row["path"] == str(home / "one.png")
    preview(RunConfig.from_overrides(*words), "~/sheet.png", samples=1, versions=1)
    with pytest.raises(ValueError, match="this one has completed"):
        train(compose("resume=~/run"))
    assert {"out", "run", "found.csv", "sheet.png"} <= {path.name for path in home.iterdir()}
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("word", ["output_dir=~/out", "hydra.sweep.dir=~/out/sweeps/mine"])
def test_a_sweep_writes_in_the_home_directory(word: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = ("trainer.max_epochs=1", "+trainer.limit_train_batches=2")
    assert run_command(monkeypatch, "-m", *TINY, *short, "seed=1", "sweep.launcher=in_process", word) == 0
    (summary,) = (home / "out" / "sweeps").glob("*/summary.csv")
    assert (summary.parent / "0" / "metrics.json").is_file()
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("key", ["resume", "run_dir", "output_dir", "data.dir"])
def test_an_empty_path_is_a_mistake_and_not_a_default(
    key: str, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(monkeypatch, *(() if key == "resume" else TINY), f"{key}=") == 1
    assert capsys.readouterr().err == f"{key}=: must be a path, and this one is empty.\n"
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: Folder("file"), r"^data\.dir=file: must be a folder, not a file\.$"),
        (
            lambda: Text("folder", file="folder").store(),
            r"^data\.file=folder: must be an existing file, and .*folder is a",
        ),
        (lambda: Table("folder", file="folder/").store(), r"^data\.file=folder/: must be an existing file, and "),
        (lambda: train(compose(*TINY, "run_dir=file")), r"^run_dir=.*file: must be a folder, not a file\.$"),
        (lambda: train(compose(*TINY, "output_dir=file")), r"^output_dir=file: cannot create a run folder"),
        (lambda: evaluate("file"), r"^run=file: must be a run folder"),
        (lambda: evaluate(""), r"^run=: must be a path"),
    ],
    ids=["data.dir", "data.file", "data.file/", "run_dir", "output_dir", "run", "empty run"],
)
def test_a_file_is_not_a_folder_and_a_folder_is_not_a_file(action: Callable[[], Any], message: str, home: Path) -> None:
    Path("file").touch()
    Path("folder").mkdir()
    with pytest.raises(ValueError, match=message):
        action()


def test_a_source_keeps_its_folder_if_the_working_directory_changes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_classes(Path("photos"), 8)
    source = Folder("photos/", image_size=8)
    monkeypatch.chdir(home)
    assert len(source.store().splits["test"]) == 4
    assert list(Path.cwd().iterdir()) == []
