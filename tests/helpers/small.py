"""Small data and what is done with a task that has it."""

import copy
from typing import Any

import torch
from torch import Tensor

from firstlight.augment import Augment
from firstlight.config.compose import compose, to_plain
from firstlight.data import BatchLoader, Split
from firstlight.spec import DataSpec
from firstlight.tasks import Task
from firstlight.tasks.build import build_task, build_trainer
from firstlight.tasks.task import Batch
from firstlight.training.environment import silence_lightning

IMAGES = DataSpec((1, 8, 8), 3, ("a", "b", "c"), (0.5,), (0.25,))
TOKENS = DataSpec((5,), 6, ("<unk>", *"abcde"), (), ())
NUMBERS = DataSpec((2,), 1, ("y",), (1.0, -2.0), (2.0, 0.5), target_mean=(10.0,), target_std=(3.0,))


def augment(spec: DataSpec) -> Augment:
    """Nothing but the preprocessing."""
    return Augment(spec)


def images(number: int, spec: DataSpec = IMAGES, seed: int = 0) -> Batch:
    """Random images with their classes."""
    random = torch.Generator().manual_seed(seed)
    raw = torch.randint(0, 256, (number, *spec.stored_shape), dtype=torch.uint8, generator=random)
    return raw, torch.randint(0, spec.num_outputs, (number,), generator=random)


def text(number: int, spec: DataSpec = TOKENS, seed: int = 0) -> Batch:
    """Windows of a random text that follow each other, with the tokens that follow."""
    random = torch.Generator().manual_seed(seed)
    (length,) = spec.input_shape
    tokens = torch.randint(0, spec.num_outputs, (number * length + 1,), generator=random, dtype=torch.int32)
    return tokens[:-1].view(number, length), tokens[1:].view(number, length)


@torch.no_grad()
def measured(task: Task, *batches: Batch) -> dict[str, float]:
    """The metrics of a pass over these batches."""
    task.eval()
    meter = task.new_meter()
    for batch in batches:
        task.batch_loss(batch, meter)
    return meter.compute()


def learn(task: Task, batch: Batch, steps: int, lr: float) -> float:
    """The loss of a batch after so many steps of Adam on it."""
    optimizer = torch.optim.Adam(task.train().network.parameters(), lr=lr)
    for _ in range(steps):
        loss = task.batch_loss(batch, task.new_meter())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(task.batch_loss(batch, task.new_meter()).detach())


def fit(
    spec: DataSpec, batch: Batch, *words: str, batch_size: int, callbacks: Any = (), consecutive: bool = False
) -> tuple[Task, Any]:
    """A task that the Trainer has trained and validated on the samples of a batch, and the Trainer."""
    config = to_plain(compose("trainer.accelerator=cpu", "trainer.max_epochs=1", *words))
    silence_lightning()
    task, trainer = build_task(config, spec), build_trainer(config)
    trainer.callbacks.extend(callbacks)
    split = Split(*batch, consecutive=consecutive)
    trainer.fit(task, BatchLoader(split, batch_size, seed=1), BatchLoader(split, batch_size))
    return task, trainer


def parameters(module: torch.nn.Module) -> dict[str, Tensor]:
    """A copy of the state."""
    return copy.deepcopy(module.state_dict())
