"""What every task has in common."""

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from firstlight.augment import Augment
from firstlight.config.monitor import mode_of
from firstlight.config.transfer import Transfer
from firstlight.randomness import derive, reseed
from firstlight.spec import DataSpec
from firstlight.tasks.meter import Meter
from firstlight.tasks.recipe import Recipe
from firstlight.training.schedulers import Plan
from firstlight.transfer.freezing import Freezing

Batch = tuple[Tensor, Tensor]


class Task(LightningModule, ABC):
    """A network with all that its training needs.

    A subclass says what a meter is and what one batch costs; here stand the order of things and the randomness.

    What a task needs of its targets is in `needs`: classes, numbers, tokens, or anything. `evaluates_untrained` says
    that the untrained network is measured too, and told; `has_multiple_optimizers`, that parts of the network learn in
    turn, each with an optimizer of its own; `supports_freezing`, that the network's last layer gives what the loss is
    of, so that all before it may be frozen; `supports_feature_cache`, that each sample stands for itself, so that its
    features may be kept.

    Args:
        spec: of the data.
        network: takes what `augment` gives.
        augment: from raw batches to the network's inputs.
        recipe: how to train; None where the task only measures.

    Attributes:
        metrics: the metrics of this epoch so far, by their names `<split>/<name>`.
        freezing: what of the network learns, and when.
        reads_features: whether batches are the backbone's features, computed before, and no raw samples.
    """

    target_kind: ClassVar[str] = "anything"
    evaluates_untrained: ClassVar[bool] = False
    has_multiple_optimizers: ClassVar[bool] = False
    supports_freezing: ClassVar[bool] = True
    supports_feature_cache: ClassVar[bool] = False
    metric_names: tuple[str, ...] = ("loss",)

    def __init__(self, spec: DataSpec, network: nn.Module, augment: Augment, recipe: Recipe | None = None) -> None:
        super().__init__()
        self._check(spec, network)
        self.spec = spec
        self.network: Any = network  # some tasks ask for methods of its own
        self.augment = augment
        self.recipe = recipe
        self.reads_features = False
        self.freezing = self._freezing()
        self.metrics: dict[str, float] = {}
        self.plain_config: dict[str, Any] = {}  # goes into the checkpoints
        self._meter: Meter | None = None
        self._train_meter: Meter | None = None
        self._plateau: ReduceLROnPlateau | None = None
        self._plateau_state: dict[str, Any] | None = None  # from a checkpoint, until there is a plateau to load it

    @property
    def task_name(self) -> str:
        """As the command line has it: task=<name>."""
        return type(self).__name__.lower()

    @classmethod
    def network_spec(cls, spec: DataSpec, **options: Any) -> DataSpec:
        """The spec for the network, where the task, with these options, asks for other outputs than the data has."""
        return spec

    def _check(self, spec: DataSpec, network: nn.Module) -> None:
        """Refuse targets that the task has no use for, and a network that was made for another task."""
        name = self.task_name
        if self.target_kind not in ("anything", spec.targets):
            fitting = {"classes": "classification", "numbers": "regression", "tokens": "language"}[spec.targets]
            raise ValueError(
                f"{name} needs {self.target_kind} as targets; the data has {spec.targets}: task={fitting} fits."
            )
        made_for = getattr(network, "task", name)
        if made_for != name:
            raise ValueError(f"{type(network).__name__} is a network for task={made_for}, not for {name}.")

    def _freezing(self) -> Freezing:
        """What the recipe asks of the parts of the network; refused where it has no meaning."""
        if self.recipe is None:
            return Freezing(self.network, Transfer())
        transfer, views = self.recipe.transfer, self.augment.views
        if not self.supports_freezing and transfer.asks_for_parts:
            raise ValueError(f"model: no head, no frozen backbone and no lr_decay with task={self.task_name}.")
        freezing = Freezing(self.network, transfer)
        if views and not freezing.always_frozen:
            raise ValueError(f"augment.views={views}: of what a frozen backbone sees; it takes model.freeze=backbone.")
        if views and not (self.supports_feature_cache and self.augment.has_steps):
            raise ValueError(f"augment.views={views}: it takes steps of augmentation, in classification or regression.")
        return freezing

    def show(self, raw: Tensor) -> Tensor | str | None:
        """What there is to look at once the network is trained: images from 0 to 1, a text, or nothing.

        Args:
            raw: some raw inputs of the test split.
        """
        return None

    def training_flops(self, flops: int) -> int:
        """What a sample costs in training, of `flops` forward; backward costs twice what forward does."""
        if not self.freezing.always_frozen:
            return 3 * flops
        of_head = sum(2 * parameter.numel() for parameter in self.freezing.head.parameters() if parameter.ndim > 1)
        return 3 * of_head + (0 if self.reads_features else flops - of_head)

    @property
    def can_sample(self) -> bool:
        """Whether the trained network makes samples out of nothing, see `firstlight.commands.sample`."""
        return False

    def in_words(self) -> str | None:
        """What the trained network has found, where one line can tell it."""
        return None

    @property
    def preprocess(self) -> Any:
        """From raw batches to the network's inputs, where nothing is augmented."""
        return self.augment.preprocess

    def prepared(self, batch: Batch) -> Batch:
        """The network's inputs and the targets of a raw batch: augmented in training, and never else."""
        raw, targets = batch
        if self.reads_features:
            return self._view(raw), targets
        return self.augment(raw, targets) if self.training else (self.preprocess(raw), targets)

    def _view(self, features: Tensor) -> Tensor:
        """One view of each sample, another one in every epoch: (batch, views, features) -> (batch, features)."""
        if features.ndim == 2:
            return features
        chosen = torch.randint(features.shape[1], (len(features),), device=features.device)
        return features[torch.arange(len(features), device=features.device), chosen]

    def outputs(self, inputs: Tensor) -> Tensor:
        """What the network gives for inputs or, where batches are features, its head for these."""
        return self.freezing.head(inputs) if self.reads_features else self.network(inputs)

    @abstractmethod
    def new_meter(self) -> Meter:
        """A meter at zero, on the task's device."""

    @abstractmethod
    def batch_loss(self, batch: Batch, meter: Any) -> Tensor:
        """The loss of a raw batch; the meter takes note of it. Called in training and in measuring."""

    def configure_optimizers(self) -> Any:
        """Lightning asks once, before the first step."""
        assert self.recipe is not None
        lr = getattr(self.recipe.optimizer, "keywords", {}).get("lr")
        optimizer = self.recipe.optimizer(self.freezing.parameters(lr))
        scheduler = self.recipe.scheduler(optimizer, self._plan())
        if isinstance(scheduler, ReduceLROnPlateau):
            # Lightning steps these after the epoch's checkpoint is written, which would lose an epoch on resuming.
            self._plateau = scheduler
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _plan(self) -> Plan:
        """What schedulers have to know of the run."""
        assert self.recipe is not None
        self.trainer.fit_loop.setup_data()  # else a run without end does not know the length of an epoch
        total_steps = self.trainer.estimated_stepping_batches  # knows of accumulation and max_epochs
        if self.recipe.max_steps is not None:
            total_steps = min(total_steps, self.recipe.max_steps)
        steps_per_epoch = math.ceil(self.trainer.num_training_batches / self.trainer.accumulate_grad_batches)
        return Plan(total_steps, steps_per_epoch, mode_of(self.recipe.monitor))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step: its randomness follows from the seed, the epoch, the batch and the rank alone."""
        self._reseed(batch_idx)
        return self.batch_loss(batch, self._meter)

    def _reseed(self, batch_idx: int) -> None:
        assert self.recipe is not None
        reseed(derive(self.recipe.seed, "step", self.current_epoch, batch_idx, self.global_rank), self.device)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Measure one batch."""
        self.batch_loss(batch, self._meter)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Measure one batch."""
        self.batch_loss(batch, self._meter)

    def train(self, mode: bool = True) -> Self:
        """The mode of training, but for what is frozen; or that of evaluation."""
        super().train(mode)
        if mode:
            self.freezing.keep_modes()
        return self

    def on_train_epoch_start(self) -> None:
        """Every epoch counts from zero, and has an order of its own; the next stages may thaw."""
        if self.freezing.unfreezes_later:
            self.freezing.begin_epoch(self.current_epoch)
        self._train_meter = self._meter = self.new_meter()
        self.metrics.clear()
        loader: Any = self.trainer.train_dataloader
        loader.set_epoch(self.current_epoch)

    def on_validation_epoch_start(self) -> None:
        """Validation has a meter of its own, in the middle of a training epoch too."""
        self._meter = self.new_meter()

    def on_test_epoch_start(self) -> None:
        """Testing has a meter of its own."""
        self._meter = self.new_meter()

    def on_train_epoch_end(self) -> None:
        """The metrics of the epoch, over all batches as they were trained on."""
        assert self._train_meter is not None
        self._close(self._train_meter, "train")
        if self._plateau is not None and self.recipe is not None and self.recipe.monitor in self.metrics:
            self._plateau.step(self.metrics[self.recipe.monitor])

    def on_validation_epoch_end(self) -> None:
        """The metrics of the validation split."""
        assert self._meter is not None
        self._close(self._meter, "val")
        if self.trainer.state.fn == "fit":
            self._meter = self._train_meter

    def on_test_epoch_end(self) -> None:
        """The metrics of the test split."""
        assert self._meter is not None
        self._close(self._meter, "test")

    def _close(self, meter: Meter, split: str) -> None:
        if self.trainer.world_size > 1:
            for total in meter.sums():
                total.copy_(self.trainer.strategy.reduce(total, reduce_op="sum"))
        found = {f"{split}/{name}": value for name, value in meter.compute().items()}
        self.metrics |= found
        self.log_dict(found, sync_dist=True)  # the same on every rank already; for the callbacks of others

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """A checkpoint describes itself, in plain values."""
        checkpoint["config"] = self.plain_config
        checkpoint["spec"] = self.spec.to_dict()
        if self._plateau is not None:
            checkpoint["plateau"] = self._plateau.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Lightning restores this module before it makes the optimizers."""
        self._plateau_state = checkpoint.get("plateau")

    def on_train_start(self) -> None:
        """Lightning has restored what it knows of; the plateau it does not."""
        if self._plateau is not None and self._plateau_state is not None:
            self._plateau.load_state_dict(self._plateau_state)
