"""A LightningModule of the user, on its own LightningDataModule or on the data of firstlight."""

from collections.abc import Iterator
from typing import Any

from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor

from firstlight.config import RunConfig
from firstlight.config.instantiate import build
from firstlight.data import BatchLoader
from firstlight.data.record import DataRecord
from firstlight.log import logger
from firstlight.networks.network import num_parameters, parameters_text
from firstlight.randomness import derive
from firstlight.runs.load import load_weights
from firstlight.runs.summary import opening_text
from firstlight.tasks import Task
from firstlight.tasks.build import build_module
from firstlight.training.assemble import Parts
from firstlight.training.trainees.epoch_seeds import seed_everything
from firstlight.training.trainees.module_learner import ModuleLearner, without_twins
from firstlight.training.trainees.task_trainee import Batches, build_loaders, write_known_images
from firstlight.training.trainees.trainee import Trainee
from firstlight.training.trainer import check_batches

_STEPS = {"val": ("validation_step", "val_dataloader"), "test": ("test_step", "test_dataloader")}


class ModuleTrainee(Trainee):
    """A LightningModule of the user. Its hooks, losses, optimizers, schedulers and `self.log` work as in Lightning.

    Args:
        parts: the parts of the run. If the data is that of firstlight, the module gets batches of the inputs that a
            network would get, and targets.

    Raises:
        ValueError: an option of `task` or `data` is refused.
    """

    def __init__(self, parts: Parts) -> None:
        self.config, self.folder = parts.config, parts.folder
        self.own_data, self.predictor = parts.data, parts.task
        module: Any = parts.task.network.module if parts.task else build_module(parts.config)
        if not isinstance(module, LightningModule):
            raise ValueError(f"task={type(module).__name__}: must be a class derived from lightning.LightningModule.")
        self.module = module
        self._loader: BatchLoader | None = None
        self.learner = ModuleLearner(parts.config, module, self._set_epoch)
        self.callbacks = [self.learner]
        if self.own_data is None:
            self.data = build_data_module(parts.config)

    def _set_epoch(self, epoch: int) -> None:
        if self._loader is not None:
            self._loader.set_epoch(epoch)

    def prepare(self, trainer: Trainer) -> None:
        """Build the loaders, if the data is that of firstlight."""
        name, seed = self.config.name, self.config.seed
        if self.own_data is None or self.predictor is None:
            opening = f"{name}: {parameters_text(self.module)} of {type(self.module).__name__}, seed {seed}"
            opening += f", batches of {type(self.data).__name__} as it yields them"
        else:
            splits, batch_size = self.own_data.splits, self.own_data.source.batch_size
            opening = opening_text(name, seed, self.predictor, splits)
            loaders = build_loaders(self.config, batch_size, splits, trainer)
            check_batches(self.config, trainer, loaders)
            self._loader = loaders["train"]
            self.data = Batches({split: NetworkInputs(loader, self.predictor) for split, loader in loaders.items()})
        if trainer.is_global_zero:
            logger.info(opening)

    def seed_data(self, trainer: Trainer) -> None:
        """Seed the global random numbers."""
        seed_everything(derive(self.config.seed, "data"), trainer.strategy.root_device)

    def write_data(self) -> None:
        """Write data.json, and spec.json if the data is that of firstlight."""
        if self.own_data is None or self.predictor is None:
            return DataRecord({}, {}, {}).write(self.folder.record_path)
        DataRecord.of(self.own_data.store, self.own_data.splits).write(self.folder.record_path)
        return self.folder.write_spec(self.predictor.spec)

    def evaluate(self, trainer: Trainer, split: str) -> dict[str, float]:
        """Return what the module logs for a split."""
        step, loader = _STEPS[split]
        for owner, method in ((self.module, step), (self.data, loader)):
            if not is_overridden(method, owner):
                logger.info(f"{split}: not evaluated, because {type(owner).__name__} has no {method}")
                return {}
        self.seed_data(trainer)
        function = trainer.test if split == "test" else trainer.validate
        results = function(self.module, datamodule=self.data, verbose=False)
        found = without_twins({name: float(value) for result in results for name, value in result.items()})
        if split == "val":
            self.learner.metrics |= found
        return found

    def load_weights(self, checkpoint: str) -> None:
        """Load the weights of a checkpoint."""
        load_weights(self.module, self.folder, checkpoint)

    def costs(self, samples_per_second: float) -> dict[str, Any]:
        """Return the number of parameters."""
        return {"parameters": num_parameters(self.module)}

    def finish(self) -> None:
        """Write a few numbers of the training images, for warnings of predictions."""
        if self.own_data is not None and self.predictor is not None and self.predictor.spec.kind == "images":
            write_known_images(self.predictor, self.own_data, self.folder.images_path)


def build_data_module(config: RunConfig) -> LightningDataModule:
    """Return the LightningDataModule that a config names as its data.

    Raises:
        ValueError: an option of `data` is refused.
    """
    data = build("data", config.data)
    if not isinstance(data, LightningDataModule):
        raise ValueError(f"data={type(data).__name__}: must be a class derived from lightning.LightningDataModule.")
    return data


class NetworkInputs:
    """Batches of the inputs that a network gets, and their targets: augmented in training, and preprocessed.

    Args:
        loader: yields raw batches.
        task: prepares them, see `Task.prepared`.
    """

    def __init__(self, loader: BatchLoader, task: Task) -> None:
        self.loader = loader
        self.task = task

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        preparing = self.task.augment.to(self.loader.device)
        for raw, targets in self.loader:
            is_training = self.loader.seed is not None
            yield preparing(raw, targets) if is_training else (preparing.preprocess(raw), targets)
