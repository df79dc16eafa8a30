"""Callbacks of a config: a list, or a mapping from names as lightning-hydra-template writes it."""

from pathlib import Path
from typing import Any

import pytest

from firstlight.config.compose import compose
from firstlight.runs.evaluate import evaluate
from firstlight.training.run import resume, train
from helpers.probe import Probe
from helpers.runs import TINY, history

PROBE = "{_target_: helpers.probe.Probe}"
STOPPER = "{_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/loss, stopping_threshold: 99}"
KEPT = "{_target_: lightning.pytorch.callbacks.ModelCheckpoint, monitor: val/loss}"


@pytest.mark.parametrize(
    "words",
    [
        ["+trainer.callbacks.probe._target_=helpers.probe.Probe", f"+trainer.callbacks.stop={STOPPER}"],
        [f"+trainer.callbacks={{probe: {PROBE}, none: null, stop: {STOPPER}, kept: {KEPT}}}"],
        [f"+trainer.callbacks=[{PROBE}, null, {STOPPER}]"],
    ],
)
def test_every_callback_of_a_mapping_or_a_list_is_called(words: list[str], tmp_path: Path) -> None:
    train(compose(*TINY, *words), run_dir=tmp_path / "run")
    trainer: Any = Probe.latest.trainer
    names = [type(each).__name__ for each in trainer.callbacks]
    assert names.count("Probe") == names.count("EarlyStopping") == 1
    assert Probe.latest.num_batches("train") == [41]  # EarlyStopping ended the run after the first of two epochs
    assert len(history(tmp_path / "run")) == 1
    assert any((tmp_path / "run").glob("model_checkpoints/*.ckpt")) == ("kept:" in " ".join(words))


def test_a_run_with_a_mapping_of_callbacks_is_evaluated_and_prolonged(tmp_path: Path) -> None:
    train(compose(*TINY, f"+trainer.callbacks={{probe: {PROBE}, none: null}}"), run_dir=tmp_path)
    resume(tmp_path, max_epochs=3)
    assert Probe.latest.num_batches("train") == [41]
    assert evaluate(tmp_path, accelerator="cpu", trust=True)["test/loss"] > 0


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("=rich", "=rich: must be a node with a _target_, the class of a callback, or a list or a mapping of"),
        ("={}", None),
        ("=[]", None),
        ("=null", None),
        ("=[5]", ".0=5: must be a node with a _target_, the class of a callback."),
        ("={say: rich}", ".say=rich: must be a node with a _target_"),
        ("={say: {patience: 3}}", ".say={'patience': 3}: must be a node with a _target_"),
        (
            "={bar: {_target_: lightning.pytorch.callbacks.ProgressBar}}",
            ".bar=ProgressBar: must be replaced by the progress",
        ),
        ("={a: {_target_: torch.nn.Identity}}", ".a=Identity: must be an object of a subclass of"),
        ("=[{_target_: torch.nn.Identity}]", ".0=Identity: must be an object of a subclass of"),
        (f"=[{PROBE[:-1]}, _partial_: true}}]", ".0=Probe: must be an object of a subclass of"),
        (f"={{stop: {STOPPER.replace('val/loss', 'val/los')}}}", ".stop.monitor=val/los: unknown metric, did you mean"),
    ],
)
def test_anything_else_is_refused_before_a_run_folder_exists(word: str, message: str | None, tmp_path: Path) -> None:
    def run() -> None:
        train(compose(*TINY, "trainer.max_epochs=1", f"+trainer.callbacks{word}"), run_dir=tmp_path / "run")

    if message is None:
        run()
        return
    with pytest.raises(ValueError, match=r"^trainer\.callbacks") as caught:
        run()
    assert str(caught.value).startswith(f"trainer.callbacks{message}")
    assert not (tmp_path / "run").exists()
