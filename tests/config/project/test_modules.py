import importlib
import sys
from pathlib import Path

import pytest

from firstlight.config import RunConfig, compose
from firstlight.config.checking.targets import check_targets
from firstlight.config.errors import explain
from firstlight.config.instantiate import bind
from firstlight.config.project import is_own, use_project
from helpers.projects import add_file, enter_project

NETWORK = "from stripy.network import TwoLayers\n\n\nclass Net(TwoLayers):\n    pass\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter_project(tmp_path / "stripy", monkeypatch)


def test_the_modules_of_a_project_come_last_and_are_forgotten_elsewhere(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_project()
    use_project()
    assert sys.path[-1] == str(project)
    assert sys.path.count(str(project)) == 1
    importlib.import_module("stripy.metric")
    monkeypatch.chdir(tmp_path)
    use_project()
    assert str(project) not in sys.path
    assert not [name for name in sys.modules if name.startswith("stripy")]


def test_a_second_project_with_the_same_names_replaces_the_first(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert RunConfig.from_overrides().model["width"] == 32
    assert bind("model", RunConfig.from_overrides().model).func.__module__ == "stripy.network"
    other = enter_project(tmp_path / "other" / "stripy", monkeypatch)
    add_file(
        other,
        "stripy/network.py",
        "class TwoLayers:\n    def __init__(self, spec, *, height: int = 1):\n        pass\n",
    )
    with pytest.raises(ValueError, match=r"^model\.width: unknown option of TwoLayers"):
        RunConfig.from_overrides()


def test_a_folder_that_python_has_already_stays_in_its_place(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(project), *sys.path])
    use_project()
    assert sys.path.count(str(project)) == 1


def test_a_module_with_the_name_of_an_installed_one_is_refused_where_it_is_named(project: Path) -> None:
    for name in ("random", "yaml", "sys"):
        add_file(project, f"{name}.py", NETWORK)
        with pytest.raises(ValueError, match="must be in a module with another name") as caught:
            RunConfig.from_overrides(f"model._target_={name}.Net")
        assert str(caught.value).startswith(
            f"model._target_={name}.Net: must be in a module with another name, because"
        )
        assert str(caught.value).endswith(f"To fix: rename {name}.py.")
    add_file(project, "torch.py", "raise RuntimeError\n")
    add_file(project, "data.py", NETWORK)
    assert RunConfig.from_overrides("optimizer=adam", "model._target_=data.Net").model["_target_"] == "data.Net"


def test_a_class_in_a_folder_without_init_is_checked_and_may_stand_in_a_run(project: Path, tmp_path: Path) -> None:
    add_file(project, "nets/deep/mine.py", NETWORK)
    config = RunConfig.from_overrides("model._target_=nets.deep.mine.Net")
    check_targets(config.to_plain(), tmp_path / "run")
    bind("model", config.model)
    with pytest.raises(ValueError, match=r"^model\.depth: unknown option of Net"):
        RunConfig.from_overrides("model._target_=nets.deep.mine.Net", "+model.depth=2")
    with pytest.raises(ValueError, match=r"^model\._target_=nets\.deep\.mine\.Nett: 'Nett' must be defined in nets"):
        RunConfig.from_overrides("model._target_=nets.deep.mine.Nett")


def test_what_lies_beside_a_run_folder_is_no_code_of_the_project(project: Path) -> None:
    add_file(project, "outputs/from_elsewhere/mine.py", NETWORK)
    config = RunConfig.from_overrides("model._target_=outputs.from_elsewhere.mine.Net").to_plain()
    with pytest.raises(ValueError, match=r"^model\._target_=outputs\.from_elsewhere\.mine\.Net: must be a subclass"):
        check_targets(config, project / "outputs" / "from_elsewhere" / "run")
    check_targets(config, project / "runs" / "run")


def test_a_module_that_is_not_python_or_cannot_be_imported_is_named_with_its_line(project: Path) -> None:
    path = add_file(project, "broken.py", "import math\nclass Net(:\n")
    with pytest.raises(ValueError, match="must be") as caught:
        RunConfig.from_overrides("model._target_=broken.Net")
    assert str(caught.value) == f"model._target_=broken.Net: {path}, line 2: must be Python (invalid syntax)."
    path = add_file(project, "missing.py", f"import math\nimport a_missing_module\n{NETWORK}")
    config = RunConfig.from_overrides("model._target_=missing.Net")
    with pytest.raises(ValueError, match="must be") as caught:
        bind("model", config.model)
    assert str(caught.value) == (
        f"model: must be importable, and line 2 of {path} raises ModuleNotFoundError:"
        " No module named 'a_missing_module'"
    )


def test_an_error_in_a_library_is_reported_with_the_line_of_the_project(project: Path) -> None:
    path = add_file(project, "wrong.py", "import json\n\n\ndef parse():\n    return json.JSONDecoder().raw_decode(3)\n")
    use_project()
    with pytest.raises(TypeError) as caught:
        importlib.import_module("wrong").parse()
    assert explain(caught.value).startswith(f"TypeError ({path}:5): ")
    assert is_own(path)
    assert not is_own(project / ".venv" / "lib" / "site-packages" / "torch" / "__init__.py")


def test_composing_makes_the_modules_importable(project: Path) -> None:
    compose("seed=2")
    assert importlib.import_module("stripy").__file__ == str(project / "stripy" / "__init__.py")
