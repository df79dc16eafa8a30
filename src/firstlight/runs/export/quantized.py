"""Quantize an exported file, and test what it costs."""

from pathlib import Path

import numpy as np
from torch import Tensor

from firstlight.runs import RunFolder
from firstlight.runs.export.check import answers
from firstlight.runs.export.formats import Format
from firstlight.runs.export.int8 import quantize_file
from firstlight.runs.export.portable import Portable
from firstlight.runs.export.quality import Quality, compare_quality
from firstlight.runs.export.samples import as_inputs, labelled_samples

CALIBRATION = 256  # training samples
TESTED = 10_000  # test samples, at most


def quantize_and_test(path: Path, format: Format, network: Portable, folder: RunFolder, trust: bool) -> str:
    """Quantize a file in place, and return lines about its size and its accuracy, before and after.

    A process without firstlight runs both files on the test split. Their answers differ far more than those of floats,
    so only the accuracy is compared.

    Args:
        path: the file.
        format: its format.
        network: what the file holds.
        folder: the run.
        trust: see `RunFolder.config`.

    Raises:
        ValueError: the data is gone, a file fails, or the quantized file is worse than `compare_quality` allows.
    """
    calibration, _ = labelled_samples(network, folder, "train", CALIBRATION, trust)
    raw, targets = labelled_samples(network, folder, "test", TESTED, trust)
    size, before = path.stat().st_size, _first_outputs(path, format, network, raw)
    quantize_file(path, network.input_name, as_inputs(network, calibration))
    quality = compare_quality(network, raw, targets, before, _first_outputs(path, format, network, raw))
    if not quality.is_good_enough:
        raise ValueError(
            f"cannot quantize ({_changed(quality)}; {quality.bound:.4g} is the worst that is kept)."
            " To fix: set quantize=null."
        )
    return f"int8, tested without firstlight: {_changed(quality)}\nsize {size:,} -> {path.stat().st_size:,} bytes"


def _first_outputs(path: Path, format: Format, network: Portable, raw: Tensor) -> np.ndarray:
    inputs = as_inputs(network, raw)
    found = answers(path, format, inputs)
    return np.concatenate([found[f"{number}_0"] for number in range(len(inputs))])


def _changed(quality: Quality) -> str:
    name, before, after, _, number = quality
    return f"{name} {before:.4g} -> {after:.4g} on {number:,} test {'sample' if number == 1 else 'samples'}"
