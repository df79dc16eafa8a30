"""A sketch pad on the page: white paper and a black pen, which needs neither tools to choose nor WebGL."""

import base64
import binascii
from pathlib import Path
from typing import Any

import numpy as np

from firstlight.data.images.reading import read_image
from firstlight.runs.demo.library import gradio

_SIDE = 336  # pixels of the paper
_PREFIX = "data:image/png;base64,"
_MAX_LENGTH = 2**20  # characters; strokes take some thousands
_PAPER = f"""
<canvas width="{_SIDE}" height="{_SIDE}" role="img" aria-label="Sketch pad: draw with the mouse or a finger"></canvas>
<button type="button">Clear</button>
"""
_STYLE = """
display: flex; flex-direction: column; align-items: center; gap: 12px;
canvas { background: white; border: 1px solid var(--border-color-primary); border-radius: 8px; cursor: crosshair;
         touch-action: none; width: min(100%, 336px); }
button { color: var(--body-text-color); background: var(--button-secondary-background-fill); padding: 6px 24px;
         border: 1px solid var(--border-color-primary); border-radius: 8px; cursor: pointer; }
"""


def add_sketch_pad() -> Any:
    """Add a sketch pad to the page. Its event is `input`, and its value is what `sketch_of` reads."""
    script = Path(__file__).with_name("sketch_pad.js").read_text(encoding="utf-8")
    return gradio().HTML("", html_template=_PAPER, css_template=_STYLE, js_on_load=script, elem_id="sketch")


def sketch_of(value: str | None) -> np.ndarray | None:
    """Return what is drawn, (height, width), uint8, black on white; None if the paper is empty.

    Raises:
        ValueError: the value is not the PNG of a sketch pad.
    """
    if not value:
        return None
    try:
        content = base64.b64decode(value[:_MAX_LENGTH].removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("The sketch cannot be read.") from None
    return read_image(Path("sketch"), (1, _SIDE, _SIDE), content, max_pixels=_SIDE**2)[0]
