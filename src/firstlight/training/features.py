"""What a frozen backbone gives: computed once for each sample, and once for each of its augmented views."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Trainer
from torch import Tensor
from tqdm import tqdm

from firstlight.data import Split, Store
from firstlight.data.store import Arrays, open_store
from firstlight.log import logger
from firstlight.randomness import derive, reseed
from firstlight.spec import DataSpec
from firstlight.tasks import Task
from firstlight.transfer.head import head_removed

# Raised when features are computed in another way: older ones are then computed anew.
_FORMAT = 1
_BATCH = 32  # samples at a time: their maps are to stay in a CPU's caches


def read_features(
    task: Task, store: Store, splits: dict[str, Split], trainer: Trainer, seed: int, cache_dir: Path
) -> dict[str, Split]:
    """The splits with features in place of raw samples, where training needs no more; the task is told.

    That is so where the backbone never learns, and no sample is augmented anew in every epoch. Features lie on the
    disk under the hash of all that they follow from: the weights, the samples and their preprocessing; for views also
    the augmentation and the seed.

    Args:
        task: whose network's features are wanted.
        store: the data.
        splits: parts of its splits, see `Source.splits`.
        trainer: knows the device and the precision.
        seed: of the views.
        cache_dir: where features are kept.

    Returns:
        Features (samples, features), float32; to train on (samples, 1 + views, features) where views are asked for,
        the sample as it is among them. Or the splits as they are.
    """
    if not (task.freezing.always_frozen and task.supports_feature_cache) or (
        task.augment.has_steps and not task.augment.views
    ):
        return splits
    task.to(trainer.strategy.root_device).eval()
    facts = {
        "weights": _hash_of_backbone(task),
        "samples": _hash_of_samples(store),
        "preprocess": task.preprocess.output_spec.to_dict(),
        "device": task.device.type,
        "precision": str(trainer.precision),
    }

    def kept(name: str, facts: Mapping[str, Any], compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, Tensor]:
        key = hashlib.sha256(json.dumps([_FORMAT, name, facts], sort_keys=True).encode()).hexdigest()[:16]
        path, started = cache_dir / f"{name.replace(' ', '-')}-{key}", time.perf_counter()
        said = f"from the cache, {path}"

        def build() -> tuple[DataSpec, dict[str, Arrays]]:
            nonlocal said
            arrays = compute()
            said = f"computed in {time.perf_counter() - started:.1f} s, kept in {path}"
            spec = replace(store.spec, input_shape=arrays["train"].shape[1:], margin=0)
            return spec, {split: Arrays(a, store.splits[split].targets.numpy()) for split, a in arrays.items()}

        found = {split: part.inputs for split, part in open_store(path, build).splits.items()}
        logger.info(f"{name} of {sum(map(len, found.values())):,} samples: {said}")
        return found

    with torch.inference_mode(), trainer.precision_plugin.forward_context():
        _check_head(task, store)
        plain = kept("features", facts, lambda: _features(task, store))
        to_train_on = plain["train"]
        if task.augment.views:
            of_views = facts | {"augment": task.plain_config["augment"], "seed": seed}
            to_train_on = kept("views", of_views, lambda: {"train": _views(task, store, plain["train"], seed)})["train"]
    task.reads_features = True
    task.train()  # Lightning takes the mode as it finds it

    def inputs(name: str, split: Split) -> Tensor:
        origin = next(origin for origin, whole in store.splits.items() if whole.inputs is split.inputs)
        return to_train_on if name == "train" else plain[origin]

    return {name: replace(split, inputs=inputs(name, split)) for name, split in splits.items()}


def _check_head(task: Task, store: Store) -> None:
    """The head on the features has to be the network.

    Raises:
        ValueError: it is not.
    """
    inputs = task.preprocess(store.splits["train"].inputs[:1].to(task.device))
    with head_removed(task.network, task.freezing.head_name):
        features = task.network(inputs)
    if features.ndim != 2 or not torch.equal(task.freezing.head(features), task.network(inputs)):
        raise ValueError(f"model.freeze: the last layer of {type(task.network).__name__} is not its head.")


def _features(task: Task, store: Store) -> dict[str, np.ndarray]:
    """Of every split: (rows, features)."""
    with (
        _bar(sum(len(split) for split in store.splits.values())) as bar,
        head_removed(task.network, task.freezing.head_name),
    ):
        return {
            name: np.concatenate(
                [_of_batch(task, task.preprocess(raw.to(task.device)), bar) for raw in split.inputs.split(_BATCH)]
            )
            for name, split in store.splits.items()
        }


def _views(task: Task, store: Store, plain: Tensor, seed: int) -> np.ndarray:
    """Of the split to train on, with the features of the samples as they are: (rows, 1 + views, features)."""
    split, number = store.splits["train"], task.augment.views
    found = np.empty((len(plain), 1 + number, plain.shape[1]), np.float32)
    found[:, 0] = plain
    with _bar(number * len(split)) as bar, head_removed(task.network, task.freezing.head_name):
        for view in range(1, 1 + number):
            for start in range(0, len(split), _BATCH):
                rows = slice(start, start + _BATCH)
                reseed(derive(seed, "view", view, start), task.device)
                inputs, _ = task.augment(split.inputs[rows].to(task.device), split.targets[rows].to(task.device))
                found[rows, view] = _of_batch(task, inputs, bar)
    return found


def _of_batch(task: Task, inputs: Tensor, bar: tqdm) -> np.ndarray:
    bar.update(len(inputs))
    return task.network(inputs).float().cpu().numpy()


def _bar(number: int) -> tqdm:
    return tqdm(total=number, desc="features", unit="sample", leave=False, dynamic_ncols=True, disable=None)


def _hash_of_backbone(task: Task) -> str:
    digest = hashlib.sha256()
    with head_removed(task.network, task.freezing.head_name) as backbone:
        digest.update(repr(backbone).encode())
        for name, value in backbone.state_dict().items():
            digest.update(name.encode())
            digest.update(value.cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _hash_of_samples(store: Store) -> str:
    digest = hashlib.sha256()
    for name, split in sorted(store.splits.items()):
        digest.update(f"{name} {tuple(split.inputs.shape)}".encode())
        digest.update(split.inputs.numpy().data)
    return digest.hexdigest()
