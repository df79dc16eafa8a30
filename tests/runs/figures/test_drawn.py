"""Every figure of a run: what is in it, that its axes have labels, and that it is readable in both colour schemes."""

import re
from typing import Any

import numpy as np
import pytest

from firstlight.runs.figures.canvas import as_image, as_svg
from firstlight.runs.figures.confusion import confusion
from firstlight.runs.figures.curves import curves
from firstlight.runs.figures.mistakes import mistakes
from firstlight.runs.figures.precision_recall import precision_recall
from firstlight.runs.figures.predicted_true import predicted_true
from firstlight.runs.figures.reliability import reliability

RANDOM = np.random.default_rng(0)
_CELLS = {"step": "1", "train/loss": "0.5", "val/loss": "", "val/f1": "nan", "lr": "0.1", "seconds": "1"}
ROWS = [{"epoch": str(epoch), **_CELLS} for epoch in (1, 2)]


def probabilities(samples: int, classes: int) -> tuple[Any, Any]:
    values = RANDOM.dirichlet(np.ones(classes), samples)
    return values, RANDOM.integers(0, classes, samples)


def texts(figure: Any) -> str:
    return " ".join(re.findall(r">([^<>]+)</text>", as_svg(figure)))


def test_curves_have_a_panel_for_each_metric_and_both_splits_in_it() -> None:
    figure: Any = curves(ROWS, best_epoch=1)
    shown: Any = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_ylabel() for axes in shown] == ["loss", "f1", "learning rate"]
    assert {axes.get_xlabel() for axes in shown} == {"epoch"}
    assert [line.get_label() for line in shown[0].lines][:2] == ["train", "val"]
    assert list(shown[2].lines[0].get_ydata()) == [0.1, 0.1]
    many = {"epoch": 1, "step": 1, "val_acc": 0.5} | {f"m{index}": 1.0 for index in range(40)}
    assert len(curves([many]).axes) == 16


@pytest.mark.parametrize("size", [2, 10, 100, 1000])
def test_a_confusion_matrix_names_its_classes_and_counts_where_they_are_readable(size: int) -> None:
    counts = np.diag(np.arange(size)) + np.eye(size, k=1, dtype=int) * 3
    figure: Any = confusion(counts, [f"class {index} $x" for index in range(size)])
    axes: Any = figure.axes[0]
    found = [text.get_text() for text in axes.texts]
    assert found == ([str(value) for value in counts[counts > 0]] if size <= 30 else [])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert len(axes.get_xticks()) == min(size, 50)
    image = as_image(figure)
    assert max(image.size) <= 1400
    assert np.asarray(image).std() > 5
    if size == 2:
        np.testing.assert_allclose(axes.images[0].get_array(), [[0, 1], [0, 1]])


@pytest.mark.parametrize(("number", "channels", "side"), [(1, 1, 8), (24, 3, 80), (9, 2, 28)])
def test_mistakes_show_images_and_captions(number: int, channels: int, side: int) -> None:
    images = RANDOM.random((number, channels, side, side))
    figure: Any = mistakes(images, [f"is a\nb {index}" for index in range(number)], "the worst")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["the worst", *(f"is a\nb {index}" for index in range(number))]
    assert np.asarray(as_image(figure)).std() > 5
    extents = np.asarray([image.get_extent() for image in axes.images])
    assert len(extents) == number
    assert extents.min() > -1e-9
    assert extents[:, :2].max() <= axes.get_xlim()[1]
    assert (extents[:, 1] - extents[:, 0]).max() == pytest.approx((extents[:, 3] - extents[:, 2]).max())


def test_a_reliability_diagram_names_its_error() -> None:
    figure: Any = reliability([0.9] * 4 + [0.6] * 2, [True, True, True, False, False, True])
    assert "expected calibration error 0.1333" in texts(figure)  # (4 |0.75 - 0.9| + 2 |0.5 - 0.6|) / 6
    assert [axes.get_ylabel() for axes in figure.axes] == ["accuracy", "samples"]


@pytest.mark.parametrize("classes", [2, 5, 40])
def test_precision_recall_draws_at_most_ten_classes_and_the_mean(classes: int) -> None:
    values, targets = probabilities(400, classes)
    figure: Any = precision_recall(values, targets, [str(index) for index in range(classes)])
    lines: Any = figure.axes[0].lines
    assert len(lines) == min(classes, 10) + 1
    assert lines[-1].get_label().startswith("mean of all")
    assert all(len(line.get_xdata()) <= 200 for line in lines)
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == len(lines)


def test_a_perfect_ranking_has_precision_one() -> None:
    figure: Any = precision_recall(np.eye(3), np.arange(3), "abc")
    assert all((np.asarray(line.get_ydata()) == 1).all() for line in figure.axes[0].lines)


@pytest.mark.parametrize("targets", [1, 4, 12])
def test_predicted_and_true_numbers(targets: int) -> None:
    true = RANDOM.normal(size=(5000, targets))
    figure: Any = predicted_true(true + 2, true, [f"y{index}" for index in range(targets)])
    shown: Any = [axes for axes in figure.axes if axes.axison]
    assert len(shown) == min(targets, 9)
    assert shown[0].get_xlabel() == "true y0"
    assert shown[0].get_title() == "RMSE 2"
    assert len(shown[0].collections[0].get_offsets()) == 2000


def test_no_figure_has_a_light_text_that_a_light_page_hides() -> None:
    values, targets = probabilities(50, 3)
    figures = [curves(ROWS), reliability(values.max(1), targets == 0), precision_recall(values, targets, "abc")]
    for figure in figures:
        svg = as_svg(figure)
        assert "currentColor" in svg
        assert not re.search(r"<text[^>]*#fff", svg)
