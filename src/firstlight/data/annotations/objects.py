"""The objects of an image as an annotation file notes them, and the boxes that a store keeps of them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from firstlight.data.annotations.boxes import Boxes, with_rows
from firstlight.data.files.left_out import counted
from firstlight.files import cannot_read

_TOLERANCE = 1.0  # pixels beyond the edge that are no mistake: some programs count pixels from 0, others from 1


@dataclass(frozen=True, eq=False)
class Annotated:
    """The objects of one image.

    Attributes:
        origin: the annotation file, for messages.
        size: width and height of the image in which the places were noted; None if the file does not say so.
        names: class of each object.
        edges: left, top, right and bottom of each object in pixels, (objects, 4), float64.
    """

    origin: str
    size: tuple[int, int] | None
    names: tuple[str, ...]
    edges: np.ndarray


@dataclass
class Boxer:
    """Turns the objects of images into boxes that lie inside of them, and counts what it changes.

    Args:
        labels: names of the classes.
        counts: boxes that were cut at the edge of their image, and those that were left out, by the reason.
    """

    labels: Sequence[str]
    counts: Counter[str] = field(default_factory=Counter)

    def boxes(self, found: Annotated, size: tuple[int, int] | None) -> np.ndarray:
        """Return the boxes of an image, (objects, 5), float32, see `Split`.

        Args:
            found: the objects.
            size: width and height of the image; None if it cannot be read.

        Raises:
            ValueError: a class is unknown, or a number is NaN or infinite.
        """
        if not np.isfinite(found.edges).all():
            raise cannot_read(found.origin, "the box of an object is not finite", "correct it.")
        for name in found.names:
            if name not in self.labels:
                listed = ", ".join(self.labels[:8]) + (", …" if len(self.labels) > 8 else "")
                why = f"its class '{name}' is unknown; known: {listed}"
                raise cannot_read(found.origin, why, "correct the class, or add it to the classes of train.")
        classes = np.array([self.labels.index(name) for name in found.names], dtype=np.float64)
        rows = np.column_stack([found.edges.reshape(-1, 4), classes])
        has_area = (rows[:, 2:4] > rows[:, :2]).all(1)
        inside = self._cut(rows[has_area], found.size or size)
        is_visible = (inside[:, 2:4] > inside[:, :2]).all(1)
        self.counts["without area"] += int((~has_area).sum())
        self.counts["outside of its image"] += int((~is_visible).sum())
        return inside[is_visible].astype(np.float32)

    def _cut(self, rows: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
        if size is None:
            return rows
        cut = rows[:, :4].clip(0, np.array([*size, *size]))
        is_cut = (np.abs(cut - rows[:, :4]) > _TOLERANCE).any(1) & (cut[:, 2:] > cut[:, :2]).all(1)
        self.counts["cut"] += int(is_cut.sum())
        return np.column_stack([cut, rows[:, 4]])

    def remarks(self) -> list[str]:
        """Return lines that say how many boxes were changed or left out."""
        lines = [f"cut at the edge of their image: {counted(self.counts['cut'], 'box')}"] if self.counts["cut"] else []
        left_out = [f"{number:,} {why}" for why, number in self.counts.items() if number and why != "cut"]
        return [*lines, *([f"left out: boxes, {', '.join(left_out)}"] if left_out else [])]


def targets(boxes: dict[Path, np.ndarray], found: dict[Path, Annotated]) -> dict[Path, Boxes]:
    """Return the target of each image; all have as many rows as the image with the most objects."""
    number = max([1, *map(len, boxes.values())])
    return {path: Boxes(with_rows(rows, number), found[path].size, found[path].origin) for path, rows in boxes.items()}


def class_names(found: Iterable[Annotated]) -> tuple[str, ...]:
    """Return the classes that occur, sorted."""
    return tuple(sorted({name for annotated in found for name in annotated.names}))
