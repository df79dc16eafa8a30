"""The later phases of a run: train, test the best checkpoint, and report."""

import math
import time
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import Trainer

from firstlight.data import BatchLoader, Split
from firstlight.data.images.contact_sheet import contact_sheet, write_image
from firstlight.data.images.known_images import known_images
from firstlight.data.record import DataRecord
from firstlight.files import write_text
from firstlight.log import logger
from firstlight.networks.flops import flops_per_sample, num_parameters
from firstlight.runs.evaluate import RECORD
from firstlight.runs.load import load_weights
from firstlight.runs.summary import closing_text, opening_text
from firstlight.training.assemble import Parts
from firstlight.training.callbacks import (
    Checkpoints,
    Progress,
    Recorder,
    RunCallback,
    RunCallbacks,
    StepLimit,
    StopOnSignal,
)
from firstlight.training.environment import keep_freed_memory, log_tables, silence_lightning, speed_up_cuda_checks
from firstlight.training.features import cached_features
from firstlight.training.loggers.build import as_run_loggers, build_loggers, ending
from firstlight.training.module import TrainingModule
from firstlight.training.options.validation import ValidateLast
from firstlight.training.recovery.loss_guard import Diverged
from firstlight.training.recovery.saved_state import SavedState
from firstlight.training.recovery.stop_signals import StopSignals
from firstlight.training.trainer import build_trainer, check_batches

_NUM_EXAMPLES = 32  # test samples in the example output


@dataclass(frozen=True)
class _Session:
    """The Trainer, and the objects that it works on."""

    parts: Parts
    trainer: Trainer
    module: TrainingModule
    loaders: dict[str, BatchLoader]
    recorder: Recorder
    checkpoints: Checkpoints
    signals: StopSignals
    started: float


def fit(parts: Parts, started: float, signals: StopSignals) -> None:
    """Train in this process, and write the results to the run folder.

    Args:
        parts: see `assemble`.
        started: `time.perf_counter()` at the start of the run.
        signals: the signals that end the training at its next step.

    Raises:
        ValueError: the parts do not fit together. Raised before the first step.
    """
    session = _prepare(parts, started, signals)
    with ending(session.recorder.loggers if session.trainer.is_global_zero else ()) as outcome:
        outcome["status"] = _train_test_report(session)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _train_test_report(session: _Session) -> str:
    """Train, test and report; return the status of the run."""
    started_training = time.perf_counter()
    status = _train(session)
    seconds = time.perf_counter() - started_training
    if session.checkpoints.best:
        _test(session)
    if session.trainer.is_global_zero:
        _report(session, status, seconds)
    return status


def _prepare(parts: Parts, started: float, signals: StopSignals) -> _Session:
    """Build the Trainer, the callbacks and the loaders, and write spec.json, which marks the start of the training."""
    silence_lightning()
    log_tables(parts.folder.path)
    speed_up_cuda_checks()
    keep_freed_memory()
    config, task = parts.config, parts.task
    module = TrainingModule(task, config)
    recorder = Recorder(parts.folder, config, started, parts.splits["train"])
    checkpoints = Checkpoints(parts.folder, config.monitor, config.patience, config.max_steps)
    callbacks: list[RunCallback] = [
        ValidateLast(),
        recorder,
        Progress(recorder),
        checkpoints,
        StopOnSignal(signals, checkpoints),
    ]
    if config.max_steps is not None:
        callbacks.insert(0, StepLimit(config.max_steps))
    trainer = build_trainer(
        config, task, RunCallbacks(callbacks), parts.folder.path, build_loggers(config, parts.folder)
    )
    recorder.loggers = as_run_loggers(trainer.loggers)
    warnings = task.adapt_to(parts.splits["train"], parts.splits["val"])
    if trainer.is_global_zero:
        logger.info(opening_text(config.name, config.seed, task, parts.splits))
        for warning in warnings:
            logger.warning(warning)
    splits = parts.splits
    if task.freezing.always_frozen:
        splits = cached_features(task, parts.store, splits, trainer, config, parts.source.cache_dir)
    loaders = {
        "train": _loader(splits["train"], parts, trainer, config.seed, task.balanced_sampling),
        "val": _loader(splits["val"], parts, trainer),
        "test": _loader(splits["test"], parts, trainer),
    }
    check_batches(config, trainer, loaders)
    module.train_loader = loaders["train"]
    if trainer.is_global_zero:
        DataRecord.of(parts.store, parts.splits).write(parts.folder.path / RECORD)
        parts.folder.write_spec(task.spec)
    return _Session(parts, trainer, module, loaders, recorder, checkpoints, signals, started)


