"""TensorBoard's embedding projector: the features of test samples as points in space."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from firstlight.files import atomic_write, write_text
from firstlight.tasks import Task

MAX_SAMPLES = 1000
_BATCH = 64
_SIDE = 32  # pixels of the image of a sample


def write_projector(folder: Path, task: Task, raw: Tensor, targets: Tensor) -> bool:
    """Write the features of samples, their labels and small images to the folder of the event files.

    Args:
        folder: the folder.
        task: in evaluation mode; see `Task.embeddings`.
        raw: raw inputs (samples, ...), at most 1024.
        targets: classes (samples,) or numbers (samples, targets).

    Returns:
        Whether the task has such features.
    """
    parts = [task.embeddings(part.to(task.device)) for part in raw.split(_BATCH)]
    features = [part.float().flatten(1).cpu() for part in parts if part is not None]
    if not features:
        return False
    points = torch.cat(features).numpy()
    folder.mkdir(exist_ok=True)
    with atomic_write(folder / "features.bin") as file:
        file.write(np.ascontiguousarray(points, "<f4").tobytes())
    write_text(folder / "labels.tsv", "".join(f"{_label(task, target)}\n" for target in targets))
    sprite = _sprite(folder / "sprite.png", task, raw) if task.spec.kind == "images" else ""
    shape = " ".join(f"tensor_shape: {size}" for size in points.shape)
    entries = f'tensor_name: "test features" {shape} tensor_path: "features.bin" metadata_path: "labels.tsv"'
    write_text(folder / "projector_config.pbtxt", f"embeddings {{ {entries} {sprite} }}\n")
    return True


def _label(task: Task, target: Tensor) -> str:
    text = task.spec.labels[int(target)] if target.ndim == 0 else f"{float(target.flatten()[0]):.6g}"
    return " ".join(text.split()) or "-"


def _sprite(path: Path, task: Task, raw: Tensor) -> str:
    """Write all images on one, and return its entry of the config."""
    margin = task.spec.margin
    height, width = raw.shape[2:]
    images = raw[:, :, margin : height - margin, margin : width - margin].float()
    images = F.interpolate(images, (_SIDE, _SIDE), mode="area").to(torch.uint8).cpu()
    images = images if images.shape[1] == 3 else images[:, :1]
    columns = int(np.ceil(np.sqrt(len(images))))
    blank = images.new_full((columns**2 - len(images), *images.shape[1:]), 255)
    grid = torch.cat([images, blank]).view(columns, columns, -1, _SIDE, _SIDE).permute(0, 3, 1, 4, 2)
    pixels = grid.reshape(columns * _SIDE, columns * _SIDE, -1).numpy()
    with atomic_write(path) as file:
        Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).save(file, "png", compress_level=1)
    return f'sprite {{ image_path: "{path.name}" single_image_dim: {_SIDE} single_image_dim: {_SIDE} }}'
