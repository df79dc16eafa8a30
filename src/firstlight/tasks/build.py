"""From a config to a task: network, preprocessing, loss and metrics, put together for the data."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_object
from omegaconf import OmegaConf
from torch import Tensor, nn

from firstlight.augment import Augment
from firstlight.config import CONFIG_DIR, RunConfig
from firstlight.config.checking.steps import without_steps
from firstlight.config.instantiate import bind, build, call
from firstlight.data import Source
from firstlight.data.folds import Fold
from firstlight.files import user_path
from firstlight.log import logger
from firstlight.networks.foreign import check_forward, initialise_lazy_layers
from firstlight.networks.network import Network, class_of, create, has_lazy_layers
from firstlight.randomness import derive, reseed
from firstlight.spec import DataSpec
from firstlight.tasks.classification import Classification
from firstlight.tasks.language import Language
from firstlight.tasks.multilabel import Multilabel
from firstlight.tasks.regression import Regression
from firstlight.tasks.reinforcement.policy_gradient import PolicyGradient
from firstlight.tasks.segmentation import Segmentation
from firstlight.tasks.task import FITTING, Task
from firstlight.transfer.embeddings.word_vectors import load_word_vectors
from firstlight.transfer.head import replace_head
from firstlight.transfer.pretrained import Pretrained, find_pretrained
from firstlight.transfer.weights_file import load_weights_into


class Auto(Task):
    """The task that fits the targets of the data, such as regression for numbers, with its default options.

    A table shows only when it is read what its target is. The arguments are those of `Task`.
    """

    def __new__(cls, spec: DataSpec, *args: Any) -> Task:  # type: ignore[misc]
        return _task_for(spec)(spec, *args)


def _task_for(spec: DataSpec) -> type[Task]:
    tasks: dict[str, type[Task]] = {
        "classes": Classification,
        "numbers": Regression,
        "tokens": Language,
        "rewards": PolicyGradient,
        "masks": Segmentation,
        "labels": Multilabel,
    }
    if spec.targets not in tasks:
        raise ValueError(f"task: must be {FITTING[spec.targets]}, because the targets of the data are {spec.targets}.")
    return tasks[spec.targets]


def build_source(config: RunConfig) -> Source:
    """Return the data set of a config.

    Raises:
        ValueError: an option of `data` is refused, or its class is no data set.
    """
    if config.has_data_module:
        name = str(config.data["_target_"]).rsplit(".", 1)[-1]
        raise ValueError(
            f"data={name}: must be a data set of firstlight here, because only training and evaluation read the"
            " batches of a LightningDataModule, whose own transforms prepare its samples."
        )
    source = Source.of(build("data", config.data))
    source.fold = None if config.fold is None else Fold(config.fold, config.kfold or config.fold)
    return source


def build_task(config: RunConfig, spec: DataSpec, *, training: bool = True, pretrained: bool = True) -> Task:
    """Return the task of a config.

    The initial weights follow from the config's seed alone, or are the pretrained ones.

    Args:
        config: the config of the run.
        spec: the data. If this call does not load the pretrained weights of the run, the spec must contain their
            preprocessing, as the `spec.json` of a run does.
        training: whether the task will be trained. A task for evaluation has no frozen parts and loads no pretrained
            weights; it has no augmentation steps, unless it augments in evaluation.
        pretrained: whether a task for training loads the pretrained weights of the config. If not, the caller loads
            other weights later.

    Raises:
        ValueError: the parts do not fit together, or an option is refused. The message names the key.
    """
    if config.has_lightning_module:
        return _build_around_module(config, spec, training=training)
    task_class = _bind_task(config)
    network_class = bind("model", config.model)
    kind = class_of(network_class.func)
    _check_accepts(kind, spec)
    weights = None
    if training and pretrained and config.transfer.weights is not None:
        options = network_class.keywords
        weights = call("model", find_pretrained, kind, config.transfer.weights, options)
        spec = weights.apply_to(spec)
    spec = _with_input_size(kind, network_class.keywords, spec)
    with_steps = training or task_class.func.augments_evaluation
    augment = build_augment(config, spec, kind.min_size, with_steps=with_steps)
    network_spec = call("task", task_class.func.network_spec, augment.preprocess.output_spec, **task_class.keywords)
    network = _build_network(config, network_class, network_spec, spec, weights)
    if training and pretrained and config.data.get("embeddings"):
        logger.info(load_word_vectors(network, _vectors_path(config.data), spec.tokens))
    if training and not any(parameter.requires_grad for parameter in network.parameters()):
        fix = " To fix: show its filtered images with preview.py." if hasattr(network, "kernel_names") else ""
        raise ValueError(f"model: {type(network).__name__} must have parameters that learn.{fix}")
    task = call("task", task_class, spec, network, augment, config.transfer if training else None)
    shape = task.output_shape()
    if training and shape is not None and not isinstance(network, Network):
        check_forward(network, network_class, task.preprocess.output_spec, shape)
    task.add_metrics(config.metrics)
    mode = task.monitored(config.monitor).direction  # raises an error if the task does not have it
    if config.monitor_mode not in (None, mode):
        raise ValueError(f"monitor_mode={config.monitor_mode}: must be {mode} or null with monitor={config.monitor}.")
    return task


def _bind_task(config: RunConfig) -> Any:
    """Return what `bind` returns for the node `task`, if its class is a task."""
    bound = bind("task", config.task)
    kind = bound.func
    if isinstance(kind, type) and issubclass(kind, Task):
        return bound
    bases = kind.__mro__ if isinstance(kind, type) else ()
    is_of_other_package = any(base.__module__.startswith("pytorch_lightning.") for base in bases)
    fix = " To fix: import lightning.pytorch in place of pytorch_lightning" if is_of_other_package else ""
    name = getattr(kind, "__name__", str(kind))
    raise ValueError(
        f"task: must be a LightningModule or a subclass of firstlight.tasks.Task, and {name} is neither.{fix}"
    )


class ModuleNetwork(nn.Module):
    """A LightningModule as a network: its `forward` takes what the preprocessing returns.

    Args:
        module: the LightningModule. Its outputs may be logits, log-probabilities or probabilities.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.module(inputs)
        if outputs.ndim == 2 and outputs.shape[1] > 1 and bool((outputs >= 0).all()):
            sums = outputs.sum(1)
            if torch.allclose(sums, torch.ones_like(sums), atol=1e-3):  # probabilities
                return outputs.clamp(min=1e-30).log()
        return outputs


