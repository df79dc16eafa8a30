"""Check the options of Lightning's Trainer and its callbacks: each works, or is refused before anything is imported.

Three kinds are refused: options that would change nothing, because firstlight does the same in its own way; values
that Lightning would refuse only after the data has been read, or in the middle of the training; and options that
contradict each other.
"""

import importlib.util
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from firstlight.checks import check_range, choose
from firstlight.config.values import as_yaml

ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps")
PRECISIONS = {"32-true": "32-true", "bf16-mixed": "bf16-mixed", "16-mixed": "16-mixed"}
PRECISIONS |= {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}  # Lightning's short names
_STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false")
_LIGHTNING = ("lightning.", "pytorch_lightning.")

# Options that can only have these values, and why.
_FIXED: dict[str, tuple[tuple[Any, ...], str]] = {
    "barebones": ((False,), "because a run records its metrics and writes checkpoints"),
    "enable_checkpointing": ((True, None), "because a run is tested and resumed from its checkpoints"),
    "limit_predict_batches": ((None,), "because predict.py predicts without the Trainer"),
    "model_registry": ((None,), "because the checkpoints of a run stay in its folder"),
    "reload_dataloaders_every_n_epochs": ((0,), "because the data is read once, and every epoch has its own order"),
    "use_distributed_sampler": ((True,), "because each process takes its part of every batch already"),
}
_AT_LEAST = {
    "accumulate_grad_batches": 1,
    "check_val_every_n_epoch": 1,
    "fast_dev_run": 0,
    "gradient_clip_val": 0,
    "log_every_n_steps": 1,
    "min_epochs": 1,
    "min_steps": 1,
    "num_nodes": 1,
    "num_sanity_val_steps": -1,
}
# Numbers of batches, and whether 0 has a meaning.
_BATCHES = {
    "limit_train_batches": False,
    "limit_val_batches": True,
    "limit_test_batches": True,
    "overfit_batches": True,
    "val_check_interval": False,
}
_WORDS = {
    "deterministic": ("true", "false", "warn", "null"),
    "gradient_clip_algorithm": ("norm", "value", "null"),
    "profiler": ("simple", "advanced", "pytorch", "null"),
    "strategy": _STRATEGIES,
}
# Lightning's callbacks that cannot work here, and what does the same.
_REPLACED = {
    "BackboneFinetuning": "the options model.freeze=backbone and model.unfreeze_at_epoch",
    "BaseFinetuning": "the options model.freeze=backbone and model.unfreeze_at_epoch",
    "BasePredictionWriter": "predict.py, which writes predictions to a file",
    "BatchSizeFinder": "the option data.batch_size",
    "GradientAccumulationScheduler": "the option trainer.accumulate_grad_batches",
    "LearningRateFinder": "a sweep, such as -m optimizer.lr=1e-4,1e-3,1e-2",
    "ModelPruning": "torch.nn.utils.prune, applied to the network that load_run returns",
    "OnExceptionCheckpoint": "resume=RUN, which continues after the last complete epoch",
    "ProgressBar": "the progress bar of firstlight, or by TQDMProgressBar",
    "StochasticWeightAveraging": "lightning.pytorch.callbacks.WeightAveraging, whose weights the checkpoints hold",
    "ThroughputMonitor": "samples_per_second and gflops_per_second in metrics.json",
}
_NEEDS_PACKAGE = {"RichModelSummary": "rich", "RichProgressBar": "rich"}
_NEEDS_LOGGER = ("DeviceStatsMonitor", "LearningRateMonitor")


