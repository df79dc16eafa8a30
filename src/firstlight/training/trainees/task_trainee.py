"""A task of firstlight, on data of firstlight."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule, Trainer
from torch import Tensor

from firstlight.config import RunConfig
from firstlight.data import BatchLoader, Split
from firstlight.data.images.known_images import known_images
from firstlight.data.record import DataRecord
from firstlight.log import logger
from firstlight.networks.flops import flops_per_sample
from firstlight.networks.network import num_parameters
from firstlight.runs.load import load_weights
from firstlight.runs.preview import augmentation_sheet
from firstlight.runs.summary import opening_text
from firstlight.tasks import Task
from firstlight.training.assemble import Data, Parts
from firstlight.training.callbacks import Recorder
from firstlight.training.features import cached_features
from firstlight.training.figures.line import COLUMNS, LineRecord
from firstlight.training.module import TrainingModule
from firstlight.training.trainees.trainee import Trainee
from firstlight.training.trainer import check_batches

_NUM_EXAMPLES = 32  # test samples in the example output


class Batches(LightningDataModule):
    """The loaders of a run, as Lightning asks for them.

    Args:
        loaders: the loaders of "train", "val" and "test".
    """

    def __init__(self, loaders: Mapping[str, Any]) -> None:
        super().__init__()
        self.loaders = loaders

    def train_dataloader(self) -> Any:
        """Return the training batches."""
        return self.loaders["train"]

    def val_dataloader(self) -> Any:
        """Return the batches of the validation split."""
        return self.loaders["val"]

    def test_dataloader(self) -> Any:
        """Return the batches of the test split."""
        return self.loaders["test"]


class TaskTrainee(Trainee):
    """A task that learns from the data of firstlight.

    Args:
        parts: the parts of the run.

    Raises:
        ValueError: an option of the optimizer is out of its range, or the scheduler does not fit the task.
    """

    def __init__(self, parts: Parts) -> None:
        assert parts.task is not None
        assert parts.data is not None
        self.config, self.folder = parts.config, parts.folder
        self.own_data: Data = parts.data
        self._use(parts.task, TrainingModule(parts.task, parts.config))
        if self._task.spec.kind == "images" and self._task.augment.has_steps:
            self.augmentation = lambda: augmentation_sheet(self._task, parts.data.splits["train"], parts.config.seed)
        self.line = LineRecord(parts.task) if parts.task.is_line else None
        self.callbacks = [self.line] if self.line else []
        self.test_samples = lambda places: self.own_data.splits["test"].take(places)[0]

    def _use(self, task: Task, module: TrainingModule) -> None:
        self._task = self.task = self.predictor = task
        self.module = self.learner = self._module = module
        self.evaluates_untrained = task.evaluates_untrained

    @property
    def metric_names(self) -> list[str] | None:
        """The metrics of each epoch, with what a straight line records."""
        return [*(super().metric_names or []), *(COLUMNS if self.line else ())]

    def prepare(self, trainer: Trainer) -> None:
        """Build the loaders, of features if the backbone is frozen."""
        task, config = self._task, self.config
        splits = self.own_data.splits | {"train": task.training_samples(self.own_data.splits["train"])}
        warnings = task.adapt_to(splits["train"], splits["val"])
        if trainer.is_global_zero:
            logger.info(opening_text(config.name, config.seed, task, splits))
            for warning in warnings:
                logger.warning(warning)
        if task.freezing.always_frozen:
            cache_dir = self.own_data.source.cache_dir
            splits = cached_features(task, self.own_data.store, splits, trainer, config, cache_dir)
        batch_size = self.own_data.source.batch_size
        smallest = task.min_batch_size * trainer.world_size
        if batch_size != "all" and batch_size < smallest:
            raise ValueError(
                f"data.batch_size={batch_size}: must be at least {smallest} with task={task.task_name}, which compares"
                " the samples of a batch."
            )
        loaders = build_loaders(config, batch_size, splits, trainer, task)
        check_batches(config, trainer, loaders)
        self._module.train_loader = loaders["train"]
        self.data = Batches(loaders)

    def write_data(self) -> None:
        """Write data.json and spec.json."""
        DataRecord.of(self.own_data.store, self.own_data.splits).write(self.folder.record_path)
        self.folder.write_spec(self._task.spec)

    def evaluate(self, trainer: Trainer, split: str) -> dict[str, float]:
        """Return the metrics of a split."""
        function = trainer.test if split == "test" else trainer.validate
        function(self.module, datamodule=self.data, verbose=False)
        return {name: value for name, value in self._module.metrics.items() if name.startswith(f"{split}/")}

    def load_weights(self, checkpoint: str) -> None:
        """Load the weights of a checkpoint."""
        load_weights(self._task, self.folder, checkpoint)

    def samples(self, split: str, number: int) -> tuple[Tensor, Tensor]:
        """Return the first raw inputs and targets of a split, at most `number`."""
        chosen = self.own_data.splits[split]
        return chosen.take(torch.arange(min(len(chosen), number)))

    def examples(self) -> Tensor | str | None:
        """Return the example output of the task for samples of the test split."""
        raw, _ = self.samples("test", _NUM_EXAMPLES)
        return self._task.eval().example_output(raw.to(self._task.device))

    def costs(self, samples_per_second: float) -> dict[str, Any]:
        """Return the parameters and the operations of the network."""
        return {
            "parameters": num_parameters(self._task.network),
            "flops_per_sample": self.flops,
            "gflops_per_second": self._task.training_flops(self.flops) * samples_per_second / 1e9,
        }

    @cached_property
    def flops(self) -> int:
        """The operations of a forward pass of one sample."""
        return flops_per_sample(self._task.network, self._task.preprocess.output_spec)

    def draw(self, recorder: Recorder) -> None:
        """Draw the path of a straight line."""
        if self.line:
            self.line.draw(self.folder, self.samples, recorder)

    def finish(self) -> None:
        """Write a few numbers of the training images, for warnings of predictions."""
        if self._task.can_predict and self._task.spec.kind == "images":
            write_known_images(self._task, self.own_data, self.folder.images_path)


def write_known_images(task: Task, data: Data, path: Any) -> None:
    """Write the numbers of the training images that predictions compare other images with."""
    known_images(data.splits["train"], task.spec.margin).write(path)


def build_loaders(
    config: RunConfig,
    batch_size: int | Literal["all"],
    splits: Mapping[str, Split],
    trainer: Trainer,
    task: Task | None = None,
) -> dict[str, BatchLoader]:
    """Return the loaders of this rank, on this rank's device.

    Args:
        config: has the seed of the order of the training samples; `trainer.overfit_batches` keeps it for all epochs.
        batch_size: samples of a batch over all devices, or "all".
        splits: "train", "val" and "test".
        trainer: the Trainer.
        task: chooses the samples of the training, see `Task.train_loader`; None for a plain `BatchLoader`.
    """
    place: dict[str, Any] = {
        "device": trainer.strategy.root_device,
        "rank": trainer.global_rank,
        "world_size": trainer.world_size,
    }
    order: dict[str, Any] = {"seed": config.seed, "reshuffle": not config.trainer.get("overfit_batches")}
    train_loader = BatchLoader if task is None else task.train_loader
    return {
        "train": train_loader(splits["train"], batch_size, **order, **place),
        **{name: BatchLoader(splits[name], batch_size, **place) for name in ("val", "test")},
    }
