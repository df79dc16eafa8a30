import os
import subprocess
import sys
from pathlib import Path

import pytest

from firstlight.commands.new import main, new_project
from helpers.runs import REPOSITORY

PROGRAM = [sys.executable, "-P", "-c", "from firstlight.commands.main import main; main()"]


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as in a shell of the user, where the checkout is not in the path."""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_a_new_project_trains_evaluates_and_passes_its_test(tmp_path: Path) -> None:
    written = run(tmp_path, *PROGRAM, "new", "stripy")
    assert (written.returncode, written.stderr) == (0, "")
    assert written.stdout.endswith("train\n")
    project = tmp_path / "stripy"
    (project / "random.py").write_text("raise RuntimeError\n")  # never imported: Python has a module of this name
    words = ["trainer.accelerator=cpu", "trainer.max_epochs=1", "run_dir=run", "data.dir=data"]
    trained = run(project, *PROGRAM, "train", *words)
    assert (trained.returncode, trained.stderr) == (0, "")
    evaluated = run(project, *PROGRAM, "evaluate", "run=run")
    assert (evaluated.returncode, evaluated.stderr) == (0, "")
    (project / "random.py").unlink()  # pytest's way of finding modules places the project first
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    tested = subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=project, env=environment, timeout=300)
    assert tested.returncode == 0
    assert not list(tmp_path.glob("*.py"))


def test_a_project_has_its_name_in_files_and_paths(tmp_path: Path) -> None:
    project = new_project(str(tmp_path / "there" / "stripy"))
    files = {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()}
    assert {"stripy/data.py", "tests/test_stripy.py", "configs/train.yaml", ".gitignore", "pyproject.toml"} <= files
    assert not [path for path in project.rglob("*") if path.is_file() and "my_project" in path.read_text()]
    assert "_target_: stripy.data.Stripes" in (project / "configs" / "data" / "stripes.yaml").read_text()
    with pytest.raises(ValueError, match="must be a new or an empty folder"):
        new_project(str(project))
    (tmp_path / "empty").mkdir()
    assert new_project(str(tmp_path / "empty")) == tmp_path / "empty"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torch", "torch is a module of Python or is installed"),
        ("test", "test is a module of Python or is installed"),
        ("firstlight", "firstlight is a module of Python or is installed"),
        ("configs", "a project has a folder configs inside"),
        ("data", "a project has a folder data inside"),
        ("my-project", "as Python wants it, such as my_project."),
        ("2nd", "as Python wants it, such as nd."),
        ("class", "as Python wants it."),
        ("_own", "as Python wants it, such as own."),
        ("größe", "as Python wants it, such as gr_e."),
    ],
)
def test_a_bad_name_is_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^new {name}: must be ") as caught:
        new_project(str(tmp_path / name))
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [[], ["one", "two"], ["2x"]])
def test_mistakes_end_the_command_with_a_short_message(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["new", *words])
    with pytest.raises(SystemExit, match=r"^new.*must "):
        main()


def test_help_describes_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["new", "--help"])
    main()
    assert "cd myproject" in capsys.readouterr().out


def test_the_template_is_part_of_the_package() -> None:
    template = REPOSITORY / "src" / "firstlight" / "commands" / "template"
    ignored = subprocess.run(["git", "check-ignore", *map(str, template.rglob("*.*"))], cwd=REPOSITORY, text=True)
    assert ignored.returncode in (1, 128)  # nothing is ignored, or this is no clone; a wheel leaves out ignored files
