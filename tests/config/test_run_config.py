from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from firstlight.config import RunConfig, Transfer


def test_parse_and_to_plain_are_inverse() -> None:
    config = RunConfig.from_overrides(
        "model=resnet18",
        "model.weights=default",
        "model.freeze=backbone",
        "augment=light",
        "trainer.devices='0,1'",
        "name='1e-3'",
        "run_dir='null'",
        "optimizer.lr=1e-5",
    )
    plain = config.to_plain()
    assert plain["model"]["freeze"] == "backbone"
    assert plain["name"] == "1e-3"
    assert RunConfig.parse(plain) == config
    assert RunConfig.parse(plain).to_plain() == plain
    node = OmegaConf.create(OmegaConf.to_yaml(plain))
    assert isinstance(node, DictConfig)
    assert RunConfig.parse(node) == config


def test_parse_splits_the_options_for_transfer_learning_from_the_network() -> None:
    config = RunConfig.from_overrides("model=resnet18", "model.head=mlp")
    assert config.transfer == Transfer(head="mlp")
    assert config.model["depth"] == 18
    assert "head" not in config.model


def test_a_run_config_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        RunConfig.from_overrides().seed = 2  # type: ignore[misc]  # the assignment is the test


def test_a_wrong_key_raises_an_error_with_a_suggestion() -> None:
    with pytest.raises(ValueError, match=r"^sede: unknown key, did you mean 'seed'\?$"):
        RunConfig.parse(RunConfig.from_overrides().to_plain() | {"sede": 3})
    with pytest.raises(ValueError, match=r"^task\.binry: unknown option of Classification, did you mean 'task\.binary"):
        RunConfig.from_overrides("+task.binry=true")


def test_resume_is_no_setting_of_a_run() -> None:
    assert RunConfig.from_overrides("resume=outputs/run") == RunConfig.from_overrides()


def test_with_trainer_and_with_data_change_only_the_given_values() -> None:
    config = RunConfig.from_overrides()
    changed = config.with_trainer(max_epochs=2).with_data(batch_size=3, dir=None)
    assert changed.trainer == config.trainer | {"max_epochs": 2}
    assert changed.data == config.data | {"batch_size": 3}
    assert replace(changed, trainer=config.trainer, data=config.data) == config


def test_paths_of_existing_files_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("weights.pth", "synonyms.txt", "home/text.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    config = RunConfig.from_overrides(
        "data=text",
        "data.dir=~/data",
        "data.file=~/text.txt",
        "model.weights=weights.pth",
        "+augment.replace_synonyms.file=synonyms.txt",
    ).with_absolute_paths()
    assert config.data["dir"] == str(tmp_path / "home" / "data")
    assert config.data["file"] == str(tmp_path / "home" / "text.txt")
    assert config.transfer.weights == str(tmp_path / "weights.pth")
    assert config.augment["replace_synonyms"]["file"] == str(tmp_path / "synonyms.txt")
    monkeypatch.chdir("/")
    assert config.with_absolute_paths() == config


def test_values_that_are_not_files_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = RunConfig.from_overrides("data=text", "data.file=in_the_data_folder.txt", "model.weights=default")
    absolute = config.with_absolute_paths()
    assert absolute.data["dir"] == str(tmp_path / config.data["dir"])
    assert absolute.data["file"] == "in_the_data_folder.txt"
    assert absolute.transfer == config.transfer


def test_limits_and_precision_have_the_defaults_of_the_trainer() -> None:
    config = RunConfig.from_overrides()
    assert (config.max_steps, config.precision, config.num_nodes) == (None, "32-true", 1)
    config = RunConfig.from_overrides("trainer.max_steps=5", "trainer.precision=bf16-mixed", "+trainer.num_nodes=2")
    assert (config.max_steps, config.precision, config.num_nodes) == (5, "bf16-mixed", 2)
    bare = replace(config, trainer={"_target_": config.trainer["_target_"]})
    assert (bare.max_steps, bare.precision, bare.num_nodes) == (None, "32-true", 1)
