"""A run on a LightningDataModule is loaded in Python: its network with the weights, but no task that predicts."""

from pathlib import Path
from typing import Any

import pytest
import torch

import firstlight as fl
from firstlight.training.run import train
from helpers.lightning_modules import Lazy, Plain
from helpers.template_runs import config_of

POINTS = {"_target_": "helpers.lightning_modules.Points"}
PLAIN = {"_target_": "helpers.lightning_modules.Plain", "network": 3}
LAZY = {"_target_": "helpers.lightning_modules.Lazy"}


@pytest.mark.parametrize(("node", "kind"), [(PLAIN, Plain), (LAZY, Lazy)])
@pytest.mark.parametrize("checkpoint", ["best", "last"])
def test_the_module_of_a_run_on_its_own_data_module_has_its_weights(
    checkpoint: str, node: dict[str, Any], kind: type[Plain], tmp_path: Path
) -> None:
    train(config_of("monitor=val_loss", "trainer.max_epochs=2", task=node, data=POINTS), run_dir=tmp_path)
    run = fl.load_run(tmp_path, checkpoint=checkpoint, accelerator="cpu", trust=True)
    module: Any = run.network.module
    assert isinstance(module, kind)
    assert run.network is run.network
    state = torch.load(tmp_path / "checkpoints" / f"{checkpoint}.ckpt", weights_only=True)["state_dict"]
    assert module.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert not module.training
    assert run.network(torch.zeros(2, 3)).shape[0] == 2


def test_a_network_of_firstlight_on_a_data_module_has_its_weights(tmp_path: Path) -> None:
    train(config_of("model=mlp", "trainer.max_epochs=1", data=POINTS), run_dir=tmp_path)
    network = fl.load_run(tmp_path, accelerator="cpu", trust=True).network
    state = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(value, state[f"network.{name}"]) for name, value in network.state_dict().items())
    assert network(torch.zeros(2, 3)).shape == (2, 3)


def test_a_run_on_a_data_module_predicts_nothing_and_says_so(tmp_path: Path) -> None:
    train(config_of("monitor=val_loss", "trainer.max_epochs=1", task=PLAIN, data=POINTS), run_dir=tmp_path)
    with pytest.raises(ValueError, match=r"^data=Points: must be a data set of firstlight here, because only training"):
        fl.load_run(tmp_path, trust=True).predict(torch.zeros(2, 3))


def test_the_module_of_a_run_on_data_of_firstlight_has_its_weights(tmp_path: Path) -> None:
    node = {"_target_": "helpers.lightning_modules.Plain"}
    train(config_of("data=digits", "monitor=val_loss", "trainer.max_epochs=1", task=node), run_dir=tmp_path)
    module: Any = fl.load_run(tmp_path, accelerator="cpu", trust=True).network.module
    state = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    assert isinstance(module, Plain)
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
