"""Statistics of a data set, computed from its training split."""

import numpy as np

from firstlight.data.ground import common_ground
from firstlight.data.store import Arrays
from firstlight.spec import DataSpec


def describe(labels: tuple[str, ...], train: Arrays, margin: int = 0, vocabulary: tuple[str, ...] = ()) -> DataSpec:
    """Return the metadata of a data set.

    Args:
        labels: names of the classes, tokens or targets.
        train: the training split.
        margin: stored pixels on every side beyond a network's input.
        vocabulary: the tokens by number, for texts that are classified.
    """
    shape = train.inputs.shape[1:]
    if train.inputs.dtype == np.uint8:
        mean, std = channel_statistics(train.inputs)
        shape = (shape[0], shape[1] - 2 * margin, shape[2] - 2 * margin)
    elif train.inputs.dtype == np.float32:
        mean, std = column_statistics(train.inputs)
    else:
        mean, std = (), ()
    target_type = target_type_of(train.targets)
    has_numbers = train.targets.dtype == np.float32 and not target_type
    targets = column_statistics(train.targets) if has_numbers else ((), ())
    ground = common_ground(train.inputs, margin) if train.inputs.dtype == np.uint8 else None
    return DataSpec(
        shape,
        len(labels),
        labels,
        mean,
        std,
        margin,
        *targets,
        vocabulary=vocabulary,
        ground=ground,
        target_type=target_type,
    )


def target_type_of(targets: np.ndarray) -> str:
    """Return the `target_type` of a spec for targets with the shapes and types of `Split`."""
    if targets.dtype == np.uint8:
        return "masks" if targets.ndim == 3 else "labels"
    return "boxes" if targets.ndim == 3 else ""


def channel_statistics(images: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel of (samples, channels, height, width), uint8.

    Pixels are scaled to 0 to 1. The results are exact, because they are computed from a histogram of the 256 values.
    """
    values = np.arange(256) / 255
    means, stds = [], []
    for channel in range(images.shape[1]):
        counts = np.zeros(256, dtype=np.int64)
        for start in range(0, len(images), 128):  # in chunks, because bincount converts each pixel to 64 bits
            counts += np.bincount(images[start : start + 128, channel].reshape(-1), minlength=256)
        mean = float(counts @ values / counts.sum())
        variance = float(counts @ (values - mean) ** 2 / counts.sum())
        means.append(mean)
        stds.append(max(variance**0.5, 1 / 255))  # avoids division by zero for a constant channel
    return tuple(means), tuple(stds)


def column_statistics(table: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each column of (samples, columns); 1 for a constant column."""
    means, stds = table.mean(0, dtype=np.float64), table.std(0, dtype=np.float64)
    return tuple(means.tolist()), tuple(np.where(stds > 1e-9 * np.abs(means), stds, 1.0).tolist())
