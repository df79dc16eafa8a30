import inspect
import itertools
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hydra.errors import HydraException
from omegaconf import OmegaConf

from firstlight.config import RunConfig
from firstlight.config import compose as compose_function
from firstlight.config.checking.config import GROUPS, SETTINGS
from firstlight.config.checking.source_code.signature import parameters
from firstlight.config.compose import compose, compose_unresolved, to_plain
from firstlight.config.project.folder import _INSTALLED, CONFIG_DIR
from helpers.runs import REPOSITORY

CHOICES = {
    folder.name: [f"{folder.name}={path.stem}" for path in sorted(folder.glob("[!_]*.yaml"))]
    for folder in sorted(CONFIG_DIR.iterdir())
    if folder.is_dir() and folder.name != "hydra"
}
APART = (
    "augment",
    "averaging",
    "data",
    "model",
    "optimizer",
    "scheduler",
)  # groups whose options are independent of each other
EXTRAS = {f"logger={name}": name for name in ("mlflow", "wandb")}


@pytest.mark.parametrize(
    "choices",
    [
        *([choice] for group, choices in CHOICES.items() if group not in APART for choice in choices),
        *([choice for choice in row if choice] for row in itertools.zip_longest(*map(CHOICES.__getitem__, APART))),
    ],
    ids=" ".join,
)
def test_every_option_of_every_group_composes_and_passes_the_check(choices: list[str]) -> None:
    if choices[0] in EXTRAS:
        pytest.importorskip(EXTRAS[choices[0]])
    RunConfig.from_overrides(*choices)


@pytest.mark.parametrize(
    "words",
    [
        ["model=gan", "model.base_channels=4", "seed=2", "seed=3"],
        ["augment=light", "augment.rotate.degrees=20", "augment.shift=null", "+augment.noise.std=0.1"],
        ["scheduler={_target_: torch.optim.lr_scheduler.StepLR, step_size: 3}", "~trainer.log_every_n_steps"],
        ["debug=limit", "notes=a, b = (c)", "+trainer.callbacks=[{_target_: a.B, x: 1}]", "data.dir=a b/é"],
    ],
    ids=str,
)
def test_the_tests_compose_as_hydra_does(words: list[str]) -> None:
    """Of helpers.quick_compose."""
    by_hydra = inspect.unwrap(compose_unresolved)(*words)
    expected: Any = OmegaConf.to_container(by_hydra)
    for _ in range(2):
        composed = compose_unresolved(*words)
        assert composed.hydra.runtime == by_hydra.hydra.runtime
        found: Any = OmegaConf.to_container(composed)
        assert [item for item in found.items() if item[0] != "hydra"] == [
            item for item in expected.items() if item[0] != "hydra"
        ]


@pytest.mark.parametrize("word", ["data.dir=photos/café", 'data.dir="photos/café"'])
def test_a_path_with_letters_of_any_script_needs_no_quotes(word: str) -> None:
    assert compose(word).data.dir == "photos/café"


def test_the_groups_of_train_yaml_are_the_folders_of_configs() -> None:
    defaults = OmegaConf.load(CONFIG_DIR / "train.yaml").defaults
    groups = {str(key) for entry in defaults if entry not in ("_self_", {"optional project": "train"}) for key in entry}
    folders = {path.name for path in CONFIG_DIR.iterdir() if path.is_dir()}
    assert folders <= groups
    assert groups - folders <= {"experiment"}
    assert {*GROUPS, "logger"} == groups - {"debug", "experiment", "hydra", "sweep"}


def test_every_key_of_train_yaml_is_checked() -> None:
    assert set(compose()) == {*SETTINGS, *GROUPS, "logger", "watch", "resume", "trust", "sweep"} - {"project"}


def test_a_composed_config_is_resolved_and_does_not_contain_the_node_of_hydra() -> None:
    composed = compose("data=mnist", "model=linear")
    assert composed.name == "mnist-linear"
    assert "hydra" not in composed
    assert "${" not in OmegaConf.to_yaml(composed)


def test_the_data_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLIGHT_DATA", "/somewhere")
    assert compose().data.dir == "/somewhere"
    monkeypatch.delenv("FIRSTLIGHT_DATA")
    assert compose().data.dir == "data"


def test_a_plain_config_consists_of_dicts_and_lists() -> None:
    plain = to_plain(OmegaConf.create({"a": 1, "b": {"c": "${a}", "d": ["${a}"]}, "hydra": {}}))
    assert plain == {"a": 1, "b": {"c": 1, "d": [1]}}
    assert type(plain["b"]) is dict
    assert type(plain["b"]["d"]) is list


@pytest.mark.parametrize("choice", ["model=lenett", "modle=mlp", "optimizer.lerning_rate=1"])
def test_an_unknown_option_or_key_raises_an_error(choice: str) -> None:
    with pytest.raises(HydraException):
        compose(choice)


@pytest.mark.parametrize("name", ["evaluate", "predict", "sample"])
def test_the_keys_of_the_other_commands_are_the_arguments_of_their_functions(name: str) -> None:
    required = ["input=photos"] if name == "predict" else ["run=somewhere"]
    composed = compose(*required, config_name=name)
    own = composed.pop(name, {})  # the options under `predict`
    assert {*composed, *own} == set(parameters(f"firstlight.runs.{name}.{name}") or ())


def test_the_keys_of_preview_are_those_of_train_and_the_arguments_of_its_function() -> None:
    composed = compose(config_name="preview")
    assert set(composed) == {*SETTINGS, *GROUPS, "logger", "watch", "resume", "trust", "sweep", "preview"} - {"project"}
    assert {"config", *composed.preview} == set(parameters("firstlight.runs.preview.preview") or ())


def test_the_wheel_contains_the_configs_in_the_folder_where_the_installed_program_reads_them() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    sources = Path(inspect.getfile(compose_function)).parents[2]
    assert included == {"configs": _INSTALLED.relative_to(sources).as_posix()}
    assert (REPOSITORY / "configs" / "train.yaml").is_file()
