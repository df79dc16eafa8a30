"""A run that is killed at any write, diverges, meets a full disk or a damaged file loses nothing and claims nothing."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from firstlight.commands.train import main
from firstlight.config import RunConfig
from firstlight.config.compose import compose
from firstlight.config.errors import conflict_with_resume
from firstlight.data import Digits
from firstlight.files import is_unfinished, only_process
from firstlight.runs import RunFolder
from firstlight.runs.evaluate import evaluate
from firstlight.runs.load import read_checkpoint
from firstlight.runs.sweeps import SequentialSweep
from firstlight.tasks import Classification
from firstlight.training.callbacks.recorder import Recorder
from firstlight.training.module import TrainingModule
from firstlight.training.recovery.loss_guard import _WINDOW, Diverged, LossGuard, Place
from firstlight.training.run import resume, train
from helpers.records import events, final_metrics, same_run
from helpers.runs import REPOSITORY, history, weights

QUICK = (
    "model=linear",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=2",
    "+trainer.limit_train_batches=3",
    "figures=false",
)
BY_STEP = ("scheduler=constant", "trainer.log_every_n_steps=1")


NUM_WRITES = 15


class Killed(BaseException):
    """Stands for SIGKILL: raised at a write, and at each later one."""


@contextmanager
def killed_at(folder: Path, write: int, before: bool) -> Iterator[list[str]]:
    """Kill a run at the n-th write to its folder, counted from 0, before or after it; yield the names of the files."""
    replaced: Any = Path.replace
    began: Any = Recorder.on_epoch_end
    names: list[str] = []

    def note(name: str, action: Callable[[], Any]) -> Any:
        names.append(name)
        if len(names) > write + 1 or (len(names) == write + 1 and before):
            raise Killed(name)
        result = action()
        if len(names) == write + 1:
            raise Killed(name)
        return result

    def replace(self: Path, target: Path) -> Any:
        if not target.is_relative_to(folder):
            return replaced(self, target)
        return note(target.name, lambda: replaced(self, target))

    def on_epoch_end(self: Recorder, trainer: Any, module: Any) -> None:
        note("records", lambda: began(self, trainer, module))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        patch.setattr(Recorder, "on_epoch_end", on_epoch_end)
        yield names


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing disturbs."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(RunConfig.from_overrides(*QUICK, *BY_STEP), run_dir=folder)
    return folder


def test_the_writes_of_a_run_are_those_that_the_next_test_kills(tmp_path: Path) -> None:
    with killed_at(tmp_path, NUM_WRITES, before=True) as names:
        train(RunConfig.from_overrides(*QUICK, *BY_STEP), run_dir=tmp_path / "run")
    epoch = ["records", "last.ckpt", "best.ckpt"]
    # .owner is the owner of the lock of the folder.
    begin = [".owner", "config.yaml", ".owner", "data.json", "spec.json", "run.json", "metrics.csv"]
    assert names == [*begin, *epoch, *epoch, "images.npy", "metrics.json"]
    assert len(names) == NUM_WRITES


# After a write the folder is as it is before the next one, except for the unfinished file of the next one.
@pytest.mark.parametrize(
    ("write", "before"), [*((write, True) for write in range(NUM_WRITES)), (NUM_WRITES - 1, False)]
)
def test_a_run_killed_at_any_write_resumes_to_the_same_end(
    write: int, before: bool, whole: Path, tmp_path: Path
) -> None:
    folder, config = tmp_path / "run", RunConfig.from_overrides(*QUICK, *BY_STEP)
    with killed_at(folder, write, before), pytest.raises((Killed, KeyboardInterrupt)):
        train(config, run_dir=folder)
    if not (folder / "config.yaml").exists():
        train(config, run_dir=folder)  # the folder counts as empty
    elif RunFolder(folder).metrics().get("status") != "completed":
        resume(folder)
    same_run(whole, folder)


def test_a_resume_that_is_killed_at_its_writes_resumes_to_the_same_end(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with killed_at(folder, 7, before=False), pytest.raises((Killed, KeyboardInterrupt)):
        train(RunConfig.from_overrides(*QUICK, *BY_STEP), run_dir=folder)
    for write in range(6):
        with killed_at(folder, write, before=bool(write % 2)), pytest.raises((Killed, KeyboardInterrupt)):
            resume(folder)
    resume(folder)
    same_run(whole, folder)


def test_a_kill_between_last_and_best_keeps_the_best_epoch(tmp_path: Path) -> None:
    """The fault of the issue: last.ckpt names an epoch as the best that best.ckpt does not hold."""
    folder = RunFolder(tmp_path / "run")
    with killed_at(folder.path, 12, before=True) as names, pytest.raises((Killed, KeyboardInterrupt)):
        train(RunConfig.from_overrides(*QUICK, *BY_STEP), run_dir=folder.path)
    assert names[12] == "best.ckpt"
    resume(folder.path)
    metrics = folder.metrics()
    found = evaluate(folder.path, split="val", accelerator="cpu")
    assert found["val/loss"] == pytest.approx(metrics["val/loss"], abs=1e-6)


def test_unfinished_files_are_deleted_by_a_resume_and_others_stay(tmp_path: Path) -> None:
    folder = RunFolder.create(RunConfig.from_overrides(*QUICK), tmp_path / "run")
    leftovers = [folder.checkpoint_dir / ".last.ckpt.0123abcd", folder.path / ".metrics.json.00000000"]
    others = [folder.checkpoint_dir / "mine.ckpt", folder.path / ".notes", folder.path / ".a.txt.backup12x"]
    for path in leftovers + others:
        path.write_bytes(b"x")
    assert [is_unfinished(path) for path in leftovers + others] == [True, True, False, False, False]
    resume(folder.path)
    assert not any(path.exists() for path in leftovers)
    assert all(path.exists() for path in others)


def test_a_damaged_record_at_the_end_of_an_event_file_is_dropped(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    (folder / "metrics.json").write_text('{"status": "interrupted"}')
    (path,) = folder.glob("tensorboard/events.out.tfevents.*")
    path.write_bytes(path.read_bytes()[:-7])
    second = path.with_name(f"{path.name}.2")  # as after a kill between the two steps of a rewind
    second.write_bytes(path.read_bytes())
    with (folder / "metrics.csv").open("a") as file:
        file.write("3,9,0.1")
    resume(folder)
    same_run(whole, folder)
    assert len(list(path.parent.glob("events*"))) == 1


# ---- a loss that is NaN


class Poison:
    """Makes the loss of one step NaN, and records the weights before that step."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.count = 0
        self.before: dict[str, Tensor] = {}
        self.after: dict[str, Tensor] = {}

    def install(self, patch: pytest.MonkeyPatch, value: float = float("nan")) -> None:
        batch_loss = Classification.batch_loss

        def poisoned(task: Classification, batch: Any, meter: Any) -> Tensor:
            loss = batch_loss(task, batch, meter)
            if not task.training:
                return loss
            self.count += 1
            if self.count == self.step:
                self.before = {name: tensor.clone() for name, tensor in task.state_dict().items()}
                self.after = task.state_dict()
                return loss * value
            return loss

        patch.setattr(Classification, "batch_loss", poisoned)


