"""Every argument of the installed Lightning's Trainer and every callback that it ships: it works, or is refused."""

import importlib.util
import inspect
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch.callbacks
import pytest
import torch
from lightning.pytorch import Trainer

from firstlight.config.compose import compose
from firstlight.runs.evaluate import evaluate
from firstlight.training.run import train
from helpers.probe import Probe
from helpers.runs import TINY, history, same_weights, weights

ARGUMENTS = set(inspect.signature(Trainer.__init__).parameters) - {"self"}
CALLBACKS = set(lightning.pytorch.callbacks.__all__)
STOPPER = "{_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/loss, stopping_threshold: 99}"


@dataclass(frozen=True)
class Run:
    """A run on digits, whose epoch has 41 batches of training, 5 of validation and 12 of test."""

    folder: Path
    probe: Probe
    metrics: dict[str, Any]

    @property
    def trainer(self) -> Any:
        return self.probe.trainer

    @property
    def log(self) -> str:
        return (self.folder / "train.log").read_text()

    def norms(self) -> list[float]:
        return [float(gradient.norm()) for gradient in self.probe.gradients]


def run(folder: Path, *words: str, callbacks: str = "") -> Run:
    """Train; `folder` in a word stands for the folder of the test."""
    probes = f"+trainer.callbacks=[{{_target_: helpers.probe.Probe}}{callbacks}]"
    metrics = train(compose(*TINY, probes, *words), run_dir=folder / "run")
    return Run(folder / "run", Probe.latest, metrics)


def profiled(r: Run, text: str) -> bool:
    """Return whether the table of a profiler, with this text, is in the log and in a file of its own."""
    return text in r.log and text in (r.folder / "profile.txt").read_text()


@pytest.fixture(autouse=True)
def _same_modes() -> Any:
    yield
    assert "LOCAL_RANK" not in os.environ  # a strategy for several processes would leave it there
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = False


