"""The statistics of batch normalisation for weights that were averaged, and not trained."""

from itertools import islice
from typing import Any

import torch
from lightning.pytorch import Trainer
from torch import nn

from firstlight.data import BatchLoader
from firstlight.randomness import derive, reseed

_BatchNorm = nn.modules.batchnorm._BatchNorm


def update_statistics(module: Any, trainer: Trainer) -> None:
    """Compute the running mean and variance of batch normalisation over the first epoch of the training data.

    Each batch has the same weight. Layers that keep their statistics, such as those of frozen parts, stay as they are,
    and a network without batch normalisation costs nothing. Every process passes over all of the data.

    Args:
        module: the `TrainingModule`, in evaluation mode.
        trainer: the Trainer.
    """
    task, loader = module.task, module.train_loader
    task.train()
    layers = [layer for layer in task.network.modules() if isinstance(layer, _BatchNorm) and _learns(layer)]
    if layers:
        stream, momenta = task.stream_state, [layer.momentum for layer in layers]
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # the mean over all batches
        reseed(derive(module.config.seed, "statistics", module.current_epoch), module.device)
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            for batch in islice(_whole(loader), int(trainer.num_training_batches)):
                task.batch_loss(batch, task.new_meter())
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        task.stream_state = stream
    task.eval()


def _learns(layer: Any) -> bool:
    return layer.training and layer.track_running_stats


def _whole(loader: BatchLoader) -> BatchLoader:
    """Return a loader of the same batches, whole on every process, that leaves the position of the first one alone."""
    return BatchLoader(
        loader.split, loader.batch_size, seed=loader.seed, balanced=loader.balanced, device=loader.device
    )
