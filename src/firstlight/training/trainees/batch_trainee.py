"""A task of firstlight, on the batches of a LightningDataModule."""

import math
from typing import Any

import torch
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor

from firstlight.augment.preprocess import ImagePreprocess
from firstlight.config import RunConfig
from firstlight.data.record import DataRecord
from firstlight.log import logger
from firstlight.networks.flops import flops_per_sample
from firstlight.networks.network import num_parameters
from firstlight.randomness import derive
from firstlight.runs.load import load_weights
from firstlight.spec import DataSpec
from firstlight.tasks import Batch, Task
from firstlight.tasks.build import build_task
from firstlight.training.assemble import Parts
from firstlight.training.module import TrainingModule
from firstlight.training.trainees.batch_spec import as_pair, spec_of_batches
from firstlight.training.trainees.epoch_seeds import EpochSeeds, seed_everything
from firstlight.training.trainees.module_trainee import build_data_module
from firstlight.training.trainees.trainee import Trainee


class BatchTrainee(Trainee):
    """A task that learns from the batches of a LightningDataModule, whose own transforms prepare and augment them.

    The spec follows from the first batch, see `spec_of_batches`. Inputs are taken as they are: nothing is normalised.

    Args:
        parts: the parts of the run.

    Raises:
        ValueError: an option is refused, or a batch is no pair of tensors.
    """

    def __init__(self, parts: Parts) -> None:
        self.config, self.folder = parts.config, parts.folder
        _check_options(parts.config)
        seed_everything(derive(parts.config.seed, "data"), torch.device("cpu"))
        self.data = build_data_module(parts.config)
        spec, self._num_batches = _first_look(self.data)
        if parts.is_resumed:
            spec = parts.folder.spec()
        self._task = self.task = build_task(parts.config, spec, pretrained=not parts.is_resumed)
        if isinstance(self._task.preprocess, ImagePreprocess):  # pretrained weights have a mean of their own
            self._task.preprocess.scale.fill_(1.0)
            self._task.preprocess.shift.zero_()
        self.module = self.learner = self._module = _PairModule(self._task, parts.config)
        self.evaluates_untrained = self._task.evaluates_untrained

    def prepare(self, trainer: Trainer) -> None:
        """Print what is trained."""
        if self.config.monitor.startswith("val/") and not is_overridden("val_dataloader", self.data):
            name = type(self.data).__name__
            raise ValueError(
                f"monitor={self.config.monitor}: must be a metric of train, because {name} has no val_dataloader."
            )
        length = math.ceil(self._num_batches / trainer.world_size)
        epochs: Any = _Epochs(length, self.config.seed, trainer)
        self._module.train_loader = epochs
        if trainer.is_global_zero:
            shape = "x".join(map(str, self._task.spec.input_shape))
            logger.info(
                f"{self.config.name}: {num_parameters(self._task.network):,} parameters, seed {self.config.seed};"
                f" {type(self.data).__name__} yields inputs {shape}, taken as they are, {_outputs(self._task.spec)}"
            )

    def seed_data(self, trainer: Trainer) -> None:
        """Seed the global random numbers."""
        seed_everything(derive(self.config.seed, "data"), trainer.strategy.root_device)

    def write_data(self) -> None:
        """Write data.json and spec.json."""
        DataRecord({}, {}, {}).write(self.folder.record_path)
        self.folder.write_spec(self._task.spec)

    def evaluate(self, trainer: Trainer, split: str) -> dict[str, float]:
        """Return the metrics of a split."""
        if not is_overridden(f"{split}_dataloader", self.data):
            logger.info(f"{split}: not evaluated, because {type(self.data).__name__} has no {split}_dataloader")
            return {}
        self.seed_data(trainer)
        function = trainer.test if split == "test" else trainer.validate
        function(self.module, datamodule=self.data, verbose=False)
        return {name: value for name, value in self._module.metrics.items() if name.startswith(f"{split}/")}

    def load_weights(self, checkpoint: str) -> None:
        """Load the weights of a checkpoint."""
        load_weights(self._task, self.folder, checkpoint)

    def costs(self, samples_per_second: float) -> dict[str, Any]:
        """Return the parameters and the operations of the network."""
        flops = flops_per_sample(self._task.network, self._task.preprocess.output_spec)
        return {
            "parameters": num_parameters(self._task.network),
            "flops_per_sample": flops,
            "gflops_per_second": self._task.training_flops(flops) * samples_per_second / 1e9,
        }


class _PairModule(TrainingModule):
    """Trains a task on batches that others have collated: a list of inputs and targets."""

    def __init__(self, task: Task, config: RunConfig) -> None:
        super().__init__(task, config)
        self.resumes_within_epoch = False

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return super().training_step(as_pair(batch), batch_idx)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        super().validation_step(as_pair(batch), batch_idx)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        super().test_step(as_pair(batch), batch_idx)


class _Epochs:
    """Stands for a training loader: its length, and the seeds of the random numbers that it draws."""

    def __init__(self, length: int, seed: int, trainer: Trainer) -> None:
        self.length = length
        self.trainer = trainer
        self.seeds = EpochSeeds(seed)

    def __len__(self) -> int:
        return self.length

    def set_epoch(self, epoch: int) -> None:
        """Seed the random numbers of an epoch."""
        self.seeds.begin(self.trainer)


def _check_options(config: RunConfig) -> None:
    if config.task.get("balance"):
        raise ValueError(
            f"task.balance={config.task['balance']}: must be null with a LightningDataModule, whose loader draws the"
            " samples. To fix: use task.class_weights."
        )


def _first_look(data: LightningDataModule) -> tuple[DataSpec, int]:
    """Return the spec of the data, and its number of training batches."""
    data.prepare_data()
    data.setup("fit")
    batches = data.train_dataloader()
    try:
        number = len(batches)
    except TypeError:
        raise ValueError(
            "data: must have training batches whose number is known, for a task of firstlight. To fix: give the data"
            " set a __len__."
        ) from None
    return spec_of_batches(data, batches), number


def _outputs(spec: DataSpec) -> str:
    return f"{spec.num_outputs} classes" if spec.targets == "classes" else f"{spec.num_outputs} numbers to predict"