Check = Callable[[Run], bool]
ONE = "trainer.max_epochs=1"
# Argument -> word, and what is true of one run with all of these words.
WORK_TOGETHER: list[tuple[str, str, Check]] = [
    ("accelerator", "trainer.accelerator=auto", lambda r: r.trainer.strategy.root_device.type in ("cpu", "cuda")),
    ("benchmark", "+trainer.benchmark=true", lambda r: r.probe.modes["benchmark"]),
    ("detect_anomaly", "+trainer.detect_anomaly=true", lambda r: r.probe.modes["anomaly"]),
    ("devices", "trainer.devices=auto", lambda r: r.trainer.world_size == 1),
    ("enable_checkpointing", "+trainer.enable_checkpointing=true", lambda r: len(weights(r.folder)) == 2),
    ("enable_model_summary", "+trainer.enable_model_summary=true", lambda r: "Total params" in r.log),
    ("enable_progress_bar", "+trainer.enable_progress_bar=true", lambda r: r.metrics["status"] == "completed"),
    ("gradient_clip_val", "trainer.gradient_clip_val=0.01", lambda r: max(r.norms()) < 0.0101),
    ("inference_mode", "+trainer.inference_mode=false", lambda r: not r.probe.modes["inference"]),
    ("limit_test_batches", "+trainer.limit_test_batches=0.5", lambda r: r.probe.num_batches("test") == [6]),
    ("log_every_n_steps", "trainer.log_every_n_steps=20", lambda r: logged_steps(r.folder) == [20, 40]),
    ("num_nodes", "+trainer.num_nodes=1", lambda r: r.trainer.num_nodes == 1),
    ("num_sanity_val_steps", "trainer.num_sanity_val_steps=2", lambda r: r.probe.num_batches("sanity") == [2]),
    ("precision", "trainer.precision=32", lambda r: r.trainer.precision == "32-true"),
]
# Argument -> words, and what is true of a run with them.
WORKS: list[tuple[str, list[str], Check]] = [
    ("accumulate_grad_batches", ["trainer.accumulate_grad_batches=4"], lambda r: r.trainer.global_step == 22),
    ("callbacks", [ONE], lambda r: r.probe.num_batches("train") == [41]),
    ("check_val_every_n_epoch", ["+trainer.check_val_every_n_epoch=2"], lambda r: r.probe.validated_after == [82]),
    (
        "default_root_dir",
        ["+trainer.default_root_dir=FOLDER/root", "+trainer.logger=true", ONE],
        lambda r: (r.folder.parent / "root" / "lightning_logs").is_dir(),
    ),
    ("deterministic", ["+trainer.deterministic=true", ONE], lambda r: r.probe.modes["deterministic"]),
    (
        "enable_autolog_hparams",
        ["+trainer.enable_autolog_hparams=false", "+trainer.logger=true", ONE],
        lambda r: not any("AdamW" in file.read_text() for file in r.folder.rglob("hparams.yaml")),
    ),
    (
        "fast_dev_run",
        ["+trainer.fast_dev_run=2"],
        lambda r: [r.probe.num_batches(split) for split in ("train", "val", "test")] == [[2], [2], [2]],
    ),
    (
        "gradient_clip_val",
        ["trainer.gradient_clip_val=0.01", "trainer.precision=bf16", ONE],
        lambda r: r.trainer.precision == "bf16-mixed" and 0.005 < max(r.norms()) < 0.0101,
    ),
    (
        "gradient_clip_algorithm",
        ["trainer.gradient_clip_val=0.01", "trainer.gradient_clip_algorithm=value", ONE],
        lambda r: max(r.norms()) > 0.02 and all(float(one.abs().max()) <= 0.01 for one in r.probe.gradients),
    ),
    (
        "limit_test_batches",
        ["+trainer.limit_test_batches=0", ONE],
        lambda r: "test/loss" not in r.metrics and r.metrics["status"] == "completed",
    ),
    ("limit_train_batches", ["+trainer.limit_train_batches=0.1"], lambda r: r.probe.num_batches("train") == [4, 4]),
    (
        "limit_train_batches",
        ["+trainer.limit_train_batches=1"],
        lambda r: r.probe.batches["train"][0] != r.probe.batches["train"][1],
    ),
    ("limit_val_batches", ["+trainer.limit_val_batches=3"], lambda r: same_validation(r, 3)),
    (
        "limit_val_batches",
        ["+trainer.limit_val_batches=0", "monitor=train/loss"],
        lambda r: not r.probe.batches["val"] and "val/loss" not in r.metrics and r.metrics["test/loss"] > 0,
    ),
    (
        "logger",
        ["+trainer.logger=true", ONE],
        lambda r: any("AdamW" in file.read_text() for file in (r.folder / "lightning_logs").rglob("hparams.yaml")),
    ),
    (
        "logger",
        ["+trainer.logger={_target_: lightning.pytorch.loggers.CSVLogger, save_dir: FOLDER/csv}", ONE],
        lambda r: "val/loss" in next((r.folder.parent / "csv").rglob("metrics.csv")).read_text(),
    ),
    ("max_epochs", ["trainer.max_epochs=null", "trainer.max_steps=60"], lambda r: r.trainer.global_step == 60),
    ("max_steps", ["trainer.max_steps=5"], lambda r: r.probe.validated_after == [5]),
    (
        "max_time",
        ["+trainer.max_time={milliseconds: 300}", "trainer.max_epochs=-1", "scheduler=constant"],
        lambda r: 0.2 < r.metrics["seconds/fit"] < 4 and r.metrics["test/loss"] > 0,
    ),
    ("min_epochs", [f"trainer.callbacks=[{STOPPER}]", "+trainer.min_epochs=2"], lambda r: len(history(r.folder)) == 2),
    ("min_steps", [f"trainer.callbacks=[{STOPPER}]", "+trainer.min_steps=60"], lambda r: last_step(r.folder) == 60),
    ("overfit_batches", ["+trainer.overfit_batches=1"], lambda r: repeats(r, train=1, val=1)),
    ("overfit_batches", ["+trainer.overfit_batches=0.25"], lambda r: repeats(r, train=10, val=1)),
    ("plugins", ["+trainer.plugins=[{_target_: lightning.pytorch.plugins.TorchSyncBatchNorm}]", ONE], lambda r: True),
    (
        "profiler",
        ["+trainer.profiler=simple", ONE],
        lambda r: "FIT Profiler Report" in r.log and profiled(r, "|  Total"),
    ),
    ("profiler", ["+trainer.profiler=advanced", "trainer.max_steps=2"], lambda r: profiled(r, "cumtime")),
    (
        "profiler",
        ["+trainer.profiler={_target_: lightning.pytorch.profilers.SimpleProfiler, filename: times}", ONE],
        lambda r: "Report" in (r.folder / "fit-times.txt").read_text(),
    ),
    ("strategy", ["+trainer.strategy=ddp", ONE], lambda r: r.trainer.world_size == 1),
    ("sync_batchnorm", ["+trainer.sync_batchnorm=true", "model=lenet", ONE], lambda r: r.metrics["test/loss"] > 0),
    ("val_check_interval", ["+trainer.val_check_interval=0.4", ONE], lambda r: r.probe.validated_after == [16, 32, 41]),
    ("val_check_interval", ["+trainer.val_check_interval=30"], lambda r: r.probe.validated_after == [30, 41, 71, 82]),
]
REFUSED: list[tuple[str, list[str], str]] = [
    ("accelerator", ["trainer.accelerator=tpu"], "unknown accelerator, did you mean 'cpu'?"),
    ("accumulate_grad_batches", ["trainer.accumulate_grad_batches=0"], "must be at least 1."),
    ("barebones", ["+trainer.barebones=true"], "must be left out, because a run records its metrics"),
    ("check_val_every_n_epoch", ["+trainer.check_val_every_n_epoch=0"], "must be at least 1."),
    ("deterministic", ["+trainer.deterministic=maybe"], "must be true, false or warn."),
    ("devices", ["trainer.devices=0"], "must be a number of devices, a list of their indices"),
    ("devices", ["trainer.devices=[0,1]"], "must be a number of processes with trainer.accelerator=cpu."),
    ("enable_checkpointing", ["+trainer.enable_checkpointing=false"], "must be left out, because a run is tested"),
    ("fast_dev_run", ["+trainer.fast_dev_run=-1"], "must be at least 0."),
    ("gradient_clip_algorithm", ["trainer.gradient_clip_algorithm=value"], "must be used with trainer.gradient_clip"),
    (
        "gradient_clip_algorithm",
        ["trainer.gradient_clip_algorithm=max", "trainer.gradient_clip_val=1"],
        "must be norm or value.",
    ),
    ("gradient_clip_val", ["trainer.gradient_clip_val=-1"], "must be at least 0."),
    (
        "gradient_clip_val",
        ["trainer.gradient_clip_val=1", "trainer.precision=16-mixed"],
        "must be used with optimizer.fu",
    ),
    ("limit_predict_batches", ["+trainer.limit_predict_batches=3"], "must be left out, because predict.py predicts"),
    ("limit_test_batches", ["+trainer.limit_test_batches=0.01"], "must be at least one of the 12 batches of test"),
    ("limit_test_batches", ["+trainer.limit_test_batches=-1"], "must be a number of batches, at least 0"),
    ("limit_train_batches", ["+trainer.limit_train_batches=0"], "must be a number of batches, at least 1"),
    ("limit_train_batches", ["+trainer.limit_train_batches=0.01"], "must be at least one of the 41 batches of train"),
    ("limit_train_batches", ["+trainer.limit_train_batches=1.5"], "must be a number of batches, at least 1"),
    ("limit_val_batches", ["+trainer.limit_val_batches=0"], "must be above 0, because monitor=val/loss needs it."),
    ("limit_val_batches", ["+trainer.limit_val_batches=0.1"], "must be at least one of the 5 batches of val"),
    ("log_every_n_steps", ["trainer.log_every_n_steps=0"], "must be at least 1."),
    ("max_epochs", ["trainer.max_epochs=-2"], "must be at least 1, or -1 for no limit."),
    ("max_steps", ["trainer.max_steps=0"], "must be at least 1, or -1 for no limit."),
    ("max_time", ["+trainer.max_time=2h"], "must be a time as DD:HH:MM:SS"),
    ("max_time", ["+trainer.max_time={weaks: 2}"], "must be a time as DD:HH:MM:SS"),
    ("min_epochs", ["+trainer.min_epochs=3"], "must be at most trainer.max_epochs=2."),
    ("min_epochs", ["+trainer.min_epochs=1", "trainer.max_steps=50"], "must be left out, because trainer.max_steps=50"),
    ("min_steps", ["+trainer.min_steps=60", "trainer.max_steps=50"], "must be at most trainer.max_steps=50."),
    ("model_registry", ["+trainer.model_registry=mine"], "must be left out, because the checkpoints of a run stay"),
    ("num_nodes", ["+trainer.num_nodes=0"], "must be at least 1."),
    ("num_sanity_val_steps", ["trainer.num_sanity_val_steps=-2"], "must be at least -1."),
    ("overfit_batches", ["+trainer.overfit_batches=2.0"], "must be a number of batches, at least 0"),
    ("overfit_batches", ["+trainer.overfit_batches=0.1"], "must be at least one of the 5 batches of val"),
    (
        "limit_train_batches",
        ["+trainer.limit_train_batches=2", "+trainer.overfit_batches=1"],
        "must be left out, because trainer.overfit_batches sets it.",
    ),
    (
        "plugins.0",
        ["+trainer.plugins=[{_target_: lightning.pytorch.plugins.MixedPrecision, precision: bf16-mixed, device: cpu}]"],
        "must be replaced by trainer.precision.",
    ),
    (
        "plugins.0",
        ["+trainer.plugins=[{_target_: lightning.pytorch.plugins.TorchCheckpointIO}]"],
        "must be replaced by the checkpoints of firstlight.",
    ),
    ("precision", ["trainer.precision=16-mixed"], "must be bf16 or 32 on a CPU."),
    ("precision", ["trainer.precision=64-true"], "must be 32, bf16 or 16"),
    ("profiler", ["+trainer.profiler=xla"], "must be simple, advanced or pytorch."),
    (
        "reload_dataloaders_every_n_epochs",
        ["+trainer.reload_dataloaders_every_n_epochs=1"],
        "must be left out, because",
    ),
    ("strategy", ["+trainer.strategy=fsdp"], "must be auto, ddp, ddp_find_unused_parameters_true or ddp_find"),
    (
        "strategy",
        ["+trainer.strategy={_target_: lightning.pytorch.strategies.FSDPStrategy}"],
        "must be DDPStrategy, bec",
    ),
    ("strategy", ["+trainer.strategy=ddp_spawn"], "must be auto, ddp, ddp_find_unused_parameters_true or ddp_find"),
    ("use_distributed_sampler", ["+trainer.use_distributed_sampler=false"], "must be left out, because each process"),
    ("val_check_interval", ["+trainer.val_check_interval=0"], "must be a number of batches, at least 1"),
    ("val_check_interval", ["+trainer.val_check_interval=42"], "must be at most 41, the batches of an epoch."),
    ("val_check_interval", ["+trainer.val_check_interval={minutes: 5}"], "must be a number of batches, at least 1"),
]

