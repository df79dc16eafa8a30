from pathlib import Path

import pytest

from firstlight.runs import command_line as module
from firstlight.runs.command_line import command, passed_on, relative_path


def test_a_path_is_relative_if_possible_and_quoted_for_a_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert relative_path(tmp_path / "outputs" / "run") == "outputs/run"
    assert relative_path(tmp_path / "my runs" / "first") == "'my runs/first'"
    assert relative_path(Path("/elsewhere/run")) == "/elsewhere/run"


@pytest.mark.parametrize(
    ("has_scripts", "has_uv", "expected"),
    [
        (True, False, "python scripts/train.py"),
        (True, True, "uv run scripts/train.py"),
        (False, False, "firstlight train"),
        (False, True, "uv run firstlight train"),
    ],
)
def test_a_command_is_a_script_of_the_checkout_or_the_installed_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, has_scripts: bool, has_uv: bool, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "_python", lambda: "python")
    monkeypatch.setattr(module, "CONFIG_DIR", tmp_path / "configs")
    monkeypatch.delenv("UV", raising=False)
    if has_uv:
        monkeypatch.setenv("UV", "/usr/bin/uv")
    if has_scripts:
        (tmp_path / "scripts").mkdir()
        (tmp_path / "scripts" / "train.py").touch()
    assert command("train") == expected


def test_the_installed_program_prints_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.sys, "argv", ["/elsewhere/bin/firstlight", "data=iris"])
    monkeypatch.setattr(module.shutil, "which", lambda _: None)  # its environment is not activated
    assert command("evaluate") == "/elsewhere/bin/firstlight evaluate"
    monkeypatch.setattr(module.shutil, "which", lambda name: f"/elsewhere/bin/{name}")
    assert command("evaluate") == "firstlight evaluate"


def test_a_process_that_a_command_starts_prints_the_same_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda name: f"/elsewhere/bin/{name}")
    monkeypatch.setattr(module.sys, "argv", ["/elsewhere/bin/firstlight", "data=iris"])
    passed = passed_on()
    monkeypatch.setattr(module.sys, "argv", ["/site-packages/firstlight/training/worker.py"])
    for name, value in passed.items():
        monkeypatch.setenv(name, value)
    assert command("evaluate") == "firstlight evaluate"
    assert passed_on() == passed  # a process of a process
