"""What happens to an image on its way through a trained network, step by step, with the shape after each."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from firstlight.data.images.reading import read_image, refuse_decompression_bombs
from firstlight.log import aligned
from firstlight.tasks import Classification, Task


def check_steps(task: Task) -> None:
    """Check that a task classifies images.

    Raises:
        ValueError: it does not.
    """
    if not isinstance(task, Classification) or task.spec.kind != "images":
        raise ValueError("predict.steps=true: must be false with a run that does not classify images.")


@torch.inference_mode()
def steps_text(task: Any, inputs: Any, path: str) -> str:
    """Return a table with a row for each step: what it returns, and the type and range of the values.

    Args:
        task: see `check_steps`; in evaluation mode.
        inputs: the `ImageInputs` that the image belongs to.
        path: the image file, which has been predicted.
    """
    spec, prepare = task.spec, task.preprocess
    with refuse_decompression_bombs(inputs.max_pixels):
        pixels = np.array(
            read_image(Path(path), spec.stored_shape, None, inputs.interpolation, spec.fit, inputs.max_pixels)
        )
        with Image.open(path) as image:
            file = f"{Path(path).stat().st_size:,} bytes, {image.format}"
            decoded = f"{image.height}x{image.width}, {image.mode}"
    batch = inputs.batch([{"path": path}], pixels[None])
    raw = batch.raw.to(task.device)
    normalised = prepare(raw)
    logits = task.class_logits(task.network(normalised)).float()
    probabilities = task.answers(raw)["probabilities"]
    inverted = " and inverted" if not np.array_equal(batch.raw.numpy()[0], pixels) else ""
    rows = [
        ("step", "result", "values"),
        ("file", file, ""),
        ("decoded", decoded, "height x width, and Pillow's name of the colours"),
        ("resized, grey" if len(pixels) == 1 else "resized, colour", *_described(torch.from_numpy(pixels))),
        (f"batch of one{inverted}", *_described(prepare.crop_margin(raw))),
        ("normalised", *_described(normalised)),
        ("logits", *_described(logits)),
        ("probabilities", *_described(probabilities)),
        ("answer", spec.labels[int(probabilities.argmax())], f"{float(probabilities.max()):.1%}"),
    ]
    return aligned(rows)


def _described(values: Tensor) -> tuple[str, str]:
    """Return the shape, and the type and the range of the values."""
    kind = str(values.dtype).removeprefix("torch.")
    return "x".join(map(str, values.shape)), f"{kind} from {float(values.min()):.4g} to {float(values.max()):.4g}"
