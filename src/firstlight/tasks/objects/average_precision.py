"""The mean average precision of detected boxes, as COCO defines it."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from firstlight.spec import NO_OBJECT

MAX_OBJECTS = 100
"""Objects of an image that count at most: those of the highest probability."""


def mean_average_precision(found: Sequence[Tensor], true: Sequence[Tensor]) -> dict[str, float]:
    """Return `map`, the mean over the IoUs 0.5, 0.55, ... 0.95, and `map50`, that at the IoU 0.5.

    Both are means over the classes that occur; NaN if there is no object. torchmetrics computes them with pycocotools,
    the code of COCO itself (Lin et al. 2014, "Microsoft COCO", and cocodataset.org/#detection-eval).

    Args:
        found: (objects, 6) for each image: edges, class and probability.
        true: (objects, 5) for each image, see `Split`; empty rows are left out.
    """
    rows = [boxes[boxes[:, 4] != NO_OBJECT] for boxes in true]
    if not sum(map(len, rows)):
        return {"map": math.nan, "map50": math.nan}
    from torchmetrics.detection import MeanAveragePrecision  # takes seconds to import

    # The numbers of pycocotools itself: those of torchmetrics are float32, and so other IoUs and recalls reach them.
    ious, recalls = np.linspace(0.5, 0.95, 10).tolist(), np.linspace(0, 1, 101).tolist()
    metric = MeanAveragePrecision(iou_thresholds=ious, rec_thresholds=recalls, sync_on_compute=False)
    metric.warn_on_many_detections = False
    metric.update([_entry(each, each[:, 5]) for each in found], [_entry(each) for each in rows])
    values = metric.compute()
    return {"map": float(values["map"]), "map50": float(values["map_50"])}


def _entry(objects: Tensor, probabilities: Tensor | None = None) -> dict[str, Any]:
    entry = {"boxes": objects[:, :4].float().cpu(), "labels": objects[:, 4].long().cpu()}
    return entry if probabilities is None else entry | {"scores": probabilities.float().cpu()}
