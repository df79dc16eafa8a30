"""What was predicted: as rows of a CSV, on the screen, and as a contact sheet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor
from torch.nn import functional as F

from firstlight.runs.contact_sheet import contact_sheet

TOP = 5
MAX_SHOWN = 64  # images on the sheet
_SIDE = 128  # of an image there, at the most
_ROWS_ON_SCREEN = 20
_MARK = ("Software", "firstlight predictions")  # a text in the PNG


def prediction(path: Path, probabilities: Tensor, labels: tuple[str, ...]) -> dict[str, Any]:
    """The row of an image: `path`, `label`, `probability`, and `top_1` to `top_5` as "label=probability".

    Args:
        path: of the image.
        probabilities: (classes,).
        labels: of the classes.
    """
    top = probabilities.topk(min(TOP, len(labels)))
    ranked = [(labels[index], value) for value, index in zip(top.values.tolist(), top.indices.tolist(), strict=True)]
    row = {"path": str(path), "label": ranked[0][0], "probability": round(ranked[0][1], 6)}
    return row | {f"top_{place}": f"{label}={value:.6f}" for place, (label, value) in enumerate(ranked, start=1)}


def in_words(rows: Sequence[dict[str, Any]], group: str | None = None) -> str:
    """For the screen: a single image with its likeliest classes, or the first of many with one each.

    Args:
        rows: from `prediction`.
        group: the columns `group` and `group`_probability are shown too.
    """
    if len(rows) == 1:
        (row,) = rows
        pairs = [row[f"top_{place}"].rpartition("=") for place in range(1, TOP + 1) if f"top_{place}" in row]
        cells = [(label, _share(value)) for label, _, value in pairs]
        if group:
            cells.append((f"{group}: {row[group]}", _share(row[f"{group}_probability"])))
        return _aligned(cells)
    shown = rows[:_ROWS_ON_SCREEN]
    columns = [[_end(row["path"]) for row in shown]]
    for name, probability in [("label", "probability"), *([(group, f"{group}_probability")] if group else [])]:
        columns += [[row[name] for row in shown], [_share(row[probability]) for row in shown]]
    rest = [f"… and {len(rows) - len(shown):,} more"] if len(rows) > len(shown) else []
    return "\n".join([_aligned(list(zip(*columns, strict=True))), *rest])


def thumbnails(images: Tensor) -> Tensor:
    """Raw images as they are on the sheet: (batch, channels, height, width), uint8, to numbers from 0 to 1."""
    height, width = images.shape[2:]
    scale = _SIDE / max(height, width)
    if scale >= 1:
        return images.float() / 255
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return F.interpolate(images.float() / 255, size, mode="bilinear", antialias=True)


def write_sheet(
    file: BinaryIO, images: Sequence[Tensor], rows: Sequence[dict[str, Any]], group: str | None = None
) -> None:
    """The first images, each with its label and probability, or those of the group, as a PNG.

    Args:
        file: to write to.
        images: batches from `thumbnails`.
        rows: of these images, and maybe of others after them.
        group: as for `in_words`.
    """
    shown = torch.cat(list(images))[:MAX_SHOWN]
    keys = (group, f"{group}_probability") if group else ("label", "probability")
    captions = [f"{row[keys[0]]} {row[keys[1]]:.0%}" for row in rows[: len(shown)]]
    facts = PngInfo()
    facts.add_text(*_MARK)
    contact_sheet(shown, captions).save(file, "png", pnginfo=facts)


def is_sheet(path: Path) -> bool:
    """Whether `write_sheet` has made this image."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return image.info.get(_MARK[0]) == _MARK[1]
    except (OSError, Image.DecompressionBombError):
        return False


def _share(probability: str | float) -> str:
    return f"{float(probability):7.2%}"


def _end(path: str) -> str:
    return path if len(path) <= 60 else "…" + path[-59:]


def _aligned(table: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(map(str.ljust, cells, widths)).rstrip() for cells in table)
