"""Predictions as rows of a CSV file, as a table on the screen, and as a contact sheet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor
from torch.nn import functional as F

from firstlight.data.contact_sheet import contact_sheet

TOP = 5
MAX_SHOWN = 64  # images on the contact sheet
_SIDE = 128  # largest height and width of an image on the contact sheet, in pixels
_ROWS_ON_SCREEN = 20
_MARK = ("Software", "firstlight predictions")  # metadata of the PNG file, by which `is_sheet` knows it


def prediction(path: Path, probabilities: Tensor, labels: tuple[str, ...]) -> dict[str, Any]:
    """Return the row of an image: `path`, `label`, `probability`, and `top_1` to `top_5` as "label=probability".

    Args:
        path: path of the image.
        probabilities: (classes,).
        labels: names of the classes.
    """
    top = probabilities.topk(min(TOP, len(labels)))
    ranked = [(labels[index], value) for value, index in zip(top.values.tolist(), top.indices.tolist(), strict=True)]
    row = {"path": str(path), "label": ranked[0][0], "probability": round(ranked[0][1], 6)}
    return row | {f"top_{place}": f"{label}={value:.6f}" for place, (label, value) in enumerate(ranked, start=1)}


def predictions_table(rows: Sequence[dict[str, Any]], group: str | None = None) -> str:
    """Return a table for the screen: the most likely classes of a single image, or the class of each of many images.

    Args:
        rows: see `prediction`.
        group: a group of ImageNet's classes, whose verdict and probability are two more columns; None for no group.
    """
    if len(rows) == 1:
        (row,) = rows
        pairs = [row[f"top_{place}"].rpartition("=") for place in range(1, TOP + 1) if f"top_{place}" in row]
        cells = [(label, _percent(value)) for label, _, value in pairs]
        if group:
            cells.append((f"{group}: {row[group]}", _percent(row[f"{group}_probability"])))
        return _aligned(cells)
    shown = rows[:_ROWS_ON_SCREEN]
    columns = [[_end_of(row["path"]) for row in shown]]
    for name, probability in [("label", "probability"), *([(group, f"{group}_probability")] if group else [])]:
        columns += [[row[name] for row in shown], [_percent(row[probability]) for row in shown]]
    rest = [f"… and {len(rows) - len(shown):,} more"] if len(rows) > len(shown) else []
    return "\n".join([_aligned(list(zip(*columns, strict=True))), *rest])


def thumbnails(images: Tensor) -> Tensor:
    """Shrink raw images (batch, channels, height, width), uint8, for the contact sheet; return values from 0 to 1."""
    height, width = images.shape[2:]
    scale = _SIDE / max(height, width)
    if scale >= 1:
        return images.float() / 255
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return F.interpolate(images.float() / 255, size, mode="bilinear", antialias=True)


def write_sheet(
    file: BinaryIO, images: Sequence[Tensor], rows: Sequence[dict[str, Any]], group: str | None = None
) -> None:
    """Write a PNG file with the first images, each with its label and probability.

    Args:
        file: the open file.
        images: batches of `thumbnails`.
        rows: the rows of these images, which may be followed by rows of other images.
        group: a group whose verdict is shown instead of the label, see `predictions_table`.
    """
    shown = torch.cat(list(images))[:MAX_SHOWN]
    keys = (group, f"{group}_probability") if group else ("label", "probability")
    captions = [f"{row[keys[0]]} {row[keys[1]]:.0%}" for row in rows[: len(shown)]]
    metadata = PngInfo()
    metadata.add_text(*_MARK)
    contact_sheet(shown, captions).save(file, "png", pnginfo=metadata)


def is_sheet(path: Path) -> bool:
    """Return whether `write_sheet` has written this file."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return image.info.get(_MARK[0]) == _MARK[1]
    except (OSError, Image.DecompressionBombError):
        return False


def _percent(probability: str | float) -> str:
    return f"{float(probability):7.2%}"


def _end_of(path: str) -> str:
    return path if len(path) <= 60 else "…" + path[-59:]


def _aligned(table: Sequence[tuple[str, ...]]) -> str:
    column_lengths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(map(str.ljust, cells, column_lengths)).rstrip() for cells in table)
