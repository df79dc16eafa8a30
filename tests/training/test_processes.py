from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from firstlight.config.compose import compose
from firstlight.training.run import train
from helpers.runs import history, weights

Script = Callable[..., "CompletedProcess[str]"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        # The gradients of frozen layers count from the second epoch on.
        "model=mlp model.freeze=backbone model.unfreeze_at_epoch=2 model.dropout=0",
        # A recurrent network keeps its state from batch to batch; each process has its own part of the text.
        "data=text data.length=16 data.batch_size=8 model.hidden_size=8 +trainer.limit_train_batches=5",
        # Two processes read cached features.
        "model=mlp model.freeze=backbone model.dropout=0",
    ],
)
def test_two_processes_train_the_same_run_as_one(options: str, script: Script, tmp_path: Path) -> None:
    overrides = [*options.split(), "trainer.max_epochs=2", "trainer.accelerator=cpu"]
    if "data=text" in options:
        (tmp_path / "text.txt").write_text("A line of text, and another one.\n" * 100)
        overrides.append(f"data.file={tmp_path / 'text.txt'}")
    done = script("train", *overrides, "trainer.devices=2", "run_dir=two")
    assert done.returncode == 0, done.stderr
    # torch prints this warning when the last layers have been unfrozen.
    assert [line for line in done.stderr.splitlines() if "find_unused_parameters=True was specified" not in line] == []
    two = tmp_path / "two"
    assert len(list(two.rglob("events.out.tfevents.*"))) == 3
    assert done.stdout.count("epoch 2/2") == 1
    alone = train(compose(*overrides), run_dir=tmp_path / "one")
    assert float(history(two)[-1]["val/loss"]) == pytest.approx(alone["val/loss"], rel=1e-4)
    one_weights, two_weights = weights(tmp_path / "one"), weights(two)
    for name, value in one_weights.items():
        assert value.numpy() == pytest.approx(two_weights[name].numpy(), abs=1e-4), name


@pytest.mark.slow
def test_two_processes_train_a_task_with_two_optimizers(script: Script, tmp_path: Path) -> None:
    overrides = ["model=gan", "model.base_channels=4", "trainer.max_epochs=1", "trainer.accelerator=cpu"]
    done = script("train", *overrides, "trainer.devices=2", "run_dir=run")
    assert (done.returncode, done.stderr) == (0, "")
    assert history(tmp_path / "run")[0]["step"] == "41"
    assert (tmp_path / "run" / "samples.png").is_file()
