"""Load trained networks from a run folder or from pretrained weights. The data is not needed."""

from pathlib import Path

import torch
from torch import nn

from firstlight.augment import Augment
from firstlight.config.checking.config import check_model
from firstlight.config.instantiate import bind, call
from firstlight.config.options import Transfer
from firstlight.config.run_config import Node
from firstlight.files import cannot_read
from firstlight.networks.network import class_of, create
from firstlight.runs.checkpoint import read_checkpoint
from firstlight.runs.findings.temperature import read_temperature
from firstlight.runs.run_folder import RunFolder
from firstlight.tasks import Classification, Task
from firstlight.tasks.build import ModuleNetwork, build_module, build_source, build_task
from firstlight.transfer.bounded_memory import bounded_by
from firstlight.transfer.pretrained import find_pretrained
from firstlight.transfer.weights_file import load_weights_into


def load_task(
    run: str | Path, checkpoint: str = "best", device: torch.device | str = "cpu", trust: bool = False
) -> Task:
    """Return the task of a run with the weights of a checkpoint, in evaluation mode.

    Its `temperature` is that of `evaluate.py calibrate=true`, if the checkpoint is calibrated.
    `task.network(task.preprocess(raw))` returns the logits of raw images (batch, channels, height, width), uint8.

    Args:
        run: the run folder.
        checkpoint: "best" or "last".
        device: the device of the network.
        trust: whether the run's config may name any class or function, see `RunFolder.config`.

    Raises:
        ValueError: the run or the checkpoint does not exist or is damaged, or the config names something to call that
            is not known.
    """
    folder = RunFolder.open(run)
    config = folder.config(trust)
    if config.has_data_module:
        build_source(config)  # raises an error
    spec = folder.spec()
    with bounded_by(folder.existing_checkpoint(checkpoint)):
        task = build_task(config, spec, training=False)
    load_weights(task.network.module if config.has_lightning_module else task, folder, checkpoint)
    if isinstance(task, Classification):
        task.temperature = read_temperature(folder, checkpoint)
    return task.to(device).eval()


def load_network_alone(
    run: str | Path, checkpoint: str = "best", device: torch.device | str = "cpu", trust: bool = False
) -> nn.Module:
    """Return the network of a run on a LightningDataModule, in evaluation mode. It takes what the data module yields.

    A LightningModule is its attribute `module`. There is no task that predicts: only the data module knows how samples
    are prepared.

    Args:
        run, checkpoint, device, trust: see `load_task`.

    Raises:
        ValueError: see `load_task`.
    """
    folder = RunFolder.open(run)
    config = folder.config(trust)
    network: nn.Module
    with bounded_by(folder.existing_checkpoint(checkpoint)):
        if config.has_lightning_module:
            network = ModuleNetwork(build_module(config))
            load_weights(network.module, folder, checkpoint)
        else:
            task = build_task(config, folder.spec(), training=False)
            load_weights(task, folder, checkpoint)
            network = task.network
    return network.to(device).eval()


def load_weights(task: nn.Module, folder: RunFolder, checkpoint: str) -> None:
    """Load the weights of a checkpoint into a task, or into a LightningModule.

    Raises:
        ValueError: the checkpoint does not exist, is damaged, or is of another network.
    """
    path = folder.existing_checkpoint(checkpoint)
    state = read_checkpoint(path)
    try:
        task.load_state_dict(state["state_dict"])
    except (TypeError, KeyError, AttributeError, RuntimeError) as error:
        raise cannot_read(path, "it is not a checkpoint of this run", "get this file again, or train again.") from error


def load_pretrained(model: Node) -> Task:
    """Return a network with pretrained weights that predicts the classes that the weights were trained on.

    Args:
        model: the node `model` of a config. Without `weights`, the default ones are loaded.

    Raises:
        ValueError: the weights do not exist, their classes or image size are unknown, or an option needs training.
    """
    check_model(model)
    transfer, node = Transfer.split(model)
    if transfer.asks_for_parts:
        raise ValueError("model: must have neither head, freeze nor lr_decay, because nothing is trained.")
    network_class = bind("model", node)
    name = transfer.weights or "default"
    kind = class_of(network_class.func)
    weights = call("model", find_pretrained, kind, name, network_class.keywords)
    if not weights.labels or weights.size is None:
        raise ValueError(
            f"model.weights={name}: must have known classes and image size. To fix: predict from a run, run=RUN."
        )
    spec = weights.spec()
    augment = Augment(spec, min_size=kind.min_size)
    network = create(network_class, augment.preprocess.output_spec)
    load_weights_into(network, call("model", weights.load), weights.name, whole=True)
    network.to(memory_format=torch.channels_last)
    return Classification(spec, network, augment).eval()
