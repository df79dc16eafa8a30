"""The base class of all tasks."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from firstlight.augment import Augment
from firstlight.config.transfer import Transfer
from firstlight.data import Split
from firstlight.spec import DataSpec
from firstlight.tasks.meters import Meter
from firstlight.transfer.freezing import Freezing

Batch = tuple[Tensor, Tensor]
"""Raw inputs and targets (batch, ...), see `Split`."""

# Takes one gradient step: the index of the optimized part, and the loss of that part.
Update = Callable[[int, Tensor], None]

TOP = 5  # most likely classes in a prediction


class Task(nn.Module, ABC):
    """A network with its preprocessing, loss and metrics. It trains, evaluates and predicts on raw batches.

    A task is a plain module: `training.TrainingModule` connects it with Lightning. A subclass defines the metrics
    (`new_meter`) and the loss of a batch (`batch_loss`), and may override the other methods.

    Args:
        spec: the data.
        network: takes the output of `augment`.
        augment: turns a raw batch into the network's input.
        transfer: which parts of the network learn, and when; None if all do.

    Attributes:
        target_kind: the kind of targets that the task needs: "classes", "numbers", "tokens" or "anything".
        evaluates_untrained: whether a run also evaluates the task before the first step.
        has_multiple_optimizers: whether the `optimized_parts` are trained alternately, each with its own optimizer;
            see `alternating_step`.
        supports_freezing: whether the network's last layer is a head whose backbone may be frozen.
        supports_feature_cache: whether the loss of a sample depends on that sample alone, so that the features of a
            frozen backbone may be computed once.
        metric_names: names of the metrics, without the prefix `<split>/`.
        freezing: which parts of the network learn in which epoch.
        reads_features: whether batches hold the features of a frozen backbone instead of raw samples.
        stream_state: state that a recurrent network keeps from one batch to the next; None for other networks.
    """

    target_kind: ClassVar[str] = "anything"
    evaluates_untrained: ClassVar[bool] = False
    has_multiple_optimizers: ClassVar[bool] = False
    supports_freezing: ClassVar[bool] = True
    supports_feature_cache: ClassVar[bool] = False
    metric_names: tuple[str, ...] = ("loss",)

    def __init__(self, spec: DataSpec, network: nn.Module, augment: Augment, transfer: Transfer | None = None) -> None:
        super().__init__()
        self._check(spec, network)
        self.spec = spec
        self.network: Any = network  # some tasks call methods that only their networks have
        self.augment = augment
        self.reads_features = False
        self.stream_state: Any = None
        self.freezing = self._freezing(transfer)

    @property
    def task_name(self) -> str:
        """The name of the task on the command line: task=<name>."""
        return type(self).__name__.lower()

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return next(itertools.chain(self.parameters(), self.buffers())).device

    @classmethod
    def network_spec(cls, spec: DataSpec, **options: Any) -> DataSpec:
        """Return the spec that the network is built for. Options of the task may change the number of outputs."""
        return spec

    def _check(self, spec: DataSpec, network: nn.Module) -> None:
        name = self.task_name
        if self.target_kind not in ("anything", spec.targets):
            fitting = {"classes": "classification", "numbers": "regression", "tokens": "language"}[spec.targets]
            raise ValueError(
                f"task={name}: must be {fitting}, because the targets of the data are {spec.targets},"
                f" not {self.target_kind}."
            )
        made_for = getattr(network, "task", name)
        if made_for != name:
            raise ValueError(f"task={name}: must be {made_for}, which trains {type(network).__name__}.")

    def _freezing(self, transfer: Transfer | None) -> Freezing:
        if transfer is None:
            return Freezing(self.network, Transfer())
        views = self.augment.views
        if not self.supports_freezing and transfer.asks_for_parts:
            raise ValueError(
                f"model: must have neither head, freeze nor lr_decay with task={self.task_name},"
                " whose network has no head."
            )
        freezing = Freezing(self.network, transfer)
        if views and not freezing.always_frozen:
            raise ValueError(f"augment.views={views}: must be 0 without model.freeze=backbone.")
        if views and not self.supports_feature_cache:
            raise ValueError(
                f"augment.views={views}: must be 0 with task={self.task_name}; only classification and regression"
                " store features of augmented views."
            )
        if views and not self.augment.has_steps:
            raise ValueError(f"augment.views={views}: must be 0 without augmentation steps, as all views are equal.")
        return freezing

    @abstractmethod
    def new_meter(self) -> Meter:
        """Return a meter at zero, on the task's device."""

    @abstractmethod
    def batch_loss(self, batch: Batch, meter: Any) -> Tensor:
        """Return the mean loss of a raw batch, and add the batch to the meter. Training and evaluation call this."""

    def optimized_parts(self) -> list[nn.Module]:
        """Return the parts of the network that are trained by separate optimizers; by default, the whole network."""
        return [self.network]

    def alternating_step(self, batch: Batch, meter: Any, update: Update) -> Tensor:
        """Train each of several `optimized_parts` once on a raw batch.

        Args:
            batch: raw inputs and targets.
            meter: the batch is added to it.
            update: takes the gradient step of a part, given the index of the part and its loss. The steps of part 0
                count as the steps of the run.

        Returns:
            The loss to log, without gradients.

        Raises:
            NotImplementedError: the task has one optimizer.
        """
        raise NotImplementedError

    def adapt_to(self, train: Split, val: Split) -> list[str]:
        """Adapt the task to the data before training, for example to the class sizes. Return warnings for the user."""
        return []

    @property
    def balanced_sampling(self) -> bool:
        """Whether training draws every class equally often."""
        return False

    def example_output(self, raw: Tensor) -> Tensor | str | None:
        """Return an example of the trained network's output: images from 0 to 1, a text, or None.

        Args:
            raw: raw inputs of the test split, (batch, ...), see `Split`.
        """
        return None

    @property
    def can_predict(self) -> bool:
        """Whether the task predicts samples without targets, see `runs.predict`."""
        return type(self).predict_rows is not Task.predict_rows

    def predict_rows(self, raw: Tensor) -> list[dict[str, Any]]:
        """Return the results for each sample, as the columns of a table; all rows have the same columns.

        The column `warning` is optional: why the result may be wrong.

        Args:
            raw: raw inputs (batch, ...), see `Split`. Texts that are shorter than the longest end in -1.

        Raises:
            ValueError: the task does not predict.
        """
        raise ValueError(f"task={self.task_name}: must be a task that predicts.")

    def answers(self, raw: Tensor) -> dict[str, Tensor]:
        """Return what an exported network answers, as named tensors of (batch, ...).

        Args:
            raw: raw inputs (batch, ...), see `Split`; latents (batch, latent_dim) if the task has a `latent_dim`.

        Raises:
            ValueError: the task does not export.
        """
        raise ValueError(f"task={self.task_name}: must be a task that exports.")

    @property
    def latent_dim(self) -> int | None:
        """Length of the latents that an exported network takes; None for a network that takes samples."""
        return None

    def cells(self, row: dict[str, Any]) -> tuple[str, ...]:
        """Return the main results of a row of `predict_rows` as short texts, for the screen and for captions."""
        return tuple(f"{name} {value:.6g}" for name, value in row.items())

    def details(self, row: dict[str, Any]) -> list[tuple[str, ...]]:
        """Return the results of a single sample as lines for the screen, each of the same number of texts."""
        return [(name, f"{value:.6g}" if isinstance(value, float) else str(value)) for name, value in row.items()]

    def use_group(self, group: str) -> None:
        """Predict also a verdict for a group of classes, see `transfer.imagenet_groups`.

        Raises:
            ValueError: the task does not predict the classes of the group.
        """
        raise ValueError(f"predict.group={group}: must be null with task={self.task_name}, which predicts no classes.")

    def training_flops(self, flops: int) -> int:
        """Return the operations of one training sample. A backward pass costs twice as much as a forward pass.

        Args:
            flops: operations of a forward pass.
        """
        if not self.freezing.always_frozen:
            return 3 * flops
        head_flops = sum(2 * parameter.numel() for parameter in self.freezing.head.parameters() if parameter.ndim > 1)
        return 3 * head_flops + (0 if self.reads_features else flops - head_flops)

    @property
    def can_sample(self) -> bool:
        """Whether the trained network generates samples, see `runs.sample`."""
        return False

    def result_line(self) -> str | None:
        """Return the result of the training in one line, or None if one line cannot describe it."""
        return None

    @property
    def preprocess(self) -> Any:
        """The preprocessing without augmentation: raw batches in, network inputs out."""
        return self.augment.preprocess

    def prepared(self, batch: Batch) -> Batch:
        """Return the network's inputs and the targets of a raw batch. Samples are augmented in training only."""
        raw, targets = batch
        if self.reads_features:
            return self._random_view(raw), targets
        return self.augment(raw, targets) if self.training else (self.preprocess(raw), targets)

    def _random_view(self, features: Tensor) -> Tensor:
        """Choose one view of each sample: (batch, views, features) -> (batch, features)."""
        if features.ndim == 2:
            return features
        chosen = torch.randint(features.shape[1], (len(features),), device=features.device)
        return features[torch.arange(len(features), device=features.device), chosen]

    def outputs(self, inputs: Tensor) -> Tensor:
        """Return the network's outputs for its inputs, or the head's outputs if batches hold features."""
        return self.freezing.head(inputs) if self.reads_features else self.network(inputs)

    def train(self, mode: bool = True) -> Self:
        """Switch to training or evaluation mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        if mode:
            self.freezing.keep_modes()
        return self


def ranked(probabilities: Tensor, names: Sequence[str], prefix: str) -> list[dict[str, str]]:
    """Return the most likely names of each sample, at most five, as `<prefix>_1` and so on: "name=probability".

    Args:
        probabilities: (samples, names).
        names: the names.
        prefix: the beginning of the keys.
    """
    top = probabilities.topk(min(TOP, probabilities.shape[1]))
    pairs = zip(top.indices.tolist(), top.values.tolist(), strict=True)
    return [
        {f"{prefix}_{place}": f"{names[i]}={value:.6f}" for place, (i, value) in enumerate(zip(*pair, strict=True), 1)}
        for pair in pairs
    ]
