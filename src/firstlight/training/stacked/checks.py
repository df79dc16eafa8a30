"""Which runs can be trained together: what may differ between them, and what none of them may have."""

import json
from collections.abc import Iterator
from typing import Any

from firstlight.config import RunConfig
from firstlight.training.launch import num_processes

# Arguments of the Trainer that stacked runs know; others may only have the value that changes nothing.
_KNOWN = ("_target_", "max_epochs", "max_steps", "accelerator", "log_every_n_steps", "enable_progress_bar")
_USUAL: dict[str, Any] = {
    "devices": 1,
    "accumulate_grad_batches": 1,
    "num_sanity_val_steps": 0,
    "num_nodes": 1,
    "enable_autolog_hparams": True,
}


def common_part(config: dict[str, Any]) -> str:
    """Return what runs must have in common to be stacked, as a text: all but the seed and the optimizer's numbers.

    Args:
        config: the composed config as plain values.
    """
    optimizer = _without_numbers(config.get("optimizer"))
    return json.dumps(config | {"seed": None, "optimizer": optimizer}, sort_keys=True, default=str)


def _without_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_numbers(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_numbers(each) for each in value]
    return 0 if isinstance(value, int | float) and not isinstance(value, bool) else value


def check_config(config: RunConfig) -> None:
    """Check that a run has nothing that only a single run can do.

    Raises:
        ValueError: it has; the message names the key.
    """
    for key, value in _refused(config):
        text = str(value).lower() if isinstance(value, bool) else value
        raise ValueError(f"{key}={text}: must be left out with sweep.stacked=true, which does not know it.")


def _refused(config: RunConfig) -> Iterator[tuple[str, Any]]:
    """Yield the keys that stacked runs do not know, with their values."""
    for key, node in {"averaging": config.averaging}.items():
        if node:
            yield key, str(node["_target_"]).rpartition(".")[2]
    for key, node in {"task": config.task, "data": config.data}.items():
        if config.has_lightning_module if key == "task" else config.has_data_module:
            yield key, str(node["_target_"])
    options = {
        "compile": (config.compile, False),
        "lr_find": (config.lr_find, False),
        "kfold": (config.kfold, None),
        "trainer.precision": (config.precision, "32-true"),
        "model.freeze": (config.transfer.freeze, None),
        "model.unfreeze_at_epoch": (config.transfer.unfreeze_at_epoch, None),
        "task.l1": (config.regularisation.l1, None),
        "task.l2": (config.regularisation.l2, None),
        "task.max_norm": (config.regularisation.max_norm, None),
        "watch.gap": (config.watch.gap, None),
        "watch.layers": (config.watch.layers, False),
        "watch.histograms": (config.watch.histograms, False),
    }
    yield from ((key, value) for key, (value, usual) in options.items() if value != usual)
    for key, value in config.trainer.items():
        if key not in (*_KNOWN, "precision") and value is not None and value != _USUAL.get(key):
            yield f"trainer.{key}", value
    if num_processes(config) > 0:
        yield "trainer.devices", config.trainer.get("devices")
