"""The training itself: build, fit, test the best checkpoint, tell."""

import math
import time
from typing import Any

import torch
from lightning.pytorch import Trainer

from firstlight.data import BatchLoader, Split
from firstlight.files import write_text
from firstlight.log import logger
from firstlight.networks.flops import flops_per_sample, num_parameters
from firstlight.runs.contact_sheet import contact_sheet, write_image
from firstlight.runs.load import load_weights
from firstlight.runs.run_folder import RunFolder
from firstlight.runs.summary import closing_words
from firstlight.tasks import Task
from firstlight.tasks.build import build_source, build_task, build_trainer, step_limit
from firstlight.tasks.class_balance import heed_class_sizes
from firstlight.training.callbacks.checkpoints import Checkpoints
from firstlight.training.callbacks.progress import Progress
from firstlight.training.callbacks.recorder import Recorder
from firstlight.training.callbacks.step_limit import StepLimit
from firstlight.training.environment import keep_freed_memory, silence_lightning, speed_up_cuda_checks
from firstlight.training.features import read_features

_SHOWN = 32  # samples in what is kept to look at


def fit(config: dict[str, Any], folder: RunFolder, started: float) -> None:
    """Train in this process what the config says, and leave everything in the folder.

    Goes on from `last.ckpt` where the folder has one.

    Args:
        config: complete and resolved.
        folder: of the run; its config is in it already.
        started: `time.perf_counter()` when the run was started.

    Raises:
        ValueError: the parts of the config do not go together; before the first step.
    """
    silence_lightning()
    speed_up_cuda_checks()
    keep_freed_memory()
    source = build_source(config)
    store, splits = source.splits(config["seed"])
    last = folder.checkpoint_path("last")
    if last.exists():  # the weights that the run started from may be gone
        task = build_task(config, folder.spec(), with_weights=False)
        load_weights(task, folder, "last")
    else:
        task = build_task(config, store.spec)
    recorder = Recorder(folder, config, started, splits["train"])
    checkpoints = Checkpoints(folder, config["monitor"], config["patience"])
    max_steps = step_limit(config)
    limits = [] if max_steps is None else [StepLimit(max_steps)]
    trainer = build_trainer(config, [*limits, recorder, Progress(recorder), checkpoints])

    if trainer.is_global_zero:
        logger.info(opening_words(config, task, splits))
    heed_class_sizes(task, splits["train"], splits["val"])
    inputs = read_features(task, store, splits, trainer, config["seed"], source.cache_dir)

    def loader(split: str) -> BatchLoader:
        if split != "train":
            return make_loader(inputs[split], source.batch_size, trainer)
        balanced = getattr(task, "balance", None) == "sampler"
        return make_loader(inputs[split], source.batch_size, trainer, config["seed"], balanced)

    train_loader, val_loader, test_loader = loader("train"), loader("val"), loader("test")
    if trainer.is_global_zero:
        folder.write_spec(task.spec)
    if task.evaluates_untrained and not last.exists():
        trainer.validate(task, val_loader, verbose=False)
        logger.info(
            "before the first step  " + "  ".join(f"{name} {value:.4f}" for name, value in task.metrics.items())
        )
    fit_started = time.perf_counter()
    trainer.fit(task, train_loader, val_loader, ckpt_path=last if last.exists() else None, weights_only=True)
    if not checkpoints.best:  # it ended before the first validation
        trainer.validate(task, val_loader, verbose=False)
        checkpoints.keep(trainer, task, trainer.current_epoch)
    fit_seconds = time.perf_counter() - fit_started
    measure(trainer, task, test_loader, folder, "best")
    if trainer.is_global_zero:
        show(task, splits["test"], folder, recorder)
        flops = flops_per_sample(task.network, task.preprocess.output_spec)
        metrics: dict[str, Any] = checkpoints.best | {
            name: value for name, value in task.metrics.items() if name.startswith("test/")
        }
        metrics |= {
            "status": "diverged" if checkpoints.diverged else "completed",
            "monitor": config["monitor"],
            "seconds/total": time.perf_counter() - started,
            "seconds/fit": fit_seconds,
            "seconds/to_first_step": recorder.seconds_to_first_step,
            "samples_per_second": recorder.samples_per_second,
            "parameters": num_parameters(task.network),
            "flops_per_sample": flops,
            "gflops_per_second": task.training_flops(flops) * recorder.samples_per_second / 1e9,
        }
        recorder.finish(metrics)
        folder.write_metrics({name: _json_number(value) for name, value in metrics.items()})
        logger.info(closing_words(folder, metrics, task))
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def make_loader(
    split: Split, batch_size: int, trainer: Trainer, seed: int | None = None, balanced: bool = False
) -> BatchLoader:
    """The loader of this rank, on this rank's device."""
    return BatchLoader(
        split,
        batch_size,
        seed=seed,
        balanced=balanced,
        device=trainer.strategy.root_device,
        rank=trainer.global_rank,
        world_size=trainer.world_size,
    )


def measure(trainer: Trainer, task: Task, loader: BatchLoader, folder: RunFolder, checkpoint: str) -> None:
    """Measure a checkpoint on a split that training did not touch; `evaluate` does the very same."""
    load_weights(task, folder, checkpoint)
    trainer.test(task, loader, verbose=False)


def show(task: Task, split: Split, folder: RunFolder, recorder: Recorder) -> None:
    """Keep something to look at, where the task has something: in the run folder and in TensorBoard."""
    raw, _ = split.take(torch.arange(min(len(split), _SHOWN)))
    shown = task.eval().show(raw.to(task.device))
    if isinstance(shown, str):
        write_text(folder.path / "samples.txt", shown)
        recorder.add_text("samples", shown)
    elif shown is not None:
        sheet = contact_sheet(shown)
        write_image(folder.path / "samples.png", sheet)
        recorder.add_image("samples", sheet)


def opening_words(config: dict[str, Any], task: Task, splits: dict[str, Split]) -> str:
    """What is about to be trained on what."""
    sizes = ", ".join(f"{len(splits[name]):,} {name}" for name in ("train", "val", "test"))
    shape = "x".join(map(str, task.preprocess.output_spec.input_shape))
    parameters = f"{num_parameters(task.network):,} parameters"
    if task.freezing.always_frozen:
        parameters += f" ({num_parameters(task.freezing.head):,} of them learn)"
    return f"{config['name']}: {parameters}, inputs {shape}, samples {sizes}, seed {config['seed']}"


def _json_number(value: Any) -> Any:
    """JSON has no word for what is not a number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
