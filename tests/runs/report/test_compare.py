import re
from pathlib import Path
from typing import Any

import pytest
from runs.report.conftest import EVIL, Write
from runs.report.test_report import DONE, Page

from firstlight.runs.report.compare import compare
from firstlight.runs.report.differences import labels
from firstlight.runs.report.runs import best_of


def test_the_table_has_what_differs_and_marks_the_best_values(
    write_run: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = write_run("bad", DONE | {"val/loss": 2.0, "test/accuracy": 0.5, "test/other": 1.0}, lr=0.1)
    good = write_run("good", DONE | {"val/loss": 1.0, "test/accuracy": 0.75, "test/other": 2.0}, lr=0.2)
    (good / "report.html").write_text("")
    compare([str(bad), str(good)], str(tmp_path / "pages" / "c.html"))
    header, *rows = capsys.readouterr().out.splitlines()[:3]
    assert header.split() == ["run", "lr", "test/accuracy", "test/other", "val/loss", "status"]
    assert [" ".join(row.split()) for row in rows] == [
        "good 0.2 0.75 * 2 1 * completed",  # the direction of `other` is unknown
        "bad 0.1 0.5 1 2 completed",
    ]
    page = Page(tmp_path / "pages" / "c.html")
    assert [text for text in page.texts if "★" in text and len(text) < 9] == ["0.75 ★", "1 ★"]
    assert [address for address in page.addresses() if address.endswith("html")] == ["../good/report.html"]
    assert "bad, without a report" in page.texts
    place = page.texts.index("device")
    assert page.texts[place : place + 3] == ["device", "good", "bad"]


def test_a_sweep_stands_for_its_runs_in_the_order_of_their_numbers(
    write_run: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(11):
        write_run(f"sweep/{number}", {"status": "failed"}, losses=(), seed=number)
    compare(str(tmp_path / "sweep"), str(tmp_path / "c.html"))
    rows = capsys.readouterr().out.splitlines()[1:12]
    assert [row.split() for row in rows] == [[str(n), str(n), "failed"] for n in range(11)]
    assert "No epoch of these runs has ended." in Page(tmp_path / "c.html").texts


def test_only_the_best_twelve_of_many_runs_have_curves(write_run: Write, tmp_path: Path) -> None:
    for number in range(14):
        write_run(f"sweep/{number}", DONE | {"val/loss": 14.0 - number}, losses=(3.0, 14.0 - number))
    compare(str(tmp_path / "sweep"), str(tmp_path / "c.html"))
    page = Page(tmp_path / "c.html")
    assert "of the first 12 of 14 runs" in page.source
    svg = page.source.partition("<svg")[2].partition("</svg>")[0]
    assert re.findall(r">([0-9]+)</text>", svg)[-12:] == [str(number) for number in range(13, 1, -1)]  # of the legend


def test_a_figure_names_the_runs_by_what_differs(
    write_run: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    optimizers: dict[str, tuple[dict[str, Any], ...]] = {
        "torch.optim.SGD": ({"momentum": 0.0, "lr": 0.1}, {"momentum": 0.9, "lr": 0.1}),
        "torch.optim.Adam": ({"betas": [0.9, 0.999], "lr": 0.1},),
    }
    nodes = [{"_target_": name, **options} for name, every in optimizers.items() for options in every]
    for number, node in enumerate(nodes):
        write_run(f"race/{number}", DONE | {"val/loss": 1.0 + number}, optimizer=node)
    compare(str(tmp_path / "race"), str(tmp_path / "race.svg"))
    assert capsys.readouterr().out.splitlines()[-1].startswith("figure ")
    figure = (tmp_path / "race.svg").read_text()
    comments = re.findall("<!-- (.*?) -->", figure)
    assert comments[-3:] == ["SGD momentum=0.0", "SGD momentum=0.9", "Adam"]
    configs = [{"optimizer": "a.B", "optimizer.lr": "1", "seed": "1"}, {"optimizer": "a.B", "seed": "2"}]
    assert labels(["0", "1"], configs) == ["lr=1 seed=1", "seed=2"]
    optimizers_alone = [{"optimizer": "a.B"}, {"optimizer": "a.B", "optimizer.momentum": "0.9"}, {"optimizer": "a.C"}]
    assert labels(["0", "1", "2"], optimizers_alone) == ["B", "B momentum=0.9", "C"]
    assert labels(["0", "1"], [{}, {}]) == ["0", "1"]


def test_runs_of_different_tasks_are_compared_by_what_they_have(
    write_run: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run("x/a", DONE | {"val/loss": 1.0})
    write_run("x/b", DONE | {"val/mse": 9.0, "monitor": "val/mse"}, task={"_target_": "b.Task"})
    write_run("x/c", {}, task={"_target_": EVIL})
    compare(str(tmp_path / "x"), str(tmp_path / "c.html"))
    page = Page(tmp_path / "c.html")
    assert "The runs have different tasks." in page.texts
    assert not any(tag == "script" for tag, _ in page.elements)
    assert "has not ended" in capsys.readouterr().out
    assert not any("★" in text and len(text) < 9 for text in page.texts)


@pytest.mark.parametrize(
    ("values", "direction", "places"),
    [
        ([1.0, 2.0, 1.0], "min", [0, 2]),
        ([1.0, 2.0, None], "max", [1]),
        ([1.0, 2.0], None, []),
        ([1.0, 1.0], "min", []),
        ([float("nan"), 2.0, 3.0], "min", [1]),
        (["text", True, 3.0], "min", []),
    ],
)
def test_the_best_of_values(values: list[object], direction: str | None, places: list[int]) -> None:
    assert best_of(values, direction) == places


def test_a_path_without_a_run_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^runs=.*nowhere: must be a run folder"):
        compare([str(tmp_path / "nowhere")], str(tmp_path / "c.html"))
    with pytest.raises(ValueError, match=r"^runs: must name at least one"):
        compare([], str(tmp_path / "c.html"))
    assert not (tmp_path / "c.html").exists()