def build_module(config: RunConfig) -> nn.Module:
    """Return the LightningModule that a config names as its task. Its initial weights follow from the seed alone.

    Raises:
        ValueError: an option of `task` is refused.
    """
    reseed(derive(config.seed, "network"), torch.device("cpu"))
    with warnings.catch_warnings():  # checkpoints hold the options as in the config, and so no module twice
        warnings.filterwarnings("ignore", r"Attribute '.*' is an instance of `nn.Module`")
        module: nn.Module = build("task", config.task)
    return module


def _build_around_module(config: RunConfig, spec: DataSpec, *, training: bool) -> Task:
    """Return a task whose network is a LightningModule. It prepares batches and predicts, and has another loss."""
    kind = _task_for(spec)
    if kind.acts:
        raise ValueError("task: must be policy_gradient or dqn, because no LightningModule plays in an environment.")
    augment = build_augment(config, spec, 1, with_steps=training)
    return kind(spec, ModuleNetwork(build_module(config)), augment)


def _vectors_path(data: Mapping[str, Any]) -> Path:
    """Return the path of `data.embeddings`, relative to the working directory or to `data.dir`."""
    path = user_path(data["embeddings"], "data.embeddings")
    beside = user_path(data["dir"], "data.dir") / data["embeddings"]
    if not path.is_file() and not beside.is_file():
        raise ValueError(f"data.embeddings={data['embeddings']}: must be an existing file.")
    return path if path.is_file() else beside


def build_augment(config: RunConfig, spec: DataSpec, min_size: int, *, with_steps: bool) -> Augment:
    """Return the augmentation of a config, or its preprocessing alone, for a network that accepts images of `min_size`.

    Raises:
        ValueError: an option is refused.
    """
    node = config.augment if with_steps else without_steps(config.augment)
    reseed(derive(config.seed, "augment"), torch.device("cpu"))  # for modules whose weights are random
    augment = build("augment", node, spec, min_size=min_size)
    assert isinstance(augment, Augment)
    return augment


def _build_network(
    config: RunConfig, network_class: Any, network_spec: DataSpec, spec: DataSpec, weights: Pretrained | None
) -> nn.Module:
    reseed(derive(config.seed, "network"), torch.device("cpu"))
    network = create(network_class, network_spec)
    if has_lazy_layers(network):
        initialise_lazy_layers(network, network_spec)
    if config.transfer.head is not None:
        replace_head(network, config.transfer.head, network_spec.num_outputs)
    if weights is not None:
        labels_differ = weights.has_other_labels(spec)
        has_head = load_weights_into(network, call("model", weights.load), weights.name, labels_differ=labels_differ)
        logger.info(f"pretrained weights {weights.name}, with {'their' if has_head else 'a new'} head")
    # Convolutions in this memory format take up to a third less time, on CPUs too.
    return network.to(memory_format=torch.channels_last)


def _with_input_size(network: type[Network], options: dict[str, Any], spec: DataSpec) -> DataSpec:
    """Return the spec with the input size that the network asks for; its options may decide, see `input_size_for`."""
    if spec.size is not None:
        return spec
    return replace(spec, size=call("model", network.input_size_for, spec, **options))


def _check_accepts(network: type[Network], spec: DataSpec) -> None:
    """Check that a network class accepts the kind of samples."""
    if spec.kind in network.accepts:
        return
    fitting = []
    for path in sorted((CONFIG_DIR / "model").glob("[!_]*.yaml")):
        if spec.kind in class_of(get_object(_target(path))).accepts:
            fitting.append(path.stem)
    raise ValueError(f"model: must accept {spec.kind}, and {network.__name__} does not; {', '.join(fitting)} do.")


def _target(path: Path) -> str:
    """Return the `_target_` of a YAML file; a variant inherits it from the first file of its defaults."""
    node = OmegaConf.load(path)
    target = OmegaConf.select(node, "_target_")
    return target or _target(path.with_name(f"{OmegaConf.select(node, 'defaults')[0]}.yaml"))
