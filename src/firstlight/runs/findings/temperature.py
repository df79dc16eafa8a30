"""Temperature scaling: one number that divides a classifier's logits, so that its probabilities come true.

Guo, Pleiss, Sun & Weinberger 2017, "On Calibration of Modern Neural Networks", section 4.2. The order of the classes
stays, and so does every prediction.
"""

import math

from torch import Tensor
from torch.nn import functional as F

from firstlight.files import cannot_read, read_json, write_json
from firstlight.runs.run_folder import RunFolder
from firstlight.tasks.metrics.calibration import Calibration

_LIMITS = 0.05, 20.0  # of the temperature; a network without a mistake has no best one
_MAX_BYTES = 2**16
_FIX = "delete this file, or calibrate again with evaluate.py calibrate=true."


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """Return the temperature with the lowest cross entropy, from 0.05 to 20.

    The cross entropy is convex in the inverse temperature, so bisection finds where its derivative changes its sign.

    Args:
        logits: (samples, classes).
        targets: (samples,), the true classes.
    """
    logits = logits.double()
    own = logits.gather(1, targets[:, None])[:, 0]
    low, high = _LIMITS
    for _ in range(40):  # the last interval is shorter than the precision of a float32
        middle = math.sqrt(low * high)
        expected = ((logits / middle).softmax(1) * logits).sum(1)
        if (expected - own).mean() > 0:  # the loss falls as the temperature rises
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)


def is_at_limit(temperature: float) -> bool:
    """Return whether a temperature is one of the limits: the samples that it is fitted on have no best one between."""
    return not _LIMITS[0] * 1.01 < temperature < _LIMITS[1] / 1.01


def loss_and_error(logits: Tensor, targets: Tensor, temperature: float) -> tuple[float, float]:
    """Return the cross entropy and the expected calibration error with a temperature."""
    logits = logits.double() / temperature
    confidences, predicted = logits.softmax(1).max(1)
    return float(F.cross_entropy(logits, targets)), Calibration.of(confidences, predicted == targets).error


def write_temperature(folder: RunFolder, checkpoint: str, temperature: float, numbers: dict[str, float]) -> None:
    """Write calibration.json to a run folder.

    Args:
        folder: the run folder.
        checkpoint: "best" or "last": the weights that are calibrated.
        temperature: see `fit_temperature`.
        numbers: the metrics before and after, for readers.
    """
    write_json(folder.calibration_path, {"temperature": temperature, "checkpoint": checkpoint, **numbers})


def read_temperature(folder: RunFolder, checkpoint: str) -> float:
    """Return the temperature of a checkpoint; 1 if it is not calibrated.

    Raises:
        ValueError: calibration.json is damaged.
    """
    path = folder.calibration_path
    if not path.is_file():
        return 1.0
    found = read_json(path, _MAX_BYTES, _FIX)
    value = found.get("temperature") if isinstance(found, dict) else None
    if not isinstance(value, int | float) or isinstance(value, bool) or not _LIMITS[0] <= value <= _LIMITS[1]:
        raise cannot_read(path, f"its temperature is no number from {_LIMITS[0]} to {_LIMITS[1]:g}", _FIX)
    return float(value) if found.get("checkpoint") == checkpoint and math.isfinite(value) else 1.0
