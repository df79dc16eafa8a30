"""Answers as the page shows them: bars, numbers, notes and enlarged images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from firstlight.spec import DataSpec
from firstlight.tasks import Task
from firstlight.tasks.task import TOP

_SIDE = 280  # pixels of an enlarged image
_MAX_SCALE = 32


def bars(row: dict[str, Any]) -> dict[str, float]:
    """Return the probability of each of the most likely classes of a row of predictions, by label."""
    pairs = [row[f"top_{place}"].rpartition("=") for place in range(1, TOP + 1) if f"top_{place}" in row]
    return {label: float(probability) for label, _, probability in pairs}


def numbers(task: Task, row: dict[str, Any]) -> str:
    """Return the predicted numbers of a row in the units of the data, a line for each."""
    return "\n".join(f"{name}: {row[name]:.6g}" for name in task.spec.labels)


def notes(warnings: Sequence[str], spec: DataSpec) -> str:
    """Return the warnings of a prediction as sentences, a paragraph for each."""
    return "\n\n".join(_note(warning, spec) for warning in warnings)


def _note(warning: str, spec: DataSpec) -> str:
    kind, _, why = warning.partition(": ")
    if kind == "inverted":
        own, other = ("light", "dark") if spec.ground == "dark" else ("dark", "light")
        return (
            f"**Inverted.** The network learned {own} on {other}, so it sees this image with black and white exchanged."
        )
    return f"**{kind[:1].upper()}{kind[1:]}.** {why}" if why else warning


def enlarged(image: Tensor | np.ndarray) -> Image.Image:
    """Return an image large enough to see its pixels.

    Args:
        image: (channels, height, width), uint8, or floats from 0 to 1; one channel or three.
    """
    values = np.asarray(image.detach().cpu() if isinstance(image, Tensor) else image)
    pixels = values if values.dtype == np.uint8 else (255 * values.clip(0, 1)).round().astype(np.uint8)
    shown = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    scale = min(_MAX_SCALE, max(1, round(_SIDE / max(shown.size))))
    return shown.resize((shown.width * scale, shown.height * scale), Image.Resampling.NEAREST)
