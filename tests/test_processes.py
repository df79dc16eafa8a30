from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from test_run import history, weights

from firstlight.config import compose
from firstlight.run import train

Script = Callable[..., "CompletedProcess[str]"]


def test_two_processes_train_one_run_as_one_process_would(script: Script, tmp_path: Path) -> None:
    overrides = ["model=linear", "trainer.max_epochs=2", "trainer.accelerator=cpu"]
    done = script("train", *overrides, "trainer.devices=2", "run_dir=two")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    two = tmp_path / "two"
    assert len(list(two.glob("events.out.tfevents.*"))) == 1
    assert done.stdout.count("epoch 2/2") == 1
    alone = train(compose(*overrides), run_dir=tmp_path / "one")
    assert float(history(two)[-1]["val/loss"]) == pytest.approx(alone["val/loss"], rel=1e-4)
    one_weights, two_weights = weights(tmp_path / "one"), weights(two)
    for name, value in one_weights.items():
        assert value.numpy() == pytest.approx(two_weights[name].numpy(), abs=1e-4), name


def test_a_mistake_is_told_once_by_one_of_several_processes(script: Script, tmp_path: Path) -> None:
    done = script("train", "trainer.devices=2", "trainer.accelerator=cpu", "data.batch_size=33", "run_dir=run")
    assert done.returncode == 1
    assert "data.batch_size=33 cannot be shared evenly by 2 devices" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
