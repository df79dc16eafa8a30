"""The base class of tasks that learn features of images without labels."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from firstlight.augment import Augment
from firstlight.checks import check_range
from firstlight.config.options import Transfer
from firstlight.data import Split
from firstlight.randomness import generator
from firstlight.spec import DataSpec
from firstlight.tasks.metrics.meters import Sums, Totals
from firstlight.tasks.metrics.metric import Metric
from firstlight.tasks.representations.probe import Probe
from firstlight.tasks.task import Batch, Task

_BATCH = 256  # training samples at a time whose features a probe is fitted on
_PROBES = (Metric("knn_accuracy", "max"), Metric("probe_accuracy", "max"))


class Representation(Task, is_named=False):
    """Learns features of images from the images alone. Labels serve to evaluate the features, and for nothing else.

    An evaluation fits a `Probe` on the features of training samples. Its metrics are the accuracy of the nearest
    neighbours, `knn_accuracy`, and of a linear classifier, `probe_accuracy`. They are left out if the data has no
    classes, or if no training samples are known. A subclass defines `features` and `unlabelled_loss`.

    Args:
        spec: the data; images.
        network: see the subclass.
        augment: turns raw batches into the network's inputs.
        transfer: must set neither `head`, `freeze` nor `lr_decay`.
        probe_every: epochs between two probes in validations. Tests always have one.
        probe_samples: random training samples that a probe is fitted on, at most.
        neighbours: neighbours that vote for a class.

    Raises:
        ValueError: the data holds no images, or a number is below 1.
    """

    supports_freezing = False
    can_predict = True
    headline = tuple(metric.name for metric in _PROBES)

    def __init__(
        self,
        spec: DataSpec,
        network: nn.Module,
        augment: Augment,
        transfer: Transfer | None = None,
        *,
        probe_every: int = 1,
        probe_samples: int = 5000,
        neighbours: int = 20,
    ) -> None:
        super().__init__(spec, network, augment, transfer)
        for name, number in {
            "probe_every": probe_every,
            "probe_samples": probe_samples,
            "neighbours": neighbours,
        }.items():
            check_range(name, number, at_least=1)
        self.probe_every = probe_every
        self.probe_samples = probe_samples
        self.neighbours = neighbours
        self._labelled: _Labelled | None = None
        self._is_due = self._probes_now = True
        self._probe: Probe | None = None

    def _check(self, spec: DataSpec, network: Any) -> None:
        if spec.kind != "images":
            raise ValueError(f"task={self.task_name}: must be another task, because the data holds {spec.kind}.")
        super()._check(spec, network)

    @abstractmethod
    def features(self, inputs: Tensor) -> Tensor:
        """Return the features (batch, features) of the network's inputs."""

    @abstractmethod
    def unlabelled_loss(self, raw: Tensor) -> Tensor:
        """Return the mean loss, a scalar, of raw images (batch, channels, height, width).

        In evaluation it is the same each time, whatever it draws.
        """

    def metrics_of(self, split: str) -> tuple[Metric, ...]:
        """Return the metrics of a split: the loss; of others than "train" also those of the probes."""
        found = super().metrics_of(split)
        return found if split == "train" or self.spec.targets != "classes" else (*found, *_PROBES)

    def adapt_to(self, train: Split, val: Split) -> list[str]:
        """Choose the training samples that probes are fitted on."""
        if self.spec.targets == "classes":
            order = torch.randperm(len(train), generator=generator(0, "probe"))
            self._labelled = _Labelled(train.part(order[: self.probe_samples].sort().values))
        return []

    def begin_validation(self, epoch: int) -> None:
        """Decide whether this validation has a probe."""
        self._is_due = (epoch + 1) % self.probe_every == 0

    def new_meter(self) -> Sums:
        """Return a meter at zero. The first batch of an evaluation fits a new probe, if one is due."""
        if not self.training:
            self._probe, self._probes_now, self._is_due = None, self._is_due, True
        return Sums(("count", "loss", "probed", *self.headline), _metrics, self.device)

    def batch_loss(self, batch: Batch, meter: Sums) -> Tensor:
        """Return the mean loss, a scalar, of a raw batch (batch, ...). In evaluation, also probe its features."""
        raw, targets = batch
        loss = self.unlabelled_loss(raw)
        count = len(raw) if len(raw) >= self.min_batch_size else 0
        sums: dict[str, Any] = dict.fromkeys(("probed", *self.headline), 0.0)
        if not self.training and self._has_probe() and len(raw):
            assert self._probe is not None
            features = self.features(self.preprocess(raw)).float()
            found = self._probe.nearest(features), self._probe.linear(features)
            right = [(classes == targets).sum() for classes in found]
            sums = {"probed": len(raw)} | dict(zip(self.headline, right, strict=True))
        meter.add(count=count, loss=loss * count if count else 0.0, **sums)
        return loss

    @torch.no_grad()
    def _has_probe(self) -> bool:
        """Return whether this evaluation has a probe, and fit it before its first batch."""
        if self._probe is None and self._probes_now and self._labelled is not None:
            raw, classes = self._labelled.split.take(torch.arange(len(self._labelled.split)))
            parts = [self.features(self.preprocess(part.to(self.device))).float() for part in raw.split(_BATCH)]
            num_classes = self.spec.num_outputs
            self._probe = Probe(torch.cat(parts), classes.to(self.device), num_classes, self.neighbours)
        return self._probe is not None

    def embeddings(self, raw: Tensor) -> Tensor:
        """Return the features (batch, features)."""
        return self.features(self.preprocess(raw))

    def answers(self, raw: Tensor) -> dict[str, Tensor]:
        """Return `features` (batch, features)."""
        return {"features": self.embeddings(raw)}

    @torch.inference_mode()
    def predict_rows(self, raw: Tensor) -> list[dict[str, Any]]:
        """Return the features of each image, as `feature_1` and so on."""
        return [
            {f"feature_{place}": round(value, 6) for place, value in enumerate(row, 1)}
            for row in self.embeddings(raw).tolist()
        ]

    def cells(self, row: dict[str, Any]) -> tuple[str, ...]:
        """Return the number of features; their values are in the CSV file only."""
        return (f"{len(row)} features",)

    def details(self, row: dict[str, Any]) -> list[tuple[str, ...]]:
        """Return the number of features."""
        return [self.cells(row)]


class _Labelled:
    """Training samples with their classes. Copies of a task, which averages of the weights make, refer to the same."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __deepcopy__(self, _memo: Any) -> "_Labelled":
        return self


def _metrics(sums: Totals) -> Totals:
    """Return the loss, and the metrics of the probes if there was one."""
    found = {"loss": sums["loss"] / max(1.0, sums["count"])}
    if sums["probed"]:
        found |= {metric.name: sums[metric.name] / sums["probed"] for metric in _PROBES}
    return found
