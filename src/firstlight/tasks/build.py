"""From a config to objects.

Lightning is imported by the functions that need it, because that takes four seconds: data that is not there and
steps that are refused are told before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from torch import nn

from firstlight.augment import Augment
from firstlight.checks import choose
from firstlight.config.checking.steps import without_steps
from firstlight.config.compose import CONFIG_DIR
from firstlight.config.instantiate import call, partial
from firstlight.config.transfer import Transfer, split_model
from firstlight.data import Source
from firstlight.log import logger
from firstlight.randomness import derive, reseed
from firstlight.spec import DataSpec
from firstlight.training.launch import is_inside
from firstlight.transfer.head import replace_head
from firstlight.transfer.pretrained import find_pretrained
from firstlight.transfer.weights_file import load_weights_into

if TYPE_CHECKING:
    from lightning.pytorch import Callback, Trainer

    from firstlight.tasks import Recipe, Task

Config = dict[str, Any]


def build_source(config: Config) -> Source:
    """The data set that `data` names."""
    source = call("data", partial(config, "data"))
    assert isinstance(source, Source)
    return source


def build_augment(config: Config, spec: DataSpec, *, with_steps: bool = True) -> Augment:
    """The augmentation for the data and the network; it is the first part of a task, and needs no Lightning.

    Raises:
        ValueError: the network is not for such data, or a step is refused; names the config's key.
    """
    network_class = _network_class(config, spec)
    spec, min_size = _sized(network_class, spec), getattr(network_class.func, "min_size", 1)
    augmentation = config["augment"] if with_steps else without_steps(config["augment"])
    augment = call("augment", partial({"augment": augmentation}, "augment"), spec, min_size=min_size)
    assert isinstance(augment, Augment)
    return augment


def build_task(config: Config, spec: DataSpec, *, with_recipe: bool = True, with_weights: bool = True) -> Task:
    """Network, augmentation, loss, optimizer and scheduler, put together for the data.

    The first weights follow from the config's seed alone, or are the pretrained ones that it names.

    Args:
        config: complete and resolved.
        spec: of the data; with the preprocessing of the pretrained weights, where these are not loaded.
        with_recipe: whether the task is to train; else it only measures.
        with_weights: whether a task that is to train starts from pretrained weights; else others are put in later.

    Raises:
        ValueError: the parts do not go together, or an argument is refused; names the config's key.
    """
    transfer, _ = split_model(config["model"])
    network_class = _network_class(config, spec)
    pretrained = None
    if with_recipe and with_weights and transfer.weights is not None:
        pretrained = call("model", find_pretrained, network_class.func, transfer.weights, network_class.keywords)
        spec = pretrained.apply_to(spec)
    spec = _sized(network_class, spec)
    augment = build_augment(config, spec, with_steps=with_recipe)
    task_class = partial(config, "task")
    reseed(derive(config["seed"], "network"), torch.device("cpu"))
    network_spec = call("task", task_class.func.network_spec, augment.preprocess.output_spec, **task_class.keywords)
    network = call("model", network_class, network_spec)
    if transfer.head is not None:
        replace_head(network, transfer.head, network_spec.num_outputs)
    if pretrained is not None:
        others = pretrained.has_other_labels(spec)
        has_head = load_weights_into(network, call("model", pretrained.load), pretrained.name, labels_differ=others)
        logger.info(f"weights {pretrained.name}, with {'their' if has_head else 'a new'} head")
    network.to(memory_format=torch.channels_last)  # convolutions are up to half as fast again, on CPUs too
    if with_recipe and not any(parameter.requires_grad for parameter in network.parameters()):
        raise ValueError(f"model: nothing in this {type(network).__name__} can learn.")
    recipe = _recipe(config, transfer) if with_recipe else None
    task = call("task", task_class, spec, network, augment, recipe)
    _check_monitor(config["monitor"], task)
    task.plain_config = config
    return task


def build_pretrained(model: Config) -> Task:
    """A network with its weights, which tells apart the classes that they know: no data, no training.

    Args:
        model: the config's node; its default weights where it names none.

    Raises:
        ValueError: it has none, nobody knows what they know, or an option is for training.
    """
    transfer, network = split_model(model)
    if transfer.asks_for_parts:
        raise ValueError("model: head, freeze and lr_decay are for training; the weights are taken as they are.")
    network_class = partial({"model": network}, "model")
    weights = transfer.weights or "default"
    pretrained = call("model", find_pretrained, network_class.func, weights, network_class.keywords)
    if not pretrained.labels or pretrained.size is None:
        raise ValueError(f"model.weights={weights}: nobody knows its classes and images; predict from a run, by run=.")
    config = {"model": network, "augment": {"_target_": "firstlight.augment.Augment"}, "seed": 0, "monitor": "val/loss"}
    config |= {"task": {"_target_": "firstlight.tasks.Classification"}}
    task = build_task(config, pretrained.spec(), with_recipe=False)
    load_weights_into(task.network, call("model", pretrained.load), pretrained.name, whole=True)
    return task.eval()


def build_trainer(config: Config, callbacks: Sequence[Callback] = ()) -> Trainer:
    """Lightning's Trainer; what firstlight does itself (logs, progress, summary) is off unless the config says else.

    Callbacks and plugins of the config come before ours. `max_steps` is a callback's: where Lightning counts, a run
    ends without a last validation, and one that was stopped at an epoch's end does not resume where it was.
    """
    from lightning.pytorch.utilities.exceptions import MisconfigurationException

    from firstlight.training.callbacks.checkpoints import AtomicCheckpointIO

    if config["trainer"].get("max_epochs") == 0:
        raise ValueError("trainer.max_epochs=0: one epoch or more, or -1 for no limit.")
    if str(config["trainer"].get("precision")) in ("16-true", "bf16-true", "64-true", "64"):
        precision = config["trainer"]["precision"]
        raise ValueError(
            f"trainer.precision={precision}: weights are float32; 16-mixed and bf16-mixed compute in less."
        )
    own = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    own |= {"enable_checkpointing": bool(callbacks)}  # where ours are, Lightning adds none
    theirs = config["trainer"]
    transfer, _ = split_model(config["model"])
    has_multiple_optimizers = partial(config, "task").func.has_multiple_optimizers
    if has_multiple_optimizers:
        _check_alternating(theirs)
    if (
        (has_multiple_optimizers or transfer.unfreeze_at_epoch)
        and is_inside()
        and theirs.get("strategy", "auto") == "auto"
    ):
        # No backward pass reaches all parameters, and processes must not wait for the others' gradients.
        theirs = theirs | {"strategy": "ddp_find_unused_parameters_true"}
    trainer_class = partial({"trainer": own | theirs | {"max_steps": -1}}, "trainer")
    given = {key: _as_list(trainer_class.keywords.get(key)) for key in ("callbacks", "plugins")}
    callbacks, plugins = [*given["callbacks"], *callbacks], [*given["plugins"], AtomicCheckpointIO()]
    try:
        return call("trainer", trainer_class, callbacks=callbacks, plugins=plugins)
    except MisconfigurationException as error:
        raise ValueError(f"trainer: {error}") from error


def _check_alternating(trainer: Config) -> None:
    """Refuse what has no meaning where parts of the network learn in turn."""
    for key, only in {"accumulate_grad_batches": (None, 1), "gradient_clip_val": (None, 0)}.items():
        if trainer.get(key) not in only:
            raise ValueError(f"trainer.{key}={trainer[key]}: not where two networks learn in turn; leave it out.")


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _recipe(config: Config, transfer: Transfer) -> Recipe:
    from firstlight.tasks import Recipe

    optimizer, scheduler = partial(config, "optimizer"), partial(config, "scheduler")
    # A parameter that stands for the network's tells of wrong values now, not when Lightning asks.
    call("optimizer", optimizer, [nn.Parameter(torch.zeros(1))])
    return Recipe(optimizer, scheduler, config["monitor"], config["seed"], step_limit(config), transfer)


def step_limit(config: Config) -> int | None:
    """The `max_steps` of the trainer; None for its -1, no limit."""
    max_steps = config["trainer"].get("max_steps", -1)
    return None if max_steps == -1 else max_steps


def _network_class(config: Config, spec: DataSpec) -> Any:
    """The network's class with its own options, where it is for such data."""
    _, own_options = split_model(config["model"])
    network_class = partial({"model": own_options}, "model")
    _check_takes(network_class.func, spec)
    return network_class


def _sized(network_class: Any, spec: DataSpec) -> DataSpec:
    """The spec with the size that the network wants; one whose options decide on it says so in `input_size_for`."""
    if spec.size is not None or not hasattr(network_class.func, "input_size_for"):
        return spec
    return replace(spec, size=call("model", network_class.func.input_size_for, spec, **network_class.keywords))


def _check_takes(network: Any, spec: DataSpec) -> None:
    """Networks say in `takes` what samples they are for; one that says nothing is for all."""
    if spec.kind in getattr(network, "accepts", spec.kind):
        return
    fitting = []
    for path in sorted((CONFIG_DIR / "model").glob("*.yaml")):
        target = OmegaConf.select(OmegaConf.load(path), "_target_")  # a variant of another YAML has none
        if target and spec.kind in getattr(get_class(target), "accepts", spec.kind):
            fitting.append(path.stem)
    raise ValueError(f"model: {network.__name__} is not for {spec.kind}; {', '.join(fitting)} would fit the data.")


def _check_monitor(monitor: str, task: Task) -> None:
    known = [f"{split}/{name}" for split in ("val", "train") for name in task.metric_names]
    choose("monitor", monitor, known, "metric")
