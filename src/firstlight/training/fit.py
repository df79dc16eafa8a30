"""The later phases of a run: train, test the best checkpoint, and report."""

import math
import time
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import Trainer

from firstlight.data import BatchLoader, Split
from firstlight.data.contact_sheet import contact_sheet, write_image
from firstlight.files import write_text
from firstlight.log import logger
from firstlight.networks.flops import flops_per_sample, num_parameters
from firstlight.runs.load import load_weights
from firstlight.runs.summary import closing_text, opening_text
from firstlight.training.assemble import Parts
from firstlight.training.callbacks import Checkpoints, Progress, Recorder, RunCallback, RunCallbacks, StepLimit
from firstlight.training.environment import keep_freed_memory, silence_lightning, speed_up_cuda_checks
from firstlight.training.features import cached_features
from firstlight.training.module import TrainingModule
from firstlight.training.trainer import build_trainer

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
    started: float


def fit(parts: Parts, started: float) -> None:
    """Train in this process, and write the results to the run folder.

    Args:
        parts: see `assemble`.
        started: `time.perf_counter()` at the start of the run.

    Raises:
        ValueError: the parts do not fit together. Raised before the first step.
    """
    session = _prepare(parts, started)
    seconds = _train(session)
    _test(session)
    if session.trainer.is_global_zero:
        _report(session, seconds)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _prepare(parts: Parts, started: float) -> _Session:
    """Build the Trainer, the callbacks and the loaders, and write spec.json, which marks the start of the training."""
    silence_lightning()
    speed_up_cuda_checks()
    keep_freed_memory()
    config, task = parts.config, parts.task
    module = TrainingModule(task, config)
    recorder = Recorder(parts.folder, config, started, parts.splits["train"])
    checkpoints = Checkpoints(parts.folder, config.monitor, config.patience)
    callbacks: list[RunCallback] = [recorder, Progress(recorder), checkpoints]
    if config.max_steps is not None:
        callbacks.insert(0, StepLimit(config.max_steps))
    trainer = build_trainer(config, task, RunCallbacks(callbacks))
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
    module.train_loader = loaders["train"]
    if trainer.is_global_zero:
        parts.folder.write_spec(task.spec)
    return _Session(parts, trainer, module, loaders, recorder, checkpoints, started)


def _loader(
    split: Split, parts: Parts, trainer: Trainer, seed: int | None = None, balanced: bool = False
) -> BatchLoader:
    """Return the loader of this rank, on this rank's device."""
    return BatchLoader(
        split,
        parts.source.batch_size,
        seed=seed,
        balanced=balanced,
        device=trainer.strategy.root_device,
        rank=trainer.global_rank,
        world_size=trainer.world_size,
    )


def _train(session: _Session) -> float:
    """Train to the end, from the last checkpoint if the run is resumed; return the seconds."""
    parts, trainer, module = session.parts, session.trainer, session.module
    if parts.task.evaluates_untrained and not parts.is_resumed:
        trainer.validate(module, session.loaders["val"], verbose=False)
        values = "  ".join(f"{name} {value:.4f}" for name, value in module.metrics.items())
        logger.info(f"before the first step  {values}")
    started = time.perf_counter()
    last = parts.folder.checkpoint_path("last") if parts.is_resumed else None
    trainer.fit(module, session.loaders["train"], session.loaders["val"], ckpt_path=last, weights_only=True)
    if not session.checkpoints.best:  # the run ended before its first validation
        trainer.validate(module, session.loaders["val"], verbose=False)
        session.checkpoints.save(trainer, module, trainer.current_epoch)
    return time.perf_counter() - started


def _test(session: _Session) -> None:
    """Evaluate the best checkpoint on the test split."""
    session.trainer.strategy.barrier()  # the first rank may still be writing the best checkpoint
    load_weights(session.parts.task, session.parts.folder, "best")
    session.trainer.test(session.module, session.loaders["test"], verbose=False)


def _report(session: _Session, fit_seconds: float) -> None:
    """Write the metrics and the example output, and print the summary."""
    parts, recorder, checkpoints = session.parts, session.recorder, session.checkpoints
    task, folder = parts.task, parts.folder
    _write_example_output(session)
    flops = flops_per_sample(task.network, task.preprocess.output_spec)
    tested = {name: value for name, value in session.module.metrics.items() if name.startswith("test/")}
    metrics: dict[str, Any] = checkpoints.best | tested
    metrics |= {
        "status": "diverged" if checkpoints.diverged else "completed",
        "monitor": parts.config.monitor,
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
