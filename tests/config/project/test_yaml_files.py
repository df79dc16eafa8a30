from pathlib import Path

import pytest

from firstlight.config import RunConfig, compose
from firstlight.config.errors import explain
from firstlight.config.help import help_text
from firstlight.config.project import CONFIG_DIR, groups, option_files, project_dir, replaced_files
from helpers.projects import add_file, enter_project
from helpers.runs import REPOSITORY


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter_project(tmp_path / "stripy", monkeypatch)


def answer(*words: str) -> list[str]:
    """The lines that the user reads after a mistake."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # Hydra's errors and ours
        RunConfig.from_overrides(*words)
    return explain(caught.value, words).splitlines()


def test_the_choices_of_a_project_are_made_in_its_train_yaml_by_words_and_by_experiments(project: Path) -> None:
    default = compose()
    assert (default.name, default.data.size, default.trainer.max_epochs) == ("stripes-two_layers", 16, 5)
    assert default.optimizer.lr == compose("data=digits").optimizer.lr == 2e-3
    assert default.model._target_ == "stripy.network.TwoLayers"
    changed = compose("model=lenet", "data.size=8", "trainer.max_epochs=2")
    assert (changed.name, changed.data.size, changed.trainer.max_epochs) == ("stripes-lenet", 8, 2)
    wide = compose("experiment=wide", "model.width=64")
    assert (wide.name, wide.data.size, wide.model.width) == ("stripes-two_layers", 32, 64)
    assert "rotate" in wide.augment
    ours = compose("experiment=mnist_lenet")
    assert (ours.name, ours.trainer.max_epochs) == ("mnist-lenet", 32)
    assert compose(config_name="preview").name == "stripes-two_layers"


def test_without_a_train_yaml_the_defaults_are_those_of_firstlight(project: Path, tmp_path: Path) -> None:
    (project / "configs" / "train.yaml").unlink()
    assert compose().name == "digits-lenet"
    assert compose("data=stripes", "model=two_layers").name == "stripes-two_layers"


def test_the_train_yaml_of_a_project_may_be_written_as_an_experiment(project: Path) -> None:
    text = "# @package _global_\ndefaults:\n  - _self_\n  - override /data: stripes\ndata:\n  size: 8\nseed: 7\n"
    add_file(project, "configs/train.yaml", text)
    assert (compose().name, compose().seed, compose().data.size) == ("stripes-lenet", 7, 8)
    add_file(project, "configs/train.yaml", "")
    assert compose().name == "digits-lenet"


def test_a_project_may_replace_a_file_of_firstlight(project: Path) -> None:
    add_file(project, "configs/model/lenet.yaml", "_target_: stripy.network.TwoLayers\nwidth: 4\n")
    assert compose("model=lenet").model.width == 4
    assert "replaces" not in "".join(answer("data.size=big"))
    assert answer("model=lenet", "model.width=big") == [
        "model.width=big: must be a whole number (TwoLayers).",
        "(configs/model/lenet.yaml replaces the file of that name in firstlight.)",
    ]


def test_files_of_other_tools_do_not_count(project: Path) -> None:
    damaged = "a: [b\n"
    for name in ("evaluate", "mine", "callbacks/early", "hydra/base", "project/train", "data/.hidden", "data/_part"):
        add_file(project, f"configs/{name}.yaml", damaged)
    assert compose().name == "stripes-two_layers"
    assert compose("run=somewhere", config_name="evaluate").split == "test"
    assert answer("callbacks=early")[0].startswith("callbacks: unknown key")
    assert "_part" not in option_files("data")


def test_a_folder_without_configs_and_the_checkout_itself_are_no_projects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert project_dir() is None
    add_file(tmp_path, "configs", "a file")
    assert project_dir() is None
    monkeypatch.chdir(REPOSITORY)
    assert project_dir() is None
    assert replaced_files() == {}
    assert {"data", "model", "experiment"} <= set(groups())
    assert "hydra" not in groups()
    assert option_files("model").keys() == {path.stem for path in (CONFIG_DIR / "model").glob("[!_]*.yaml")}


def test_the_choices_of_a_project_end_where_the_user_leaves_it(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "two_layers" in help_text("train")
    monkeypatch.chdir(tmp_path)
    assert "two_layers" not in help_text("train")
    assert answer("model=two_layers")[0].startswith("model=two_layers: unknown model; known: alexnet")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=two_layer"], "model=two_layer: unknown model, did you mean 'two_layers'?"),
        (["data=stirpes"], "data=stirpes: unknown data, did you mean 'stripes'?"),
        (["experiment=wid"], "experiment=wid: unknown experiment, did you mean 'wide'?"),
        (["model.wdth=3"], "model.wdth: unknown key, did you mean 'model.width'?"),
        (["data.size=big"], "data.size=big: must be a whole number (Stripes)."),
        (["+model.depth=3"], "model.depth: unknown option of TwoLayers; known: "),
        (["model._target_=stripy.network.TwoLayer"], "model._target_=stripy.network.TwoLayer: 'TwoLayer' must be"),
        (["model._target_=stripes.Net"], "model._target_=stripes.Net: the module 'stripes' must be installed."),
    ],
)
def test_mistakes_in_the_words_for_a_project_get_short_answers(project: Path, words: list[str], message: str) -> None:
    (line,) = answer(*words)
    assert line.startswith(message)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("train", "defaults:\n  - dta: stripes\n", "defaults: dta: unknown group, did you mean 'data'?"),
        (
            "train",
            "defaults:\n  - hydra: default\n",
            "defaults: hydra: unknown group; known: augment, averaging, data,",
        ),
        ("train", "defaults:\n  - base\n", "defaults: base: must be a group and its option, such as data: digits"),
        ("train", "defaults:\n  - {data: a, model: b}\n", "must be a group and its option"),
        ("train", "seed: 1\n  data: 2\n", "line 2: mapping values are not allowed here"),
        ("train", "- seed\n", "it is not a mapping of options"),
        ("data/stripes", "_target_: [a\n", "line 2: expected ',' or ']', but got '<stream end>'"),
        ("train", "defaults:\n  - experiment: wide\n", "defaults: experiment: must be left out; the settings"),
    ],
)
def test_a_damaged_yaml_file_of_a_project_is_named(project: Path, name: str, text: str, message: str) -> None:
    path = add_file(project, f"configs/{name}.yaml", text)
    (line,) = answer("seed=2")
    assert line.startswith(f"{path}: cannot read (")
    assert message in line
    assert line.endswith("To fix: correct this file, or use another folder as working directory.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("defaults:\n  - data: stirpes\n", "data=stirpes: unknown data, did you mean 'stripes'?"),
        ("task_name: train\n", "task_name: unknown key. To fix: tags=[...] or notes=... describe a run"),
        ("optimizer:\n  lerning_rate: 1\n", "optimizer.lerning_rate: unknown option of AdamW, did you mean"),
    ],
)
def test_a_wrong_word_in_a_yaml_file_of_a_project_gets_a_short_answer(project: Path, text: str, message: str) -> None:
    add_file(project, "configs/train.yaml", text)
    assert answer()[0].startswith(message)