@pytest.mark.parametrize(
    ("step", "value", "place"),
    [
        (1, "nan", "epoch 1, step 1, batch 1: stopped, because the loss is NaN"),
        (5, "nan", "epoch 2, step 5, batch 2: stopped, because the loss is NaN"),
        (6, "inf", "epoch 2, step 6, batch 3: stopped, because the loss is Inf"),
    ],
)
def test_a_loss_that_is_not_finite_stops_the_run_before_the_weights_change(
    step: int, value: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = Poison(step)
    poison.install(monkeypatch, float(value))
    metrics = train(RunConfig.from_overrides(*QUICK), run_dir=tmp_path / "run")
    assert metrics["status"] == "diverged"
    assert place in (tmp_path / "run" / "train.log").read_text()
    assert all(torch.equal(poison.before[name], tensor) for name, tensor in poison.before.items())
    assert len(history(tmp_path / "run")) == (step - 1) // 3
    checkpoints = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    if step == 1:
        assert not checkpoints
        assert "test/loss" not in metrics
    else:
        assert checkpoints == ["best.ckpt", "last.ckpt"]
        for name in ("best", "last"):
            assert all(tensor.isfinite().all() for tensor in weights(tmp_path / "run", name).values())
        assert metrics["epoch"] == 1
        assert metrics["test/loss"] > 0
    with pytest.raises(ValueError, match="this one has diverged"):
        resume(tmp_path / "run")


def test_gradients_that_are_not_finite_are_never_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(self: TrainingModule, optimizer: Any) -> None:
        if self.global_step == 5:  # the last step of the second epoch; its loss is finite
            next(self.parameters()).grad.view(-1)[3] = torch.inf  # type: ignore[union-attr]

    monkeypatch.setattr(TrainingModule, "on_before_optimizer_step", spoil)
    metrics = train(RunConfig.from_overrides(*QUICK), run_dir=tmp_path / "run")
    assert metrics["status"] == "diverged"
    assert metrics["epoch"] == 1
    assert "epoch 2, step 6: stopped, because weights became NaN or Inf" in (tmp_path / "run/train.log").read_text()
    for name in ("best", "last"):
        assert all(tensor.isfinite().all() for tensor in weights(tmp_path / "run", name).values())


def test_a_gan_stops_at_the_part_whose_loss_is_not_finite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from firstlight.tasks import Adversarial

    monkeypatch.setattr(Adversarial, "_generator_loss", lambda self, fakes: fakes.mean() * torch.nan)
    config = RunConfig.from_overrides(*QUICK, "model=gan", "model.base_channels=2")
    assert train(config, run_dir=tmp_path / "run")["status"] == "diverged"
    log = (tmp_path / "run" / "train.log").read_text()
    assert "epoch 1, step 1, batch 1" in log
    assert "no epoch has ended" in log
    assert not re.search(r"\bnan\b|evaluate  |sample  ", log)  # nothing can use a run without a checkpoint
    with pytest.raises(ValueError, match="must have a checkpoint, and no epoch of this run has ended"):
        evaluate(tmp_path / "run")


class _TwoProcesses:
    """As much of a Trainer as the guard uses, on one of two processes; the other one's losses are finite."""

    world_size = 2
    strategy: Any = None


def test_losses_on_a_gpu_are_read_together_and_the_first_bad_one_is_named() -> None:
    trainer = _TwoProcesses()
    trainer.strategy = trainer
    trainer.reduce = lambda flags, reduce_op: flags  # type: ignore[attr-defined]
    guard: Any = LossGuard()
    for step in range(1, _WINDOW):
        guard.check(torch.tensor(torch.nan if step in (9, 12) else 1.0), partial(Place, 1, step, step), trainer)
    with pytest.raises(Diverged, match="epoch 1, step 9, batch 9: stopped, because the loss is NaN"):
        guard.check(torch.tensor(1.0), partial(Place, 1, _WINDOW, _WINDOW), trainer)
    guard.check(torch.tensor(torch.inf), partial(Place, 2, 99, 1), trainer)
    with pytest.raises(Diverged, match=r"step 99.*Inf"):
        guard.read(trainer)
    guard.read(trainer)  # nothing is left


# ---- locks


def test_a_folder_has_one_process_and_the_message_names_it(tmp_path: Path) -> None:
    with (
        only_process(tmp_path, f"resume={tmp_path}"),
        pytest.raises(ValueError, match=r"resume=.*and process \d+ on"),
        only_process(tmp_path, f"resume={tmp_path}"),
    ):
        raise AssertionError("two processes have the lock")
    assert not list(tmp_path.iterdir())
    with only_process(tmp_path, "key"):
        pass


def test_a_run_that_is_being_trained_cannot_be_resumed_and_a_killed_one_can(tmp_path: Path) -> None:
    folder = RunFolder.create(RunConfig.from_overrides(*QUICK), tmp_path / "run")
    lock = f"from pathlib import Path; from firstlight.files import only_process; folder = Path({str(folder.path)!r})"
    code = f"import time; {lock}\nwith only_process(folder, 'x'):\n    print('locked', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        before = {path: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}
        with pytest.raises(ValueError, match=rf"resume=.*process {process.pid} on"):
            resume(folder.path)
        assert {path: path.read_bytes() for path in folder.path.iterdir() if path.is_file()} == before
        process.kill()
    assert resume(folder.path)["status"] == "completed"


def test_two_sweeps_cannot_use_one_folder(tmp_path: Path) -> None:
    sweep = SequentialSweep(tmp_path)
    with pytest.raises(ValueError, match=r"hydra\.sweep\.dir=.*no other process writes to, and process"):
        SequentialSweep(tmp_path)
    sweep.begin(0, ["seed=1"])
    sweep.finished({"status": "completed", "monitor": "val/loss", "monitor_mode": "min", "val/loss": 0.5})
    sweep.close()
    before = sweep.folder.summary_path.read_text()
    with pytest.raises(ValueError, match=r"hydra\.sweep\.dir=.*must be a new folder, because it holds the summary"):
        SequentialSweep(tmp_path)
    assert sweep.folder.summary_path.read_text() == before


# ---- damaged checkpoints


def test_no_flipped_bit_changes_what_a_checkpoint_says(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "best.ckpt"
    good = (whole / "checkpoints" / "best.ckpt").read_bytes()
    path.write_bytes(good)
    expected = repr(read_checkpoint(path))
    messages = []
    for position in range(11, len(good), max(1, len(good) // 150)):
        damaged = bytearray(good)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            found = repr(read_checkpoint(path))
        except ValueError as error:
            messages.append(str(error))
        else:
            assert found == expected, position  # padding, or a field that is not read
    assert len(messages) > 50
    assert all(message.startswith(f"{path}: cannot read (") for message in messages)


@pytest.mark.parametrize("length", [0, 1, 1000, -1, -300])
def test_a_truncated_checkpoint_is_refused_by_resume_and_evaluate(length: int, whole: Path, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(whole, folder.path)
    folder.write_metrics({"status": "interrupted"})
    for name, use, fix in (
        ("last", lambda: resume(folder.path), "copy best.ckpt over it"),
        ("best", lambda: evaluate(folder.path, accelerator="cpu"), "use checkpoint=last"),
    ):
        path = folder.checkpoint_path(name)
        good = path.read_bytes()
        path.write_bytes(good[:length])
        with pytest.raises(ValueError, match=rf"{name}\.ckpt: cannot read \(.*To fix: {fix}") as caught:
            use()
        assert "weights_only" not in str(caught.value)
        path.write_bytes(good)
    shutil.copy(folder.checkpoint_path("best"), folder.checkpoint_path("last"))  # the remedy
    assert resume(folder.path)["status"] == "completed"


def test_a_checkpoint_that_holds_code_is_refused_without_the_advice_to_run_it(tmp_path: Path) -> None:
    torch.save({"state_dict": Path("code")}, tmp_path / "best.ckpt")
    with pytest.raises(ValueError, match=r"best\.ckpt: cannot read \(.*more than tensors") as caught:
        read_checkpoint(tmp_path / "best.ckpt")
    assert "weights_only" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_resume_reports_a_missing_best_checkpoint_before_it_trains(whole: Path, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(whole, folder.path)
    folder.write_metrics({"status": "interrupted"})
    checkpoint = torch.load(folder.checkpoint_path("last"), weights_only=True)
    checkpoint["callbacks"]["RunCallbacks"]["Checkpoints"]["best"]["epoch"] = 1  # not the last epoch
    torch.save(checkpoint, folder.checkpoint_path("last"))
    folder.checkpoint_path("best").unlink()
    with pytest.raises(ValueError, match=r"checkpoint=best: unknown checkpoint"):
        resume(folder.path)


# ---- longer runs


@pytest.mark.parametrize("limit", [{"max_epochs": 4}, {"max_steps": 9, "max_epochs": 4}], ids=str)
def test_a_prolonged_run_equals_one_that_was_longer_from_the_beginning(limit: dict[str, Any], tmp_path: Path) -> None:
    overrides = [f"trainer.{key}={value}" for key, value in limit.items()]
    train(RunConfig.from_overrides(*QUICK, *BY_STEP, *overrides), run_dir=tmp_path / "long")
    train(RunConfig.from_overrides(*QUICK, *BY_STEP), run_dir=tmp_path / "short")
    resume(tmp_path / "short", **limit)
    a, b = tmp_path / "long", tmp_path / "short"
    assert history(a) == history(b)
    assert final_metrics(a) == final_metrics(b)
    assert all(torch.equal(tensor, weights(b)[name]) for name, tensor in weights(a).items())
    assert [step for step, _ in events(b)["results/text_summary"]] == [int(history(a)[-1]["step"])]


@pytest.mark.parametrize("scheduler", ["onecycle", "cosine"])
def test_the_rate_of_a_prolonged_run_goes_on_as_in_a_run_of_the_new_length(
    scheduler: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*QUICK, f"scheduler={scheduler}")
    train(RunConfig.from_overrides(*words, "trainer.max_epochs=4"), run_dir=tmp_path / "long")
    train(RunConfig.from_overrides(*words), run_dir=tmp_path / "short")
    resume(tmp_path / "short", max_epochs=4)
    assert "The learning rate goes on as in a run of the new length" in capsys.readouterr().out
    rates = [[float(row["lr"]) for row in history(tmp_path / name)] for name in ("short", "long")]
    assert rates[0][3] == rates[1][3]  # the third epoch begins with a step at the old rate
    assert rates[0][1] < rates[1][1]


def test_a_killed_prolongation_can_be_resumed_without_the_limit(tmp_path: Path) -> None:
    train(RunConfig.from_overrides(*QUICK, *BY_STEP), run_dir=tmp_path / "run")
    with killed_at(tmp_path / "run", 3, before=True) as names, pytest.raises((Killed, KeyboardInterrupt)):
        resume(tmp_path / "run", max_epochs=3)
    assert names[:3] == [".owner", "metrics.json", "config.yaml"]
    assert resume(tmp_path / "run")["status"] == "completed"
    assert len(history(tmp_path / "run")) == 3


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_epochs": 2}, r"trainer\.max_epochs=2: must be more than 2, which the run has trained"),
        ({"max_epochs": 1}, r"trainer\.max_epochs=1: must be more than 2"),
        ({"max_epochs": 9, "max_steps": 6}, r"trainer\.max_steps=6: must be more than 6"),
        ({}, r"completed\. To fix: prolong it with trainer\.max_epochs="),
    ],
)
def test_a_run_is_not_prolonged_by_nothing(limits: dict[str, Any], message: str, whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "run")
    with pytest.raises(ValueError, match=message):
        resume(tmp_path / "run", **limits)
    assert (tmp_path / "run" / "metrics.json").read_bytes() == (whole / "metrics.json").read_bytes()
    assert (tmp_path / "run" / "config.yaml").read_bytes() == (whole / "config.yaml").read_bytes()


EARLY = "{_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/loss, patience: 1, min_delta: 99}"


@pytest.mark.parametrize("option", [f"+trainer.callbacks=[{EARLY}]", "patience=1"])
def test_a_run_that_ended_for_want_of_improvement_is_not_prolonged(option: str, tmp_path: Path) -> None:
    still = ("optimizer=sgd", "optimizer.lr=0.0", "scheduler=constant", "trainer.max_epochs=5")
    train(RunConfig.from_overrides(*QUICK, *still, option), run_dir=tmp_path / "run")
    assert len(history(tmp_path / "run")) == 2
    with pytest.raises(ValueError, match="after epoch 2, because it no longer improved"):
        resume(tmp_path / "run", max_epochs=9)


def test_early_stopping_of_the_user_that_has_stopped_trains_no_further_epoch(tmp_path: Path) -> None:
    config = RunConfig.from_overrides(*QUICK, "trainer.max_epochs=5", f"+trainer.callbacks=[{EARLY}]")
    train(config, run_dir=tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingModule, "test_step", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(config, run_dir=tmp_path / "run")
    resume(tmp_path / "run")
    same_run(tmp_path / "whole", tmp_path / "run")


def test_the_command_line_prolongs_a_run(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(whole, tmp_path / "run")
    resume_word = f"resume={tmp_path / 'run'}"
    monkeypatch.setattr(sys, "argv", ["train.py", resume_word, "trainer.max_epochs=3"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    assert len(history(tmp_path / "run")) == 3


@pytest.mark.parametrize("word", ["seed=2", "trainer.max_epochs_of_mine=2", "trainer.devices=2", "optimizer.lr=0.1"])
def test_other_options_of_a_resumed_run_are_refused(word: str) -> None:
    assert (conflict_with_resume(["resume=run", "trainer.max_epochs=3", word]) or "").startswith(
        f"{word}: must be left"
    )
    assert conflict_with_resume(["resume=run", "trainer.max_epochs=3", "+trainer.max_steps=9", "data.dir=x"]) is None


# ---- full disks


@contextmanager
def full_disk(patch: pytest.MonkeyPatch, suffix: str, after: int, number: int = errno.ENOSPC) -> Iterator[None]:
    """Let writes to files of this name fail, after some of them have been written."""
    opened, count = Path.open, 0

    class Full:
        def __init__(self, file: Any) -> None:
            self.file = file

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def write(self, data: Any) -> int:
            raise OSError(number, os.strerror(number))

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

    def open_(self: Path, mode: str = "r", *arguments: Any, **keywords: Any) -> Any:
        nonlocal count
        file = opened(self, mode, *arguments, **keywords)
        if suffix in self.name and ("w" in mode or "a" in mode):
            count += 1
            return Full(file) if count > after else file
        return file

    with patch.context() as inner:
        inner.setattr(Path, "open", open_)
        yield


@pytest.mark.parametrize(
    ("name", "after", "number"),
    [
        ("last.ckpt", 1, errno.ENOSPC),
        ("best.ckpt", 1, errno.EFBIG),
        ("metrics.csv", 2, errno.ENOSPC),
        ("tfevents", 4, getattr(errno, "EDQUOT", errno.ENOSPC)),
        ("metrics.json", 0, errno.ENOSPC),
    ],
)
def test_a_full_disk_names_the_file_and_the_run_continues(
    name: str, after: int, number: int, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    with full_disk(monkeypatch, name, after, number), pytest.raises(OSError, match="cannot write") as caught:
        train(RunConfig.from_overrides(*QUICK, *BY_STEP), run_dir=folder)
    lines = str(caught.value).splitlines()
    assert name in lines[0]
    assert f"cannot write ({os.strerror(number)}). To fix: free some space." in lines[0]
    assert "keeps the checkpoints so far; continue with" in lines[1]
    assert f"resume={folder}" in lines[1]
    resume(folder)
    same_run(whole, folder)


def test_a_log_that_cannot_be_written_is_reported_once_and_the_run_goes_on(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = RunFolder.create(RunConfig.from_overrides(*QUICK, *BY_STEP), tmp_path / "run")
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    folder.log_path.symlink_to("/dev/full")
    resume(folder.path, trust=True)  # a link out of the run folder
    printed = capsys.readouterr().err
    assert printed.count("cannot write") == 1
    assert "Traceback" not in printed
    same_run(whole, folder.path)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of this kind")
def test_a_limit_on_the_size_of_files_gives_a_sentence(tmp_path: Path) -> None:
    import resource  # Windows does not have it

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))

    def train_with_limit() -> subprocess.CompletedProcess[str]:
        words = (*QUICK, "model=mlp", "trainer.max_epochs=1", "run_dir=run", f"data.dir={data}")
        command = [sys.executable, str(REPOSITORY / "scripts" / "train.py"), *words]
        done = subprocess.run(command, cwd=tmp_path, preexec_fn=limit, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        return done

    data = tmp_path / "data"
    assert re.fullmatch(
        rf"{data}\S*: cannot write \(File too large\)\. To fix: free some space\.\n", train_with_limit().stderr
    )
    assert not (tmp_path / "run").exists()
    assert [path.name for path in data.rglob("*")] == [".firstlight"]
    Digits(dir=str(data)).splits(seed=1)
    done = train_with_limit()
    assert (
        "last.ckpt: cannot write (File too large). To fix: free some space.\nNo checkpoint is kept yet" in done.stderr
    )
    assert "Traceback" not in done.stderr
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["status"] == "failed"
    assert not list((tmp_path / "run" / "checkpoints").iterdir())


def test_threads_that_train_keep_the_handlers_of_signals(tmp_path: Path) -> None:
    results: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: results.append(train(compose(*QUICK), run_dir=tmp_path / "run")))
    thread.start()
    thread.join()
    assert results[0]["status"] == "completed"
