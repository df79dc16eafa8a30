from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback, Trainer

from firstlight.config import RunConfig, compose
from firstlight.tasks.build import build_task
from firstlight.training.callbacks.checkpoints import AtomicCheckpointIO
from firstlight.training.run import train
from firstlight.training.trainer import build_trainer
from helpers.runs import TINY, history
from helpers.small import IMAGES

GAN = ("model=gan", "model.base_channels=4")
UNFROZEN_LATER = ("model=cnn", "model.freeze=backbone", "model.unfreeze_at_epoch=2")


def trainer_of(*words: str, callback: Callback | None = None) -> Trainer:
    config = RunConfig.from_overrides("trainer.accelerator=cpu", *words)
    return build_trainer(config, build_task(config, IMAGES), callback)


def test_the_trainer_gets_the_options_of_the_config_except_the_step_limit() -> None:
    trainer = trainer_of("model=linear", "trainer.max_epochs=7", "trainer.max_steps=5", "trainer.gradient_clip_val=0.5")
    assert (trainer.max_epochs, trainer.max_steps, trainer.gradient_clip_val) == (7, -1, 0.5)
    assert (trainer.logger, trainer.checkpoint_callback, trainer.progress_bar_callback) == (None, None, None)
    assert isinstance(trainer.strategy.checkpoint_io, AtomicCheckpointIO)


def test_our_callback_comes_after_the_callbacks_of_the_config(tmp_path: Path) -> None:
    node = "{_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/loss}"
    ours = Callback()
    words = ("model=linear", f"+trainer.callbacks=[{node}]", f"+trainer.default_root_dir={tmp_path}")
    callbacks: Any = trainer_of(*words, callback=ours).callbacks  # type: ignore[attr-defined]  # of every Trainer
    names = [type(callback).__name__ for callback in callbacks]
    assert names.index("EarlyStopping") < callbacks.index(ours)


@pytest.mark.parametrize(
    ("words", "is_one_of_several", "finds_unused"),
    [
        (GAN, True, True),
        (UNFROZEN_LATER, True, True),
        (("model=cnn", "model.freeze=backbone"), True, False),
        (GAN, False, False),
    ],
)
def test_processes_do_not_wait_for_gradients_of_parameters_that_a_step_does_not_use(
    words: tuple[str, ...], is_one_of_several: bool, finds_unused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if is_one_of_several:
        monkeypatch.setenv("LOCAL_RANK", "0")
    strategy: Any = trainer_of(*words).strategy
    assert getattr(strategy, "_ddp_kwargs", {}).get("find_unused_parameters", False) == finds_unused


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("trainer.max_epochs=0",), r"trainer\.max_epochs=0: must be at least 1, or -1 for no limit"),
        (("trainer.precision=bf16-true",), r"trainer\.precision=bf16-true: must be 32, bf16 or 16"),
        (("trainer.accelerator=abacus",), "trainer.accelerator=abacus: unknown accelerator"),
        (
            (*GAN, "trainer.accumulate_grad_batches=2"),
            r"trainer\.accumulate_grad_batches=2: must be left out with task=adversarial",
        ),
    ],
)
def test_an_invalid_option_raises_an_error_that_names_its_key(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        trainer_of(*words)


@pytest.mark.parametrize("option", ["accumulate_grad_batches=1", "gradient_clip_val=0", "gradient_clip_val=1"])
def test_these_options_are_accepted_with_several_optimizers(option: str) -> None:
    trainer_of(*GAN, f"++trainer.{option}")


def test_accumulated_batches_count_as_one_step(tmp_path: Path) -> None:
    train(compose(*TINY, "trainer.accumulate_grad_batches=4"), run_dir=tmp_path / "run")
    assert [row["step"] for row in history(tmp_path / "run")] == ["11", "22"]  # 41 batches in each epoch
    assert float(history(tmp_path / "run")[-1]["lr"]) < 1e-6


def test_callbacks_of_the_config_are_called(tmp_path: Path) -> None:
    callback = "{_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/loss, stopping_threshold: 99}"
    train(compose(*TINY, f"+trainer.callbacks=[{callback}]"), run_dir=tmp_path / "run")
    assert len(history(tmp_path / "run")) == 1
