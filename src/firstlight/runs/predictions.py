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
_SIDE = 128  # pixels of the longer side of an image there, at most
_ROWS_ON_SCREEN = 20
_MARK = ("Software", "firstlight predictions")  # key and text in the metadata of the PNG file


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
    """Return a text for the screen: the most likely classes of a single image, or one class for each of many.

    Args:
        rows: see `prediction`.
        group: the name of two more columns, the verdict and its probability.
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
    """Shrink raw images for the sheet: (batch, channels, height, width), uint8, to numbers from 0 to 1."""
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
        rows: the rows of these images; rows of further images may follow.
        group: shown in place of the label, see `predictions_table`.
    """
    shown = torch.cat(list(images))[:MAX_SHOWN]
    keys = (group, f"{group}_probability") if group else ("label", "probability")
    captions = [f"{row[keys[0]]} {row[keys[1]]:.0%}" for row in rows[: len(shown)]]
    metadata = PngInfo()
    metadata.add_text(*_MARK)
    contact_sheet(shown, captions).save(file, "png", pnginfo=metadata)


def is_sheet(path: Path) -> bool:
    """Return whether `write_sheet` has written this image."""
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
    column_sizes = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(map(str.ljust, cells, column_sizes)).rstrip() for cells in table)
