"""SIGTERM and Ctrl-C end a run at its next step; it then continues with the same bits."""

import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from firstlight.config import RunConfig
from firstlight.runs import RunFolder
from firstlight.training.callbacks.stop_on_signal import StopOnSignal
from firstlight.training.module import TrainingModule
from firstlight.training.recovery.stop_signals import StopSignals, exit_status
from firstlight.training.run import resume, train
from helpers.records import same_run
from helpers.runs import stop

QUICK = ("trainer.max_epochs=3", "trainer.accelerator=cpu", "+trainer.limit_train_batches=5")
LSTM = (
    *("data=text", "data.length=16", "data.batch_size=8", "model=lstm", "model.hidden_size=8", "model.dropout=0.2"),
    *("+trainer.limit_val_batches=3", "+trainer.limit_test_batches=3"),
)


def stop_at(patch: pytest.MonkeyPatch, step: int, number: signal.Signals = signal.SIGTERM) -> None:
    """Send a signal to this process while a run takes the step, counted from 1 over all epochs."""
    taken = TrainingModule.training_step

    def training_step(self: TrainingModule, batch: Any, batch_idx: int) -> Any:
        if self.trainer.fit_loop.total_batch_idx + 1 == step:
            signal.raise_signal(number)
        return taken(self, batch, batch_idx)

    patch.setattr(TrainingModule, "training_step", training_step)


def train_and_stop(config: RunConfig, run_dir: Path, step: int, number: signal.Signals = signal.SIGTERM) -> None:
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, step, number)
        with pytest.raises(KeyboardInterrupt) as caught:
            train(config, run_dir=run_dir)
    assert exit_status(caught.value) == 128 + number


def saved_batches(run_dir: Path) -> int:
    """Return the batches of the epoch that last.ckpt has trained on; 0 between two epochs."""
    checkpoint = torch.load(run_dir / "checkpoints" / "last.ckpt", weights_only=True)
    if "unfinished_epoch" not in checkpoint:
        return 0
    return checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]["current"]["ready"]


@pytest.mark.parametrize(
    ("options", "step", "batches"),
    [
        (("model=mlp", "model.dropout=0.5", "augment=light"), 2, 2),  # in the first epoch
        (("model=mlp", "scheduler=plateau", "trainer.log_every_n_steps=1"), 8, 3),
        (LSTM, 8, 3),
        (("model=gan", "model.base_channels=4"), 7, 2),
        (("model=linear",), 15, 0),  # the last step of an epoch, and of the run
        (("model=linear", "trainer.accumulate_grad_batches=2"), 6, 2),  # after the next optimizer step
        (("model=linear", "+trainer.val_check_interval=2"), 7, 3),  # a validation follows; after the next step
        (("model=cnn", "model.filters=[4,8]", "model.freeze=backbone", "model.unfreeze_at_epoch=2"), 6, 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_a_run_stopped_within_an_epoch_continues_with_the_same_bits(
    options: tuple[str, ...], step: int, batches: int, tmp_path: Path
) -> None:
    config = RunConfig.from_overrides(*QUICK, *options)
    train(config, run_dir=tmp_path / "whole")
    train_and_stop(config, tmp_path / "stopped", step)
    assert saved_batches(tmp_path / "stopped") == batches
    assert RunFolder(tmp_path / "stopped").metrics()["status"] == "interrupted"
    resume(tmp_path / "stopped")
    same_run(tmp_path / "whole", tmp_path / "stopped")


def test_a_run_stopped_at_every_step_continues_with_the_same_bits(tmp_path: Path) -> None:
    config = RunConfig.from_overrides(*QUICK, "trainer.max_epochs=2", "model=linear")
    train(config, run_dir=tmp_path / "whole")
    train_and_stop(config, tmp_path / "stopped", 1)
    for step in range(2, 11):
        with pytest.MonkeyPatch.context() as patch:
            stop_at(patch, step)
            with pytest.raises(KeyboardInterrupt):
                resume(tmp_path / "stopped")
    resume(tmp_path / "stopped")
    same_run(tmp_path / "whole", tmp_path / "stopped")


def test_a_callback_that_begins_epochs_lets_the_run_repeat_the_epoch(tmp_path: Path) -> None:
    callback = "{_target_: helpers.probe.EpochStarts}"
    config = RunConfig.from_overrides(*QUICK, "model=linear", f"+trainer.callbacks=[{callback}]")
    train(config, run_dir=tmp_path / "whole")
    train_and_stop(config, tmp_path / "stopped", 7)
    assert saved_batches(tmp_path / "stopped") == 0
    resume(tmp_path / "stopped", trust=True)
    same_run(tmp_path / "whole", tmp_path / "stopped")


def test_a_second_signal_ends_the_run_at_once(tmp_path: Path) -> None:
    config = RunConfig.from_overrides(*QUICK, "model=linear")
    train(config, run_dir=tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("firstlight.training.recovery.stop_signals._SECONDS_OF_ONE_REQUEST", 0.0)
        patch.setattr(StopOnSignal, "on_step_end", lambda *_: signal.raise_signal(signal.SIGINT))
        train_and_stop(config, tmp_path / "stopped", 1, signal.SIGINT)
    assert not (tmp_path / "stopped" / "checkpoints" / "last.ckpt").exists()
    resume(tmp_path / "stopped")
    same_run(tmp_path / "whole", tmp_path / "stopped")


def test_a_signal_during_the_test_ends_the_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = RunConfig.from_overrides(*QUICK, "model=linear")
    train(config, run_dir=tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(TrainingModule, "test_step", lambda *_: signal.raise_signal(signal.SIGTERM))
        with pytest.raises(KeyboardInterrupt) as caught:
            train(config, run_dir=tmp_path / "stopped")
    assert exit_status(caught.value) == 143
    resume(tmp_path / "stopped")
    same_run(tmp_path / "whole", tmp_path / "stopped")


def test_handlers_of_signals_are_as_they_were_after_a_run(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    config = RunConfig.from_overrides(*QUICK, "model=linear")
    train_and_stop(config, tmp_path / "stopped", 1)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            signals.defer()
            signal.raise_signal(signal.SIGINT)
        assert signals.number == 0
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.slow
def test_the_exit_status_of_a_stopped_process_names_its_signal(tmp_path: Path) -> None:
    """Of SIGTERM; test_an_interrupted_run_prints_how_to_continue sends SIGINT."""
    overrides = ["model=linear", "trainer.max_epochs=900", "trainer.accelerator=cpu", "run_dir=run"]
    done = stop(tmp_path, "run", overrides, after_epochs=1, number=signal.SIGTERM)
    assert done.returncode == 143
    assert "interrupted; continue with" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
