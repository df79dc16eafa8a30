import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from firstlight.config import RunConfig
from firstlight.runs.evaluate import evaluate
from firstlight.training.run import train
from helpers.generate import write_mnist
from helpers.runs import TINY

LIMITS = ("trainer.max_epochs=1", "trainer.accelerator=cpu", "+trainer.limit_train_batches=3")


@pytest.mark.parametrize("split", ["test", "val"])
def test_the_metrics_of_a_classifier_equal_those_of_training_bit_for_bit(trained_run: Path, split: str) -> None:
    metrics = json.loads((trained_run / "metrics.json").read_text())
    found = evaluate(trained_run, split=split, accelerator="cpu")
    assert found == {name: value for name, value in metrics.items() if name.startswith(f"{split}/")}
    assert {f"{split}/loss", f"{split}/accuracy"} <= set(found)


@pytest.mark.parametrize(
    ("words", "metric"),
    [
        (["data=text", "data.length=16", "data.batch_size=4", "model=lstm", "model.hidden_size=8"], "perplexity"),
        (["model=gan", "model.base_channels=4"], "distance"),
        (["model=vae", "model.hidden_sizes=[4]"], "kl"),
        (["data=diabetes", "model=mlp"], "rmse"),
        (["model=cnn", "model.filters=[4]", "trainer.precision=bf16-mixed", "augment=light"], "accuracy"),
        (["model=cnn", "model.filters=[4]", "model.freeze=backbone", "augment=light", "augment.views=2"], "accuracy"),
    ],
    ids=["recurrent language model", "GAN", "variational autoencoder", "regression", "mixed precision", "features"],
)
def test_the_metrics_of_every_task_equal_those_of_training_bit_for_bit(
    tmp_path: Path, words: list[str], metric: str
) -> None:
    if words[0] == "data=text":
        (tmp_path / "text.txt").write_text("A line of text, and another one.\n" * 60)
        words = [*words, f"data.file={tmp_path / 'text.txt'}"]
    metrics = train(RunConfig.from_overrides(*words, *LIMITS), run_dir=tmp_path / "run")
    for split in ("test", "val"):
        found = evaluate(tmp_path / "run", split=split, accelerator="cpu")
        assert f"{split}/{metric}" in found
        assert found == {name: metrics[name] for name in found}


def test_a_run_and_its_data_may_be_moved(tmp_path: Path) -> None:
    write_mnist(tmp_path / "here")
    config = RunConfig.from_overrides(*TINY, "data=mnist", f"data.dir={tmp_path / 'here'}")
    metrics = train(config, run_dir=tmp_path / "run")
    shutil.move(tmp_path / "run", tmp_path / "moved")
    shutil.move(tmp_path / "here", tmp_path / "there")
    found = evaluate(tmp_path / "moved", data={"dir": str(tmp_path / "there")}, accelerator="cpu")
    assert found["test/loss"] == metrics["test/loss"]


def test_other_data_than_the_training_data_raises_an_error_unless_it_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_mnist(tmp_path / "own")
    write_mnist(tmp_path / "other", num_train=100)
    train(RunConfig.from_overrides(*TINY, "data=mnist", f"data.dir={tmp_path / 'own'}"), run_dir=tmp_path / "run")
    shutil.rmtree(tmp_path / "own")
    shutil.copytree(tmp_path / "other", tmp_path / "own")
    with pytest.raises(ValueError, match=r"^data\.dir=.*own: must hold the data on which the run .*run was trained"):
        evaluate(tmp_path / "run", accelerator="cpu")
    found = evaluate(tmp_path / "run", data={"dir": str(tmp_path / "other")}, accelerator="cpu")
    assert {"other/loss", "other/accuracy"} <= set(found)
    printed = capsys.readouterr().out
    assert "- train has 90 samples, not 180" in printed
    assert "50 samples in 10 of 10 classes" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "tset"}, r"^split=tset: unknown split, did you mean 'test'\?$"),
        ({"checkpoint": "bset"}, r"^checkpoint=bset: unknown checkpoint of .*, did you mean 'best'\?$"),
    ],
)
def test_an_unknown_split_or_checkpoint_raises_an_error(
    arguments: dict[str, Any], message: str, trained_run: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(trained_run, accelerator="cpu", **arguments)
