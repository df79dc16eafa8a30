"""Predicted boxes as a file in the format of COCO's results."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firstlight.files import write_json


def results_path(target: Path) -> Path:
    """Return the path of the file beside a CSV file of predictions.

    Raises:
        ValueError: both would be one file.
    """
    path = target.with_suffix(".json")
    if path == target:
        raise ValueError(f"output={target}: must be a .csv file. The boxes are written beside it as .json.")
    return path


def results_of(rows: Sequence[dict[str, Any]], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return the boxes of all rows as COCO's results (cocodataset.org/#format-results), which pycocotools reads.

    `image_id` is the number of the image's row, from 1, and `category_id` that of the label, from 1. `bbox` has left,
    top, width and height in pixels. `path` or `image`, the name of the image, and `category` are further keys.

    Args:
        rows: the rows of the predictions; `boxes` is empty in those of images that cannot be read.
        labels: names of the classes.
    """
    return [
        {
            "image_id": number,
            "category_id": 1 + labels.index(box["label"]),
            "bbox": [
                box["left"],
                box["top"],
                round(box["right"] - box["left"], 2),
                round(box["bottom"] - box["top"], 2),
            ],
            "score": box["probability"],
            "category": box["label"],
            **{key: row[key] for key in ("path", "image") if key in row},
        }
        for number, row in enumerate(rows, 1)
        for box in row["boxes"] or ()
    ]


def write_results(path: Path, rows: Sequence[dict[str, Any]], labels: Sequence[str]) -> None:
    """Write what `results_of` returns to a JSON file, atomically."""
    write_json(path, results_of(rows, labels))
