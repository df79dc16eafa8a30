"""Small data for tasks, and functions that train and evaluate tasks on it."""

from collections.abc import Mapping, Sequence

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from firstlight.augment import Augment
from firstlight.config import RunConfig
from firstlight.data import BatchLoader, Split
from firstlight.runs.evaluate import compute_metrics
from firstlight.spec import DataSpec
from firstlight.tasks import Batch, Task
from firstlight.tasks.build import build_task
from firstlight.training.environment import silence_lightning
from firstlight.training.module import TrainingModule
from firstlight.training.trainer import build_trainer

IMAGES = DataSpec((1, 8, 8), 3, ("a", "b", "c"), (0.5,), (0.25,))
TOKENS = DataSpec((5,), 6, ("<unk>", *"abcde"), (), ())
NUMBERS = DataSpec((2,), 1, ("y",), (1.0, -2.0), (2.0, 0.5), target_mean=(10.0,), target_std=(3.0,))


def augment(spec: DataSpec) -> Augment:
    """Return an augmentation without steps."""
    return Augment(spec)


def images(number: int, spec: DataSpec = IMAGES, seed: int = 0) -> Batch:
    """Return random images with random classes."""
    random = torch.Generator().manual_seed(seed)
    raw = torch.randint(0, 256, (number, *spec.stored_shape), dtype=torch.uint8, generator=random)
    return raw, torch.randint(0, spec.num_outputs, (number,), generator=random)


def text(number: int, spec: DataSpec = TOKENS, seed: int = 0) -> Batch:
    """Return consecutive windows of a random text, with the tokens that follow."""
    random = torch.Generator().manual_seed(seed)
    (length,) = spec.input_shape
    tokens = torch.randint(0, spec.num_outputs, (number * length + 1,), generator=random, dtype=torch.int32)
    return tokens[:-1].view(number, length), tokens[1:].view(number, length)


def metrics_of(task: Task, *batches: Batch) -> dict[str, float]:
    """Return the metrics of a task over these batches."""
    return compute_metrics(task.eval(), batches)


def train_on(task: Task, batch: Batch, steps: int, lr: float) -> float:
    """Train on one batch with Adam, and return the loss of the batch after the last step."""
    optimizer = torch.optim.Adam(task.train().network.parameters(), lr=lr)
    for _ in range(steps):
        loss = task.batch_loss(batch, task.new_meter())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(task.batch_loss(batch, task.new_meter()).detach())


def fit(
    spec: DataSpec,
    batch: Batch,
    *words: str,
    batch_size: int,
    callbacks: Sequence[Callback] = (),
    consecutive: bool = False,
) -> tuple[TrainingModule, Trainer]:
    """Train on the samples of a batch and validate on them, for one epoch unless `words` say otherwise."""
    config = RunConfig.from_overrides("trainer.accelerator=cpu", "trainer.max_epochs=1", *words)
    silence_lightning()
    task = build_task(config, spec)
    module, trainer = TrainingModule(task, config), build_trainer(config, task)
    trainer.callbacks.extend(callbacks)  # type: ignore[attr-defined]  # an attribute of every Trainer
    split = Split(*batch, consecutive=consecutive)
    module.train_loader = BatchLoader(split, batch_size, seed=1)
    trainer.fit(module, module.train_loader, BatchLoader(split, batch_size))
    return module, trainer


def same_state(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Return whether two states have the same names, in the same order, and the same values."""
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)
