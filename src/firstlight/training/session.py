"""The second phase of a run: build the Trainer and the objects that it works on."""

import os
from dataclasses import dataclass

from lightning.pytorch import Trainer

from firstlight.training.assemble import Parts
from firstlight.training.callbacks import (
    Checkpoints,
    Progress,
    Pruning,
    Recorder,
    RunCallback,
    RunCallbacks,
    StepLimit,
    StopOnSignal,
)
from firstlight.training.environment import keep_freed_memory, log_tables, silence_lightning, speed_up_cuda_checks
from firstlight.training.figures.callback import Figures
from firstlight.training.loggers.build import as_run_loggers, build_loggers
from firstlight.training.options.computation import arrange
from firstlight.training.options.validation import ValidateLast
from firstlight.training.range_test.run import check_range_test
from firstlight.training.recovery.stop_signals import StopSignals
from firstlight.training.studies.pruning import VARIABLE as TRIAL
from firstlight.training.studies.pruning import ReportedTrial
from firstlight.training.trainees.build import build_trainee
from firstlight.training.trainees.trainee import Trainee
from firstlight.training.trainer import build_trainer
from firstlight.training.watching import watchers


@dataclass(frozen=True)
class Session:
    """The Trainer, and the objects that it works on."""

    parts: Parts
    trainee: Trainee
    trainer: Trainer
    recorder: Recorder
    checkpoints: Checkpoints
    figures: Figures | None
    pruning: Pruning | None
    signals: StopSignals
    started: float


def prepare(parts: Parts, started: float, signals: StopSignals) -> Session:
    """Build the Trainer, the callbacks and the loaders, and write data.json, which marks the start of the training."""
    silence_lightning()
    log_tables(parts.folder.path)
    speed_up_cuda_checks()
    keep_freed_memory()
    config = parts.config
    trainee = build_trainee(parts)
    if config.computation:
        arrange(config, trainee.task)
    recorder = Recorder(parts.folder, config, started, trainee.augmentation)
    checkpoints = Checkpoints(
        parts.folder, config.monitor, trainee.mode, config.patience, config.max_steps, config.min_delta
    )
    figures = Figures(recorder, trainee.task, trainee.samples) if config.figures and trainee.task else None
    is_reported = TRIAL in os.environ and config.fold is None
    pruning = Pruning(ReportedTrial.from_environment(), config.monitor) if is_reported else None
    callbacks: list[RunCallback] = [
        *trainee.callbacks,
        *([StepLimit(config.max_steps)] if config.max_steps is not None else []),
        *([ValidateLast()] if config.trainer.get("val_check_interval") is not None else []),
        *(watchers(config.watch, recorder, trainee.task, config.seed) if config.watch.has_effect else []),
        *([figures] if figures else []),
        recorder,
        Progress(recorder, trainee.headline),
        *([pruning] if pruning else []),
        checkpoints,
        StopOnSignal(signals, checkpoints),
    ]
    loggers = build_loggers(config, parts.folder)
    run_callbacks = RunCallbacks(callbacks, trainee.learner)
    trainer = build_trainer(config, trainee.task, run_callbacks, parts.folder.path, loggers)
    recorder.loggers = as_run_loggers(trainer.loggers)
    if config.lr_find:
        check_range_test(config, trainee.task)
    trainee.prepare(trainer)
    if trainer.is_global_zero:
        trainee.write_data()
    return Session(parts, trainee, trainer, recorder, checkpoints, figures, pruning, signals, started)
