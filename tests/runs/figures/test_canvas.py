import io
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from firstlight.runs.figures.canvas import as_image, as_svg, check_output, new_figure, write_figure


def test_a_figure_is_the_same_file_each_time_and_the_same_image(tmp_path: Path) -> None:
    figure = new_figure(3, 2)
    figure.subplots().plot([1, 2, 3], label="loss")
    for name in ("a.png", "b.png", "a.svg", "a.pdf"):
        write_figure(figure, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    image = as_image(figure)
    assert image.size == (300, 200)
    with Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())) as written:
        np.testing.assert_array_equal(np.asarray(written.convert("RGB")), np.asarray(image))


def test_svg_has_the_colour_of_the_page_and_no_ground() -> None:
    figure = new_figure(3, 2)
    axes = figure.subplots()
    axes.plot([1, 2, 3], color="#0072B2", label="train/loss")
    axes.set_xlabel("epoch")
    svg = as_svg(figure)
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert "#000000" not in svg
    assert "stroke: currentColor" in svg
    assert "#0072b2" in svg.lower()
    assert "<text" in svg
    assert "epoch" in svg
    assert not re.search(r"fill: #ffffff(?![^\"]*opacity: 0)", svg)
    assert svg == as_svg(figure)


def test_suffixes_of_figures() -> None:
    assert check_output(None) is None
    with pytest.raises(ValueError, match=r"output=a\.txt: must end in one of \.png"):
        check_output("a.txt")