MODEL_CHECKPOINT = "ModelCheckpoint, monitor: val/loss, filename: 'at-{epoch}', auto_insert_metric_name: false"
# The class of a callback with its arguments, and what is true of one run with all of them.
CALLBACKS_WORK_TOGETHER: list[tuple[str, Check]] = [
    ("Callback", lambda r: True),
    ("Checkpoint", lambda r: True),
    ("DeviceStatsMonitor, cpu_stats: false", lambda r: True),
    ("LambdaCallback, on_fit_end: {_target_: builtins.print, _partial_: true}", lambda r: True),
    ("LearningRateMonitor", lambda r: "lr-AdamW" in (r.folder / "csv/metrics.csv").read_text()),
    ("ModelSummary, max_depth: 2", lambda r: "Total params" in r.log),
    ("SpikeDetection", lambda r: not list(r.folder.rglob("skip_batches.json"))),
    ("TQDMProgressBar, refresh_rate: 0", lambda r: r.trainer.progress_bar_callback is not None),
]
# The class of a callback with its arguments, further words, and what is true of a run with them.
CALLBACKS_WORK: list[tuple[str, list[str], Check]] = [
    ("EarlyStopping, monitor: val/loss, stopping_threshold: 99", [], lambda r: len(history(r.folder)) == 1),
    ("EMAWeightAveraging, decay: 0.5", [], lambda r: averages(r)),
    (MODEL_CHECKPOINT, [], lambda r: files(r.folder / "model_checkpoints") <= {"at-0.ckpt", "at-1.ckpt"}),
    (
        "ModelCheckpoint, dirpath: FOLDER/new/folder, save_last: true, save_top_k: -1",
        [],
        lambda r: len(files(r.folder.parent / "new" / "folder")) == 3,
    ),
    ("Timer, duration: {milliseconds: 1}, interval: epoch", [], lambda r: len(history(r.folder)) == 1),
    ("WeightAveraging", [], lambda r: averages(r)),
]
CALLBACKS_REFUSED: list[tuple[str, list[str], str]] = [
    ("BackboneFinetuning", [], "=BackboneFinetuning: must be replaced by the options model.freeze=backbone"),
    ("BaseFinetuning", [], "=BaseFinetuning: must be replaced by the options model.freeze=backbone"),
    ("BasePredictionWriter", [], "=BasePredictionWriter: must be replaced by predict.py"),
    ("BatchSizeFinder", [], "=BatchSizeFinder: must be replaced by the option data.batch_size."),
    ("DeviceStatsMonitor", ["logger=none"], "=DeviceStatsMonitor: must be used with a logger that it can write to."),
    ("EarlyStopping, monitor: val/los", [], ".monitor=val/los: unknown metric, did you mean 'val/loss'?"),
    ("GradientAccumulationScheduler, scheduling: {1: 2}", [], "must be replaced by the option trainer.accumulate_grad"),
    ("LearningRateFinder", [], "=LearningRateFinder: must be replaced by a sweep, such as -m optimizer.lr=1e-4,1e-3"),
    ("LearningRateMonitor", ["logger=none"], "=LearningRateMonitor: must be used with a logger that it can write to."),
    ("ModelCheckpoint, dirpath: FOLDER/run/checkpoints", [], "must be another folder, because the run keeps its"),
    ("ModelCheckpoint, monitor: nothing", [], ".monitor=nothing: unknown metric; known: epoch, step, train/accuracy"),
    ("ModelPruning, pruning_fn: l1_unstructured", [], "=ModelPruning: must be replaced by torch.nn.utils.prune"),
    ("OnExceptionCheckpoint, dirpath: FOLDER", [], "=OnExceptionCheckpoint: must be replaced by resume=RUN, which"),
    ("ProgressBar", [], "=ProgressBar: must be replaced by the progress bar of firstlight"),
    ("RichModelSummary", [], "=RichModelSummary: must be used with the package rich. To fix: pip install rich."),
    ("RichProgressBar", [], "=RichProgressBar: must be used with the package rich. To fix: pip install rich."),
    ("StochasticWeightAveraging, swa_lrs: 0.1", [], "must be replaced by lightning.pytorch.callbacks.WeightAveraging"),
    ("ThroughputMonitor", [], "=ThroughputMonitor: must be replaced by samples_per_second and gflops_per_second"),
]


