"""The canvas of all figures: their colours, their size, and the formats that they are written in."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from firstlight.files import atomic_write, output_file, user_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe & Ito 2008, "Color Universal Design": colours that people with every kind of colour vision can distinguish.
BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK = COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000")
FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".svg": "svg", ".pdf": "pdf"}
_DPI = 100
# Written to the files of figures, so that the same figure is the same file.
_UNDATED = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def check_output(output: str | Path | None) -> Path | None:
    """Return the path of a figure, or None if none is requested. Call this before a long computation.

    Raises:
        ValueError: the suffix is not among `FORMATS`.
    """
    if output is None:
        return None
    path = user_path(output, "output")
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"output={output}: must end in one of {', '.join(FORMATS)}.")
    return path


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure.

    Args:
        width: in inches, of 100 pixels each.
        height: in inches.
    """
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it says that its first start takes longer
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))


def write_figure(figure: "Figure", path: Path) -> None:
    """Write a figure to the path that the user has named, see `save_figure`.

    Raises:
        ValueError: the path cannot be written.
    """
    with output_file("output", path):
        save_figure(figure, path)


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure atomically, in the format of the suffix.

    Raises:
        OSError: the path cannot be written.
    """
    kind = FORMATS[path.suffix.lower()]
    with atomic_write(path) as file, _any_letter():
        figure.savefig(file, format=kind, dpi=_DPI, metadata=_UNDATED.get(kind))
    figure.set_layout_engine("none")  # which is most of the work; another format gets the same places


def as_image(figure: "Figure") -> Image.Image:
    """Return a figure as an RGB image."""
    buffer = io.BytesIO()
    with _any_letter():
        figure.savefig(buffer, format="png", dpi=_DPI)
    with Image.open(buffer) as image:
        return image.convert("RGB")


def as_svg(figure: "Figure") -> str:
    """Return a figure as an `<svg>` element for a page. Black lines and texts get the colour of the page's text.

    So the same figure is readable on a light and on a dark page. Its ground is transparent, and its texts are texts.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "firstlight"}), _any_letter():
        figure.savefig(buffer, format="svg", transparent=True, metadata=_UNDATED["svg"])
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]  # without the XML declaration and the document type
    return _coloured(svg)


@contextmanager
def _any_letter() -> Iterator[None]:
    """Let letters that the font lacks, in the names of classes, become boxes without a warning for each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        yield


def _coloured(svg: str) -> str:
    """Replace black, the default colour of SVG included, by the colour of the surrounding text."""
    for black in ("#000000", "black"):
        svg = svg.replace(f"fill: {black}", "fill: currentColor").replace(f"stroke: {black}", "stroke: currentColor")
    return svg.replace("<svg ", '<svg fill="currentColor" ', 1)
