"""The files of `configs/trainer` of a project from lightning-hydra-template go on being choices."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.config.project import use_project
from firstlight.training.launch import num_processes
from firstlight.training.run import train
from helpers.projects import add_file
from helpers.runs import TINY

DDP = "defaults:\n  - default\nstrategy: ddp\naccelerator: cpu\ndevices: 2\nnum_nodes: 1\nsync_batchnorm: false\n"
DEFAULT = """
_target_: lightning.pytorch.trainer.Trainer
min_epochs: 1
max_epochs: 1
accelerator: cpu
devices: 1
check_val_every_n_epoch: 1
deterministic: false
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, with the files of the Trainer."""
    add_file(tmp_path, "configs/trainer/ddp.yaml", DDP)
    monkeypatch.chdir(tmp_path)
    use_project()
    yield tmp_path
    monkeypatch.undo()
    use_project()


def trainer_of(*words: str) -> Any:
    return OmegaConf.to_container(compose(*words), resolve=True)["trainer"]  # type: ignore[call-overload, index]


def test_a_file_changes_the_options_of_the_default(project: Path) -> None:
    ours, theirs = trainer_of(), trainer_of("trainer=ddp", "trainer.max_epochs=3")
    own = {"strategy": "ddp", "accelerator": "cpu", "devices": 2, "num_nodes": 1, "sync_batchnorm": False}
    assert theirs == ours | own | {"max_epochs": 3}


def test_a_default_of_the_project_takes_the_place_of_ours(project: Path) -> None:
    add_file(project, "configs/trainer/default.yaml", DEFAULT)
    assert trainer_of()["check_val_every_n_epoch"] == 1
    assert "num_sanity_val_steps" not in trainer_of()
    assert (trainer_of("trainer=ddp")["min_epochs"], trainer_of("trainer=ddp")["devices"]) == (1, 2)
    metrics = train(compose(*TINY[:-1], "trainer=default"), run_dir=project / "run")
    assert metrics["status"] == "completed"


@pytest.mark.slow
def test_two_processes_train_by_the_file_of_the_project(project: Path) -> None:
    config = compose("data=digits", "model=linear", "trainer=ddp", "trainer.max_epochs=1")
    assert num_processes(RunConfig.parse(config)) == 2
    assert train(config, run_dir=project / "run")["status"] == "completed"
    assert '"device": "2 x cpu"' in (project / "run" / "run.json").read_text()


def test_an_argument_that_no_file_has_needs_a_plus(project: Path) -> None:
    assert trainer_of("+trainer.min_epochs=1")["min_epochs"] == 1
    with pytest.raises(ConfigCompositionException, match=r"trainer\.min_epochs"):
        compose("trainer.min_epochs=1")