def check_trainer(config: dict[str, Any]) -> None:
    """Check the node `trainer` of a config, whose values have the right types.

    Raises:
        ValueError: an option is refused. The message names it, and what to use instead.
    """
    trainer = config["trainer"]
    for key, (allowed, reason) in _FIXED.items():
        if key in trainer and trainer[key] not in allowed:
            raise _refused(key, trainer[key], f"left out, {reason}")
    for key, least in _AT_LEAST.items():
        if isinstance(trainer.get(key, least), int | float):
            check_range(f"trainer.{key}", trainer.get(key, least), at_least=least)
    for key, may_be_zero in _BATCHES.items():
        _check_batches(key, trainer.get(key), may_be_zero)
    for key, options in _WORDS.items():
        value = trainer.get(key, options[-1])
        if not isinstance(value, dict) and str(as_yaml(value)) not in options:
            raise _refused(key, value, _or([word for word in options if word != "null"]))
    _check_hardware(trainer)
    _check_length(trainer)
    _check_combinations(config)
    for place, name in _callbacks(trainer):
        _check_callback(place, name, config)


def _check_batches(key: str, value: Any, may_be_zero: bool) -> None:
    """Check a number of batches: a whole number, or a fraction of all batches."""
    if value is None:
        return
    is_number = isinstance(value, int | float)  # Lightning's intervals of time depend on the speed of the machine
    if not is_number or value < 0 or (isinstance(value, float) and value > 1) or (value == 0 and not may_be_zero):
        least = "0" if may_be_zero else "1"
        raise _refused(
            key, value, f"a number of batches, at least {least}, or a fraction from 0.0 to 1.0 of all batches"
        )


def _check_hardware(trainer: dict[str, Any]) -> None:
    accelerator, precision = trainer.get("accelerator", "auto"), trainer.get("precision")
    if not isinstance(accelerator, str):
        raise _refused("accelerator", accelerator, _or(ACCELERATORS))
    choose("trainer.accelerator", accelerator, ACCELERATORS, "accelerator")
    if precision is not None and str(precision) not in PRECISIONS:
        raise _refused("precision", precision, "32, bf16 or 16; weights stay float32")
    strategy = trainer.get("strategy")
    target = str(strategy["_target_"]) if isinstance(strategy, dict) else ""
    if target.startswith(_LIGHTNING) and not target.endswith(".DDPStrategy"):
        raise _refused("strategy", target, "DDPStrategy, because each process holds the whole network")
    devices = trainer.get("devices", "auto")
    indices = devices if isinstance(devices, list) else str(devices).split(",") if "," in str(devices) else None
    if indices is not None:
        numbers = [str(index).strip() for index in indices if str(index).strip()]
        is_valid = bool(numbers) and all(map(str.isdecimal, numbers)) and len({*numbers}) == len(numbers)
    else:
        is_valid = str(devices) in ("auto", "-1") or (str(devices).isdecimal() and int(devices) > 0)
    if not is_valid:
        raise _refused("devices", devices, "a number of devices, a list of their indices, auto or -1 for all")
    if accelerator == "cpu" and (indices is not None or str(devices) == "-1"):
        raise _refused("devices", devices, "a number of processes with trainer.accelerator=cpu")


def _check_length(trainer: dict[str, Any]) -> None:
    """Check the options that end a run."""
    max_epochs, max_steps = trainer.get("max_epochs"), trainer.get("max_steps", -1)
    if max_epochs is not None and max_epochs < 1 and max_epochs != -1:
        raise _refused("max_epochs", max_epochs, "at least 1, or -1 for no limit")
    if max_steps < 1 and max_steps != -1:
        raise _refused("max_steps", max_steps, "at least 1, or -1 for no limit")
    min_epochs, min_steps = trainer.get("min_epochs"), trainer.get("min_steps")
    if min_epochs and max_epochs not in (None, -1) and min_epochs > max_epochs:
        raise _refused("min_epochs", min_epochs, f"at most trainer.max_epochs={max_epochs}")
    if min_epochs and max_steps != -1:
        raise _refused("min_epochs", min_epochs, f"left out, because trainer.max_steps={max_steps} ends the run")
    if min_steps and max_steps != -1 and min_steps > max_steps:
        raise _refused("min_steps", min_steps, f"at most trainer.max_steps={max_steps}")
    if not _is_duration(trainer.get("max_time")):
        raise _refused("max_time", trainer["max_time"], "a time as DD:HH:MM:SS, or a mapping such as {hours: 2}")