def logged_steps(folder: Path) -> list[int]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard" / "train"))
    events.Reload()
    return [event.step for event in events.Scalars("loss_of_step")]


def last_step(folder: Path) -> int:
    return int(history(folder)[-1]["step"])


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def repeats(r: Run, train: int, val: int) -> bool:
    """Whether both epochs have the same batches, of which there are so many."""
    first, second = r.probe.batches["train"]
    return first == second and len({*first}) == train and same_validation(r, val)


def same_validation(r: Run, number: int) -> bool:
    first, second = r.probe.batches["val"]
    return first == second and len({*first}) == number


def averages(r: Run) -> bool:
    """Whether the checkpoint holds other weights than the training had, and the metrics are those of its weights."""
    checkpoint = torch.load(r.folder / "checkpoints" / "last.ckpt", weights_only=True)
    name = "network.output.weight"
    differ = not torch.equal(checkpoint["state_dict"][name], checkpoint["current_model_state"][name])
    return differ and is_validated(r.folder)


def is_validated(folder: Path) -> bool:
    """Whether the last checkpoint has the validation loss that the last row of metrics.csv says."""
    found = evaluate(folder, split="val", checkpoint="last", accelerator="cpu")["val/loss"]
    return found == pytest.approx(float(history(folder)[-1]["val/loss"]), rel=1e-5)


