import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from firstlight.runs import RunFolder
from helpers.generate import write_classes, write_mnist
from helpers.runs import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
EXTENDING = (REPOSITORY / "docs" / "extending.md").read_text()


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


COMMANDS = [line for block in blocks("bash", README) for line in block.strip().splitlines()]
# Short runs: the test is whether each command works, not which accuracy it reaches.
SHORT = ["trainer.max_epochs=1"]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, trained_run: Path) -> dict[str, str]:
    """Return what the capital words of the README stand for, and a folder with images."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("run", "stopped", "stopped-too"):
        shutil.copytree(trained_run, folder / name)
        if name != "run":
            RunFolder(folder / name).write_metrics({"status": "interrupted"})
    (folder / "photos").mkdir()
    for name in ("photos/one.png", "photo.jpg"):
        Image.new("RGB", (40, 30), "gray").save(folder / name)
    write_classes(folder / "classes", 6)
    if not (Path(os.environ["FIRSTLIGHT_DATA"]) / "MNIST").exists():
        write_mnist(Path(os.environ["FIRSTLIGHT_DATA"]))
    return {"STOPPED": "stopped", "RUN": "run", "PHOTOS": "classes", "folder": str(folder)}


def test_the_readme_shows_commands() -> None:
    assert len(COMMANDS) >= 9


def slow_if_long(command: str) -> Any:
    """Return a command as a parameter; those that start or train much run with the slow tests."""
    is_long = any(word in command.split() for word in ("-m", "resume=RUN"))
    return pytest.param(command, marks=pytest.mark.slow) if is_long else command


@pytest.mark.parametrize("command", [*map(slow_if_long, COMMANDS)])
def test_each_command_of_the_readme_runs(
    command: str, places: dict[str, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for word in ("STOPPED", "RUN", "PHOTOS"):
        command = command.replace(f"={word}", f"={places[word]}")
    command = command.replace("trainer.devices=2", "trainer.devices=1")  # tests/training/test_processes starts two
    script, *arguments = shlex.split(command.removeprefix("pip install uv && ").removeprefix("uv run "))
    starts_a_run = script == "scripts/train.py" and not any(word.startswith("resume=") for word in arguments)
    monkeypatch.chdir(places["folder"])
    monkeypatch.setattr(sys, "argv", [script, *arguments, *(SHORT if starts_a_run else [])])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(REPOSITORY / script), run_name="__main__")
    assert ended.value.code == 0, capfd.readouterr().err


@pytest.mark.slow
def test_the_python_code_of_the_readme_runs(
    places: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = blocks("python", README)
    code = code.replace("outputs/digits-lenet/STOPPED", "stopped-too")
    code = code.replace("epochs=3", "epochs=1")
    monkeypatch.chdir(places["folder"])
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    assert printed.count("best epoch") == 2  # of the new run and the resumed run
    assert "\n[2/2] job " in printed  # of the sweep
    assert names["best"].config.model["_target_"] == "firstlight.networks.MLP"
    assert list(names["rows"][0])[:3] == ["path", "label", "probability"]
    assert not names["network"].training


@pytest.mark.slow
def test_the_network_and_the_data_set_of_the_docs_train(tmp_path: Path) -> None:
    for name in ("src", "configs", "scripts"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    for block in blocks("python", EXTENDING) + blocks("yaml", EXTENDING):
        path = tmp_path / block.splitlines()[0].removeprefix("# ")
        assert path.parent.is_dir()
        path.write_text(block)
    command = [sys.executable, "scripts/train.py", "model=two_layers", "data=stripes", "trainer.max_epochs=2"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "src")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "stripes-two_layers" in done.stdout
    refused = subprocess.run(
        [*command, "model.width=wide"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert refused.returncode == 1
    assert "model.width=wide: must be a whole number (TwoLayers)." in refused.stderr
