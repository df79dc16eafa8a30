import math
import random
from pathlib import Path

import numpy as np
import pytest

from firstlight.runs.sweeps import JobRecord
from firstlight.runs.sweeps.shown.figure import _axis, sweep_figure
from firstlight.runs.sweeps.shown.importance import importances


def record(number: int, words: str, value: float) -> JobRecord:
    return JobRecord(number, tuple(words.split()), Path("x"), "completed", metrics={"val/loss": value})


def jobs(number: int = 24) -> list[JobRecord]:
    """Jobs whose loss follows the learning rate, and in which the network hardly matters."""
    source = random.Random(0)
    found = []
    for place in range(number):
        lr, model = 10 ** source.uniform(-4, -1), source.choice(["mlp", "lenet"])
        loss = abs(math.log10(lr) + 3) + 0.05 * (model == "mlp")
        found.append(record(place, f"model={model} optimizer.lr={lr} data.file=a$b,c trainer.max_epochs=1", loss))
    return found


def test_the_parameter_that_decides_is_the_most_important_one() -> None:
    found = importances(jobs(), "val/loss")
    assert list(found) == ["optimizer.lr", "model"]
    assert found["optimizer.lr"] > 0.8
    assert sum(found.values()) == pytest.approx(1)
    assert found == importances(jobs(), "val/loss")
    conditional = [record(n, f"a={n % 2}" + f" b={n}" * (n % 2), float(n % 2)) for n in range(8)]
    assert set(importances(conditional, "val/loss")) == {"a", "b"}


def test_nothing_is_drawn_where_nothing_differs() -> None:
    same = [record(0, "seed=1", 0.5), record(1, "seed=1", 0.25)]
    lonely = [record(0, "seed=1", 0.5), record(1, "seed=2", math.nan)]
    for few in ([], same[:1], same, lonely):
        assert importances(few, "val/loss") == {}
        assert sweep_figure(few, {"val/loss": "min"}) is None
    assert sweep_figure(jobs(), {}) is None
    equal = [record(0, "seed=1", 0.5), record(1, "seed=2", 0.5)]
    assert importances(equal, "val/loss") == {}
    assert sweep_figure(equal, {"val/loss": "min"}) is not None  # lines without importances


def test_each_job_is_a_line_to_its_metric_and_the_best_one_is_thick() -> None:
    figure = sweep_figure(jobs(), {"val/loss": "min"})
    assert figure is not None
    bars, lines = figure.axes
    assert [text.get_text() for text in bars.get_yticklabels()] == ["optimizer.lr", "model"]
    drawn = [line for line in lines.lines if len(np.asarray(line.get_ydata())) == 3 and line.get_color() != "gray"]
    assert len(drawn) == 24
    heights = [np.asarray(line.get_ydata())[-1] for line in drawn]
    assert [height for height, line in zip(heights, drawn, strict=True) if line.get_linewidth() > 2] == [1]
    assert min(heights) == 0  # the lowest loss is at the top


def test_axes_are_logarithmic_or_linear_or_have_names() -> None:
    assert _axis(["1e-3", "1e-1", "1e-2"]) == ([0, 1, pytest.approx(0.5)], {0: "0.001", 0.5: "0.01", 1: "0.1"})
    assert _axis(["1", "3", "2"]) == ([0, 1, 0.5], {0: "1", 0.5: "2", 1: "3"})
    assert _axis(["mlp", None, "mlp"]) == ([0, 1, 0], {0: "mlp", 1: "-"})
    assert _axis(["7", "7"]) == ([0.5, 0.5], {0.5: "7"})
    places, ticks = _axis([str(10 ** (-n / 10)) for n in range(40)])
    assert set(ticks.values()) == {"0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1", "0.0003"}
    assert (max(places), min(places)) == (1, 0)
