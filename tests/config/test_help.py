from pathlib import Path

import pytest

from firstlight.commands.main import COMMANDS
from firstlight.config import help as module
from firstlight.config.help import help_text
from firstlight.config.project import CONFIG_DIR


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("new", "sweep")])
def test_every_placeholder_of_the_template_is_filled_in(name: str) -> None:
    assert "$" not in help_text(name)
    assert f"{name}.py" in help_text(name)


@pytest.mark.parametrize("name", ["train", "preview"])
def test_the_help_of_training_names_every_option_of_every_group(name: str) -> None:
    shown = help_text(name).replace(",", " ").split()
    options = [path for path in CONFIG_DIR.glob("*/[!_]*.yaml") if path.parent.name != "hydra"]
    assert len(options) > 15
    for path in options:
        assert path.stem in shown
        assert path.parent.name in shown


@pytest.mark.parametrize(
    ("name", "keys"),
    [("evaluate", ["run: ???", "split: test"]), ("predict", ["input: ???"]), ("sample", ["temperature: 0.8"])],
)
def test_the_help_of_commands_for_finished_runs_shows_the_keys(name: str, keys: list[str]) -> None:
    assert all(key in help_text(name) for key in keys)
    assert "hydra:" not in help_text(name)
    assert "_self_" not in help_text(name)


def test_blank_lines_and_comments_may_stand_anywhere_in_a_yaml_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["# A command.", "defaults:", "  - _self_", "run: ???  # folder", "data:", "  dir: null", "seed: 1"]
    lines += ["hydra:", "  help:", "    template: |", "      Help.", "      $CONFIG"]
    (tmp_path / "plain.yaml").write_text("\n".join(lines))
    (tmp_path / "spaced.yaml").write_text("\n\n# A comment.\n\n".join(lines[:-2]) + "\n" + "\n".join(lines[-2:]))
    monkeypatch.setattr(module, "CONFIG_DIR", tmp_path)
    assert help_text("plain").splitlines() == ["Help.", "run: ???  # folder", "data:", "  dir: null", "seed: 1"]
    spaced = [line for line in help_text("spaced").splitlines() if line and line != "# A comment."]
    assert spaced == help_text("plain").splitlines()
