"""Pages of HTML: templates in which every text is escaped, and images and figures that are inside of the page."""

import base64
import math
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstlight.files import write_text

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure

_TEMPLATES = Path(__file__).with_name("templates")
_MAX_IMAGE = 2**24  # bytes of an image in a page


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write a page atomically.

    Args:
        path: the HTML file.
        template: the name of a file in templates/.
        values: what the template shows. Texts are escaped; what `inline` returns is not.

    Raises:
        OSError: the path cannot be written.
    """
    style = (_TEMPLATES / "style.css").read_text()
    write_text(path, _environment().get_template(template).render(style=style, **values))


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        autoescape=True,
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def inline(figure: "Figure") -> Any:
    """Return a figure as markup: an `<svg>` in the colours of the page, without names that other figures have too."""
    from markupsafe import Markup

    from firstlight.runs.figures.canvas import as_svg

    svg = re.sub(r"<metadata>.*?</metadata>", "", as_svg(figure), flags=re.DOTALL)
    # Names such as `axes_1` occur in every figure of a page, and nothing refers to them.
    return Markup(re.sub(r' id="[a-z0-9.]+_\d+"', "", svg))


def embedded(path: Path) -> str | None:
    """Return a PNG file as a `data:` address; None if there is none, or if it is too large for a page."""
    if not path.is_file() or path.stat().st_size > _MAX_IMAGE:
        return None
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def number(value: Any) -> str:
    """Return a value of metrics.json as text; numbers have five significant digits, and none becomes a dash."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}" if abs(value) >= 10_000 else f"{value:.5g}"
