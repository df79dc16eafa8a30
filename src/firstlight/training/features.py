"""The features of a frozen backbone, computed once for each sample, or once for each of its augmented views."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Trainer
from torch import Tensor

from firstlight.config import RunConfig
from firstlight.data import Split, Store
from firstlight.data.store import Arrays, content_key, open_store
from firstlight.log import logger, progress_bar
from firstlight.randomness import derive, reseed
from firstlight.spec import DataSpec
from firstlight.tasks import Task
from firstlight.transfer.head import head_removed

# Increased when the computation of features changes, so that cached features of older versions are not used.
_FORMAT = 3
_BATCH = 32  # samples at a time, so that their feature maps fit into a CPU's caches


def cached_features(
    task: Task, store: Store, splits: dict[str, Split], trainer: Trainer, config: RunConfig, cache_dir: Path
) -> dict[str, Split]:
    """Replace raw samples by the features of a frozen backbone, if the features are the same in every epoch.

    They are not the same if each epoch augments the samples again. Features are kept on disk under the hash of
    everything that they depend on: the weights, the samples and their preprocessing; for views also the augmentation
    and the seed.

    Args:
        task: sets `reads_features` if samples are replaced.
        store: the data set.
        splits: see `Source.splits`.
        trainer: decides the device and the precision.
        config: the config of the run.
        cache_dir: the folder of the features.

    Returns:
        Splits of features (samples, features), float32; with views, those of "train" are (samples, 1 + views,
        features), the sample without augmentation first. Or the splits unchanged.
    """
    is_cacheable = task.freezing.always_frozen and task.supports_feature_cache
    if not is_cacheable or (task.augment.has_steps and not task.augment.views):
        return splits
    task.to(trainer.strategy.root_device).eval()
    cache = _Cache(store, cache_dir)
    depends_on = {
        "weights": _hash_of_backbone(task),
        "samples": dict(store.content),
        "preprocess": task.preprocess.output_spec.to_dict(),
        "device": task.device.type,
        "precision": str(trainer.precision),
    }
    with torch.inference_mode(), trainer.precision_plugin.forward_context():
        _check_head(task, store)
        plain = cache.get("features", depends_on, lambda: _features(task, store))
        train = plain["train"]
        if task.augment.views:
            depends_on |= {"augment": config.augment, "seed": config.seed}
            views = cache.get("views", depends_on, lambda: {"train": _views(task, store, plain["train"], config.seed)})
            train = views["train"]
    task.reads_features = True
    task.train()  # Lightning does not change the mode of the task

    def inputs(name: str, split: Split) -> Tensor:
        origin = next(origin for origin, whole in store.stored.items() if whole.inputs is split.inputs)
        return train if name == "train" else plain[origin]

    return {name: replace(split, inputs=inputs(name, split)) for name, split in splits.items()}


@dataclass(frozen=True)
class _Cache:
    """Features on disk.

    Attributes:
        store: the data set that they belong to.
        folder: where they are kept.
    """

    store: Store
    folder: Path

    def get(
        self, name: str, depends_on: Mapping[str, Any], compute: Callable[[], dict[str, np.ndarray]]
    ) -> dict[str, Tensor]:
        """Return the features by split. They are read from the disk, or computed and written to it."""
        key = content_key(_FORMAT, name, depends_on)
        path, started = self.folder / f"{name}-{key}", time.perf_counter()
        is_cached = path.exists()

        def build() -> tuple[DataSpec, dict[str, Arrays]]:
            arrays = compute()
            spec = replace(self.store.spec, input_shape=arrays["train"].shape[1:], margin=0)
            targets = {split: whole.targets.numpy() for split, whole in self.store.stored.items()}
            return spec, {split: Arrays(inputs, targets[split]) for split, inputs in arrays.items()}

        found = {split: part.inputs for split, part in open_store(path, build).splits.items()}
        origin = "from the cache" if is_cached else f"computed in {time.perf_counter() - started:.1f} s, kept"
        logger.info(f"{name} of {sum(map(len, found.values())):,} samples: {origin} in {path}")
        return found


def _check_head(task: Task, store: Store) -> None:
    """Check that the head applied to the features gives the outputs of the network.

    Raises:
        ValueError: the outputs differ.
    """
    inputs = task.preprocess(store.stored["train"].inputs[:1].to(task.device))
    with head_removed(task.network, task.freezing.head_name):
        features = task.network(inputs)
    if features.ndim != 2 or not torch.equal(task.freezing.head(features), task.network(inputs)):
        raise ValueError(f"model.freeze: must be null, because {type(task.network).__name__} does not end in its head.")


def _features(task: Task, store: Store) -> dict[str, np.ndarray]:
    """Return the features of every split: (rows, features)."""
    total = sum(len(split) for split in store.stored.values())
    with _progress_bar(total) as bar, head_removed(task.network, task.freezing.head_name):
        return {
            name: np.concatenate(
                [_of_batch(task, task.preprocess(raw.to(task.device)), bar) for raw in split.inputs.split(_BATCH)]
            )
            for name, split in store.stored.items()
        }


def _views(task: Task, store: Store, plain: Tensor, seed: int) -> np.ndarray:
    """Return the features of the training split and of its views: (rows, 1 + views, features)."""
    split, number = store.stored["train"], task.augment.views
    found = np.empty((len(plain), 1 + number, plain.shape[1]), np.float32)
    found[:, 0] = plain
    with _progress_bar(number * len(split)) as bar, head_removed(task.network, task.freezing.head_name):
        for view in range(1, 1 + number):
            for start in range(0, len(split), _BATCH):
                rows = slice(start, start + _BATCH)
                reseed(derive(seed, "view", view, start), task.device)
                inputs, _ = task.augment(split.inputs[rows].to(task.device), split.targets[rows].to(task.device))
                found[rows, view] = _of_batch(task, inputs, bar)
    return found


def _of_batch(task: Task, inputs: Tensor, bar: Any) -> np.ndarray:
    bar.update(len(inputs))
    return task.network(inputs).float().cpu().numpy()


def _progress_bar(total: int) -> Any:
    return progress_bar(total, "features", "sample")


def _hash_of_backbone(task: Task) -> str:
    digest = hashlib.sha256()
    with head_removed(task.network, task.freezing.head_name) as backbone:
        digest.update(repr(backbone).encode())
        for name, value in backbone.state_dict().items():
            digest.update(name.encode())
            digest.update(value.cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