def test_every_argument_of_the_trainer_is_decided() -> None:
    decided = {name.split(".")[0] for name, *_ in [*WORK_TOGETHER, *WORKS, *REFUSED]}
    assert decided == ARGUMENTS


def test_every_callback_of_lightning_is_decided() -> None:
    decided = {
        str(words).split(",")[0] for words, *_ in [*CALLBACKS_WORK_TOGETHER, *CALLBACKS_WORK, *CALLBACKS_REFUSED]
    }
    assert decided == CALLBACKS


def with_folder(arguments: list[str], folder: Path) -> list[str]:
    return [each.replace("FOLDER", str(folder)) for each in arguments]


def test_arguments_work_together(tmp_path: Path) -> None:
    found = run(tmp_path, ONE, *(word for _, word, _ in WORK_TOGETHER))
    assert [word for _, word, check in WORK_TOGETHER if not check(found)] == []


@pytest.mark.parametrize(("name", "words", "check"), WORKS, ids=[f"{n} {w[0]}" for n, w, _ in WORKS])
def test_an_argument_works(name: str, words: list[str], check: Check, tmp_path: Path) -> None:
    assert check(run(tmp_path, *with_folder(words, tmp_path)))


@pytest.mark.parametrize(("name", "words", "message"), REFUSED)
def test_an_argument_is_refused(name: str, words: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^trainer\\.{name}=") as caught:
        train(compose(*TINY, *words), run_dir=tmp_path / "run")
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_callbacks_work_together(tmp_path: Path) -> None:
    nodes = "".join(f", {{_target_: lightning.pytorch.callbacks.{words}}}" for words, _ in CALLBACKS_WORK_TOGETHER)
    found = run(tmp_path, ONE, "logger=csv", "trainer.log_every_n_steps=10", callbacks=nodes)
    assert [words for words, check in CALLBACKS_WORK_TOGETHER if not check(found)] == []


@pytest.mark.parametrize(("words", "more", "check"), CALLBACKS_WORK, ids=[w for w, *_ in CALLBACKS_WORK])
def test_a_callback_works(words: str, more: list[str], check: Check, tmp_path: Path) -> None:
    node, *more = with_folder([f", {{_target_: lightning.pytorch.callbacks.{words}}}", *more], tmp_path)
    assert check(run(tmp_path, *more, callbacks=node))


@pytest.mark.parametrize(("words", "more", "message"), CALLBACKS_REFUSED)
def test_a_callback_is_refused(words: str, more: list[str], message: str, tmp_path: Path) -> None:
    (node,) = with_folder([f"+trainer.callbacks=[{{_target_: lightning.pytorch.callbacks.{words}}}]"], tmp_path)
    with pytest.raises(ValueError, match=r"^trainer\.callbacks\.0") as caught:
        train(compose(*TINY, node, *more), run_dir=tmp_path / "run")
    assert message in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_validation_within_an_epoch_belongs_to_other_weights_than_the_one_at_its_end(tmp_path: Path) -> None:
    assert is_validated(run(tmp_path, "+trainer.val_check_interval=0.4").folder)


def test_sanity_checks_and_validations_within_epochs_change_no_weight(tmp_path: Path) -> None:
    plain = run(tmp_path / "plain").folder
    words = ("trainer.num_sanity_val_steps=2", "+trainer.val_check_interval=7", "+trainer.profiler=simple")
    assert same_weights(plain, run(tmp_path, *words).folder)


def test_overfitting_a_text_repeats_its_windows(tmp_path: Path) -> None:
    letters = random.Random(0)
    (tmp_path / "text.txt").write_text("".join(letters.choice("abcdefgh ") for _ in range(4000)))
    words = ("data=text", f"data.file={tmp_path / 'text.txt'}", "data.length=16", "data.batch_size=8", "model=gru")
    assert repeats(run(tmp_path, *words, "model.hidden_size=8", "+trainer.overfit_batches=2"), train=2, val=2)


def test_device_statistics_need_psutil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *a: None if name == "psutil" else found(name, *a))
    with pytest.raises(ValueError, match=r"=DeviceStatsMonitor: must be used with the package psutil\."):
        run(tmp_path, "+trainer.callbacks=[{_target_: lightning.pytorch.callbacks.DeviceStatsMonitor}]")


@pytest.mark.parametrize(("word", "bars"), [("+trainer.enable_progress_bar=false", 0), ("trainer.devices=1", 1)])
def test_the_progress_bar_can_be_switched_off(
    word: str, bars: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("firstlight.training.callbacks.progress.progress_bar", lambda *options: shown.append(options))
    run(tmp_path, ONE, word)
    assert len(shown) == bars


def test_lightning_reads_no_option_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PL_TRAINER_MAX_EPOCHS", "1")
    with pytest.raises(ValueError, match=r"PL_TRAINER_MAX_EPOCHS: must not be set .* trainer.max_epochs="):
        train(compose(*TINY), run_dir=tmp_path / "run")
