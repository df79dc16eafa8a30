"""The base class of all tasks."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from firstlight.augment import Augment
from firstlight.config.options import Transfer
from firstlight.data import BatchLoader, Split
from firstlight.data.images.animation import Animation
from firstlight.networks.network import completed
from firstlight.spec import DataSpec
from firstlight.tasks.evaluated import Batch, Evaluated
from firstlight.tasks.metrics.meters import Meter
from firstlight.transfer.freezing import Freezing

# Takes one gradient step: the index of the optimized part, and the loss of that part.
Update = Callable[[int, Tensor], None]

TOP = 5  # most likely classes in a prediction

FITTING = {
    "classes": "classification",
    "numbers": "regression",
    "tokens": "language",
    "masks": "segmentation",
    "boxes": "detection or localisation",
    "labels": "multilabel",
    "rewards": "policy_gradient or dqn",
}
"""The words for the tasks that fit a type of targets."""


class Task(Evaluated, ABC):
    """A network with its preprocessing, loss and metrics. It trains, evaluates and predicts on raw batches.

    A task is a plain module: `training.TrainingModule` connects it with Lightning. A subclass defines the loss of a
    batch (`batch_loss`), the sums that its metrics follow from (`new_meter`), and the names and directions of these
    (`metrics`). All other attributes and methods have defaults. A subclass of a task inherits its name, unless it sets
    another one. Networks for a task fit its subclasses too.

    Args:
        spec: the data.
        network: takes the output of `augment`.
        augment: turns a raw batch into the network's input.
        transfer: which parts of the network learn, and when; None if all do.

    Attributes:
        task_name: the word for this kind of task, in messages and as the `task` of a network; by default, the name of
            the class that derives from `Task` itself, in lower case.
        metrics: the metrics that `new_meter` computes, with their directions; see `Evaluated`, which computes more.
        headline: names of the metrics that the screen shows after each epoch, besides the loss.
        target_kind: the type of targets that the task needs, see `DataSpec.targets`, or "anything".
        evaluates_untrained: whether a run also evaluates the task before the first step.
        has_multiple_optimizers: whether the `optimized_parts` are trained alternately, each with its own optimizer;
            see `alternating_step`.
        acts: whether the samples of the training follow from what the task itself does; see `train_loader`.
        supports_freezing: whether the network's last layer is a head whose backbone may be frozen. Without one, a named
            encoder may be, see `Network.encoder_stages`.
        supports_feature_cache: whether the loss of a sample depends on that sample alone, so that the features of a
            frozen backbone may be computed once.
        augments_evaluation: whether evaluation augments samples too, and so needs the steps of the augmentation.
        min_batch_size: samples that a batch must have; a loss may compare the samples of a batch.
        can_predict: whether the task has `predict_rows`, see `runs.predict`.
        predicts_boxes: whether its rows have the column `boxes`, see `objects.found.Boxes`.
        sample_suffix: suffix of the file that holds the output of `sample`: ".png" for images, ".txt" for a text,
            ".gif" for an animation.
        needs: attributes that the network must have besides `forward`; empty if any network will do.
        needs_description: what a network with these attributes does and an example, for messages.
        freezing: which parts of the network learn in which epoch.
        reads_features: whether batches hold the features of a frozen backbone instead of raw samples.
        stream_state: state that a recurrent network keeps from one batch to the next; None for other networks.

    Raises:
        ValueError: data, network, augmentation and transfer do not fit together.
    """

    task_name: ClassVar[str] = "task"
    headline: ClassVar[tuple[str, ...]] = ()
    target_kind: ClassVar[str] = "anything"
    evaluates_untrained: ClassVar[bool] = False
    has_multiple_optimizers: ClassVar[bool] = False
    acts: ClassVar[bool] = False
    supports_freezing: ClassVar[bool] = True
    supports_feature_cache: ClassVar[bool] = False
    augments_evaluation: ClassVar[bool] = False
    min_batch_size: ClassVar[int] = 1
    can_predict: ClassVar[bool] = False
    predicts_boxes: ClassVar[bool] = False
    sample_suffix: ClassVar[str] = ".png"
    needs: ClassVar[tuple[str, ...]] = ()
    needs_description: ClassVar[str] = ""

    def __init_subclass__(cls, *, is_named: bool = True, **kwargs: Any) -> None:
        """Name the task after its class. If `is_named` is false, each of its subclasses has a name of its own."""
        super().__init_subclass__(**kwargs)
        if is_named and cls.task_name == Task.task_name:
            cls.task_name = cls.__name__.lower()

    def __init__(self, spec: DataSpec, network: nn.Module, augment: Augment, transfer: Transfer | None = None) -> None:
        super().__init__()
        self._check(spec, completed(network))
        self.spec = spec
        self.network: Any = network  # some tasks call methods that only their networks have
        self.augment = augment
        self.reads_features = False
        self.stream_state: Any = None
        self.freezing = self._freezing(transfer)
        if not all(hasattr(network, need) for need in self.needs):
            raise ValueError(
                f"task={self.task_name}: must have a network that {self.needs_description};"
                f" {type(network).__name__} does not."
            )

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return next(itertools.chain(self.parameters(), self.buffers())).device

    @classmethod
    def network_spec(cls, spec: DataSpec, **options: Any) -> DataSpec:
        """Return the spec that the network is built for. Options of the task may change the number of outputs."""
        return spec

    def output_shape(self) -> tuple[int, ...] | None:
        """Return the shape of the network's output for one sample; None if the task does not call it on samples."""
        return None

    def _check(self, spec: DataSpec, network: Any) -> None:
        name = self.task_name
        if self.target_kind not in ("anything", spec.targets):
            raise ValueError(
                f"task={name}: must be {FITTING[spec.targets]}, because the targets of the data are {spec.targets},"
                f" not {self.target_kind}."
            )
        made_for = network.task
        names = {each.task_name for each in type(self).__mro__ if issubclass(each, Task)}
        if made_for is not None and made_for not in names:
            raise ValueError(f"task={name}: must be {made_for}, which trains {type(network).__name__}.")

    def _freezing(self, transfer: Transfer | None) -> Freezing:
        if transfer is None:
            return Freezing(self.network, Transfer())
        views = self.augment.views
        has_encoder = completed(self.network).encoder_stages() is not None
        if not self.supports_freezing and transfer.asks_for_parts and not has_encoder:
            raise ValueError(
                f"model: must have neither head, freeze nor lr_decay with task={self.task_name}, whose network has no"
                " head. A network with model.encoder may have the last two."
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

    def training_samples(self, train: Split) -> Split:
        """Return the samples of the training split that the task trains on; by default, all of them.

        Raises:
            ValueError: there are none.
        """
        return train

    def begin_validation(self, epoch: int) -> None:
        """Begin the validation after an epoch, counted from 0. Called in training alone, before `new_meter`."""

    @property
    def balanced_sampling(self) -> bool:
        """Whether training draws every class equally often."""
        return False

    def train_loader(
        self, split: Split, batch_size: int | Literal["all"], *, seed: int, reshuffle: bool = True, **place: Any
    ) -> BatchLoader:
        """Return the batches of the training split, in the order that the seed and the epoch decide.

        A task that `acts` returns batches of its own, which hold what its actions have led to. Whatever the loader
        needs to continue exactly is in its `state_dict`.

        Args:
            split: the training split.
            batch_size: see `BatchLoader`.
            seed: the seed of the run.
            reshuffle: whether each epoch has its own order.
            place: the arguments `device`, `rank` and `world_size` of `BatchLoader`.

        Raises:
            ValueError: the task does not fit the arguments.
        """
        balanced = self.balanced_sampling
        return BatchLoader(split, batch_size, seed=seed, balanced=balanced, reshuffle=reshuffle, **place)

    def example_output(self, raw: Tensor) -> Tensor | str | None:
        """Return an example of the trained network's output: images from 0 to 1, a text, or None.

        Args:
            raw: raw inputs of the test split, (batch, ...), see `Split`.
        """
        return None

    def figures(self, raw: Tensor, targets: Tensor | None = None, *, is_final: bool) -> dict[str, Tensor | str]:
        """Return what there is to see of the task, by name: images (images, channels, height, width) from 0 to 1, or a
        text. Loggers get it after each validation and at the end, in evaluation mode.

        Args:
            raw: raw inputs (batch, ...) of the validation split, or of the test split at the end; see `Split`.
            targets: their targets; None if they are unknown.
            is_final: whether the training has ended and the best weights are loaded.
        """
        return {}

    def embeddings(self, raw: Tensor) -> Tensor | None:
        """Return the features of samples (batch, features), which TensorBoard shows as points; None if there are none.

        By default, they are the inputs of the network's last linear layer.

        Args:
            raw: raw inputs (batch, ...), see `Split`.
        """
        if not self.supports_freezing or not self.freezing.head_name:
            return None
        found: list[Tensor] = []
        hook = self.freezing.head.register_forward_pre_hook(lambda _head, inputs: found.append(inputs[0]))
        try:
            self.network(self.preprocess(raw))
        finally:
            hook.remove()
        return found[0].flatten(1)

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

    def use_threshold(self, threshold: float) -> None:
        """Decide in predictions by another threshold than that of the training, see `runs.predict.predict`.

        Raises:
            ValueError: the task decides nothing by a threshold, or the threshold is out of its range.
        """
        raise ValueError(
            f"predict.threshold={threshold:g}: must be null with task={self.task_name}, which has no threshold."
        )

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

    def sample(
        self, prompt: str = "", length: int = 300, temperature: float = 0.8, seed: int = 1, number: int = 64
    ) -> Tensor | str | Animation:
        """Return generated images (number, channels, height, width), from 0 to 1, a generated text, or an animation.

        Args:
            prompt: for texts: the beginning.
            length: for texts: the number of new tokens.
            temperature: for texts: divides the logits.
            seed: seed of the random draws.
            number: for images: how many.

        Raises:
            ValueError: the task generates nothing.
        """
        raise ValueError(f"task={self.task_name}: must be a task that generates samples.")

    @property
    def is_line(self) -> bool:
        """Whether the two parameters are the slope and the intercept of a line, in the units of the data."""
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
        return self.augment(raw, targets) if self.training else self.augment.plain(raw, targets)

    def _random_view(self, features: Tensor) -> Tensor:
        """Choose one view of each sample: (batch, views, features) -> (batch, features). The first one is plain."""
        if features.ndim == 2:
            return features
        if not self.training:
            return features[:, 0]
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


def random_like(*shape: int) -> Tensor:
    """Return normally distributed numbers of a shape, the same in every call."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


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
