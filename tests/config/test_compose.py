import tomllib
from pathlib import Path

import pytest
from hydra.errors import HydraException
from omegaconf import OmegaConf

from firstlight import config as config_module
from firstlight.config.checking.config import GROUPS, SETTINGS, check
from firstlight.config.checking.signature import parameters
from firstlight.config.compose import CONFIG_DIR, compose, to_plain
from helpers.runs import REPOSITORY

CHOICES = sorted(
    f"{path.parent.name}={path.stem}" for path in CONFIG_DIR.glob("*/[!_]*.yaml") if path.parent.name != "hydra"
)


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_composes_and_passes_the_check(choice: str) -> None:
    check(to_plain(compose(choice)))


@pytest.mark.parametrize("word", ["data.dir=/tmp/café", 'data.dir="/tmp/café"'])
def test_a_path_with_any_letters_needs_no_quotes(word: str) -> None:
    assert compose(word).data.dir == "/tmp/café"


def test_every_group_of_train_yaml_has_a_folder_of_choices_and_the_other_way_round() -> None:
    defaults = OmegaConf.load(CONFIG_DIR / "train.yaml").defaults
    groups = {str(key) for entry in defaults if entry != "_self_" for key in entry}
    folders = {path.name for path in CONFIG_DIR.iterdir() if path.is_dir()}
    assert folders <= groups
    assert groups - folders <= {"experiment"}
    assert set(GROUPS) == groups - {"experiment", "hydra"}


def test_the_keys_of_train_yaml_are_those_that_are_checked() -> None:
    assert set(compose()) == {*SETTINGS, *GROUPS}


def test_a_composed_config_is_resolved_and_without_hydra() -> None:
    composed = compose("data=mnist", "model=linear")
    assert composed.name == "mnist-linear"
    assert "hydra" not in composed
    assert "${" not in OmegaConf.to_yaml(composed)


def test_the_data_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLIGHT_DATA", "/somewhere")
    assert compose().data.dir == "/somewhere"
    monkeypatch.delenv("FIRSTLIGHT_DATA")
    assert compose().data.dir == "data"


def test_a_plain_config_is_of_dicts_and_lists() -> None:
    plain = to_plain(OmegaConf.create({"a": 1, "b": {"c": "${a}", "d": ["${a}"]}, "hydra": {}}))
    assert plain == {"a": 1, "b": {"c": 1, "d": [1]}}
    assert type(plain["b"]) is dict
    assert type(plain["b"]["d"]) is list


@pytest.mark.parametrize("choice", ["model=lenett", "modle=mlp", "optimizer.lerning_rate=1"])
def test_an_unknown_choice_or_key_is_refused(choice: str) -> None:
    with pytest.raises(HydraException):
        compose(choice)


@pytest.mark.parametrize("name", ["evaluate", "predict", "sample"])
def test_the_keys_of_the_other_scripts_are_the_arguments_of_their_functions(name: str) -> None:
    required = ["input=photos"] if name == "predict" else ["run=somewhere"]
    composed = compose(*required, config_name=name)
    own = composed.pop(name, {})  # predict.group: what it asks of the predictions
    assert {*composed, *own} == set(parameters(f"firstlight.{name}.{name}") or ())


def test_the_keys_of_preview_are_those_of_train_and_the_arguments_of_its_function() -> None:
    composed = compose(config_name="preview")
    assert set(composed) == {*SETTINGS, *GROUPS, "preview"}
    assert {"config", *composed.preview} == set(parameters("firstlight.commands.preview.preview") or ())


def test_the_wheel_carries_the_configs_to_where_they_are_looked_for() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    carried = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    sources = Path(config_module.__file__).parents[2]
    assert carried == {"configs": config_module._INSTALLED.relative_to(sources).as_posix()}
    assert (REPOSITORY / "configs" / "train.yaml").is_file()