def _loader(
    split: Split, parts: Parts, trainer: Trainer, seed: int | None = None, balanced: bool = False
) -> BatchLoader:
    """Return the loader of this rank, on this rank's device."""
    return BatchLoader(
        split,
        parts.source.batch_size,
        seed=seed,
        balanced=balanced,
        reshuffle=not parts.config.trainer.get("overfit_batches"),
        device=trainer.strategy.root_device,
        rank=trainer.global_rank,
        world_size=trainer.world_size,
    )


def _train(session: _Session) -> str:
    """Train to the end, from the last checkpoint if the run is resumed; return "completed" or "diverged"."""
    parts, trainer, module = session.parts, session.trainer, session.module
    if trainer.is_global_zero:
        _begin_records(session)
    if parts.task.evaluates_untrained and not parts.is_resumed:
        trainer.validate(module, session.loaders["val"], verbose=False)
        values = "  ".join(f"{name} {value:.4f}" for name, value in module.metrics.items())
        logger.info(f"before the first step  {values}")
    last = parts.folder.checkpoint_path("last") if parts.is_resumed else None
    try:
        trainer.fit(module, session.loaders["train"], session.loaders["val"], ckpt_path=last, weights_only=True)
        if not session.checkpoints.best:  # the run ended before its first validation
            trainer.validate(module, session.loaders["val"], verbose=False)
            session.checkpoints.save(trainer, module, trainer.current_epoch)
    except Diverged as error:
        logger.warning(f"{error} To fix: try a smaller optimizer.lr")
        return "diverged"
    finally:
        session.signals.is_deferring = False
    return "completed"


def _begin_records(session: _Session) -> None:
    """Let the files of a resumed run end where its last checkpoint is."""
    parts = session.parts
    saved = SavedState()
    if parts.is_resumed:
        saved = SavedState.of(parts.folder)
        saved.complete_best(parts.folder)
    session.recorder.begin(parts.task, saved.epochs, saved.steps)


def _test(session: _Session) -> None:
    """Evaluate the best checkpoint on the test split."""
    session.trainer.strategy.barrier()  # the first rank may still be writing the best checkpoint
    load_weights(session.parts.task, session.parts.folder, "best")
    session.trainer.test(session.module, session.loaders["test"], verbose=False)


def _report(session: _Session, status: str, fit_seconds: float) -> None:
    """Write the metrics and the example output, and print the summary."""
    parts, recorder, checkpoints = session.parts, session.recorder, session.checkpoints
    task, folder = parts.task, parts.folder
    if checkpoints.best:
        _write_example_output(session)
    if task.can_predict and task.spec.kind == "images":
        known_images(parts.splits["train"], task.spec.margin).write(folder.images_path)
    flops = flops_per_sample(task.network, task.preprocess.output_spec)
    tested = {name: value for name, value in session.module.metrics.items() if name.startswith("test/")}
    metrics: dict[str, Any] = checkpoints.best | tested
    metrics |= parts.config.annotations | {
        "status": status,
        "monitor": parts.config.monitor,
        "monitor_mode": task.monitored(parts.config.monitor).direction,
        "seconds/total": time.perf_counter() - session.started,
        "seconds/fit": fit_seconds,
        "seconds/to_first_step": recorder.seconds_to_first_step,
        "samples_per_second": recorder.samples_per_second,
        "parameters": num_parameters(task.network),
        "flops_per_sample": flops,
        "gflops_per_second": task.training_flops(flops) * recorder.samples_per_second / 1e9,
    }
    recorder.finish(metrics, task)
    folder.write_metrics({name: _json_number(value) for name, value in metrics.items()})
    logger.info(closing_text(folder, metrics, task))


def _write_example_output(session: _Session) -> None:
    """Write the example output of the task, if it has one, to the run folder and to TensorBoard."""
    task, split, folder = session.parts.task, session.parts.splits["test"], session.parts.folder
    raw, _ = split.take(torch.arange(min(len(split), _NUM_EXAMPLES)))
    output = task.eval().example_output(raw.to(task.device))
    if isinstance(output, str):
        write_text(folder.path / "samples.txt", output)
        session.recorder.add_text("samples", output)
    elif output is not None:
        sheet = contact_sheet(output)
        write_image(folder.path / "samples.png", sheet)
        session.recorder.add_image("samples", sheet)


def _json_number(value: Any) -> Any:
    """Replace NaN and Inf by None, because JSON does not have them."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
