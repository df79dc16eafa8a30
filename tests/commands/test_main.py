import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from firstlight.commands.main import COMMANDS, main
from helpers.runs import REPOSITORY


def test_the_commands_are_the_scripts() -> None:
    scripts = {path.stem for path in (REPOSITORY / "scripts").glob("*.py")}
    lessons = {path.stem for path in (REPOSITORY / "scripts" / "lessons").glob("*.py")}
    assert scripts - lessons - {"make_results", "make_course"} == set(COMMANDS) - {"sweep"}


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_without_a_command_the_program_lists_the_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["firstlight", *words])
    main()
    assert capsys.readouterr().out.splitlines() == [
        "firstlight train | sweep | preview | evaluate | predict | explain | compare | report | sample | export | serve"
        " | demo | cache | new",
        "firstlight COMMAND --help describes a command.",
    ]


def test_a_misspelled_command_gets_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["firstlight", "trian"])
    with pytest.raises(SystemExit, match=r"^trian: unknown command, did you mean 'train'\?$"):
        main()


def test_the_program_composes_the_same_config_as_the_script(
    script: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    program = [sys.executable, "-c", "from firstlight.commands.main import main; main()"]
    command = [*program, "train", "model=mlp", "--cfg", "job"]
    installed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    assert "hidden_sizes" in installed.stdout
    assert installed.stdout == script("train", "model=mlp", "--cfg", "job").stdout
