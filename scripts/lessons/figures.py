"""Figures: matplotlib draws them. It is imported when a figure is requested, so the tables need no further package."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.files import atomic_write, output_file, user_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe & Ito 2008, "Color Universal Design": colours that people with every kind of colour vision can distinguish.
BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK = COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000")
FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".svg": "svg", ".pdf": "pdf"}


def check_output(output: str | Path | None) -> Path | None:
    """Return the path of a figure, or None if none is requested. Call this before a long computation.

    Raises:
        ValueError: the suffix is not among `FORMATS`, or matplotlib is not installed.
    """
    if output is None:
        return None
    path = user_path(output, "output")
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"output={output}: must end in one of {', '.join(FORMATS)}.")
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it says that its first start takes longer
    try:
        import matplotlib.figure  # noqa: F401  # takes half a second to import
    except ImportError:
        fix = 'pip install "firstlight[pictures]"'
        raise ValueError(f"output={output}: must be null without the package matplotlib. To fix: {fix}") from None
    return path


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure.

    Args:
        width: in inches, of 100 pixels each.
        height: in inches.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))


def write_figure(figure: "Figure", path: Path) -> None:
    """Write a figure atomically, in the format of the suffix, and print where it is.

    Raises:
        ValueError: the path cannot be written.
    """
    kind = FORMATS[path.suffix.lower()]
    # The same figure is the same file: neither the version of matplotlib nor the time is written to it.
    undated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with output_file("output", path), atomic_write(path) as file:
        figure.savefig(file, format=kind, dpi=100, metadata=undated.get(kind))
    print(f"figure  {path}")