def _is_duration(value: Any) -> bool:
    if isinstance(value, dict):
        try:
            return timedelta(**value) > timedelta()
        except TypeError:
            return False
    return value is None or bool(re.fullmatch(r"\d+:\d\d:\d\d:\d\d", str(value).strip()))


def _check_combinations(config: dict[str, Any]) -> None:
    trainer, monitor = config["trainer"], config["monitor"]
    if trainer.get("limit_val_batches") == 0 and monitor.startswith("val/"):
        raise _refused(
            "limit_val_batches", 0, f"above 0, because monitor={monitor} needs it. To fix: add monitor=train/loss"
        )
    if trainer.get("overfit_batches"):
        for key in ("limit_train_batches", "limit_val_batches"):
            if trainer.get(key) is not None:
                raise _refused(key, trainer[key], "left out, because trainer.overfit_batches sets it")
    if config.get("deterministic"):
        for key, allowed in (("deterministic", (None, True)), ("benchmark", (None, False))):
            if trainer.get(key) not in allowed:
                raise _refused(key, trainer[key], "left out with deterministic=true")
    clips = bool(trainer.get("gradient_clip_val"))
    if trainer.get("gradient_clip_algorithm") and not clips:
        raise _refused(
            "gradient_clip_algorithm", trainer["gradient_clip_algorithm"], "used with trainer.gradient_clip_val"
        )
    is_scaled = PRECISIONS.get(str(trainer.get("precision"))) == "16-mixed"
    if (
        clips and is_scaled and config.get("optimizer", {}).get("fused")
    ):  # it would clip gradients that are still scaled
        raise _refused(
            "gradient_clip_val",
            trainer["gradient_clip_val"],
            "used with optimizer.fused=false, or with trainer.precision=bf16-mixed",
        )


def _callbacks(trainer: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the place and the class of each callback that Lightning ships; those of others are theirs."""
    for place, node in callbacks_by_place(trainer.get("callbacks")).items():
        if node is None:
            continue
        if not isinstance(node, dict) or "_target_" not in node:
            forms = "a node with a _target_, the class of a callback, or a list or a mapping of such nodes"
            raise _refused(place, node, forms if place == "callbacks" else forms.partition(", or")[0])
        target = str(node["_target_"])
        if target.startswith(_LIGHTNING):
            yield place, target.rsplit(".", 1)[-1]


def callbacks_by_place(callbacks: Any) -> dict[str, Any]:
    """Return callbacks, or their nodes, by their dotted place in `trainer`, such as `callbacks.0` or `callbacks.name`.

    Args:
        callbacks: one, a list, or a mapping from names as lightning-hydra-template writes it; None for none.
    """
    if isinstance(callbacks, dict) and "_target_" not in callbacks:
        return {f"callbacks.{name}": each for name, each in callbacks.items()}
    if isinstance(callbacks, list):
        return {f"callbacks.{index}": each for index, each in enumerate(callbacks)}
    return {} if callbacks is None else {"callbacks": callbacks}


def _check_callback(place: str, name: str, config: dict[str, Any]) -> None:
    if name in _REPLACED:
        raise _refused(place, name, f"replaced by {_REPLACED[name]}")
    trainer, package = config["trainer"], _NEEDS_PACKAGE.get(name)
    if package and importlib.util.find_spec(package) is None:
        raise _refused(place, name, f"used with the package {package}. To fix: pip install {package}")
    if name in _NEEDS_LOGGER and not trainer.get("logger") and not config.get("logger"):
        raise _refused(place, name, "used with a logger that it can write to. To fix: add logger=tensorboard")


def _or(options: tuple[str, ...] | list[str]) -> str:
    return ", ".join(options[:-1]) + f" or {options[-1]}"


def _refused(key: str, value: Any, must_be: str) -> ValueError:
    return ValueError(f"trainer.{key}={as_yaml(value)}: must be {must_be}.")
