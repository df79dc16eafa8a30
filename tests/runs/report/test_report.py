import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from PIL import Image
from runs.report.conftest import EVIL, Write

from firstlight.config import RunConfig
from firstlight.runs.figures.canvas import new_figure
from firstlight.runs.report import write_report
from firstlight.runs.report.environment import About
from firstlight.training.run import train
from helpers.runs import TINY

DONE = {"status": "completed", "epoch": 2, "monitor": "val/loss", "monitor_mode": "min", "seconds/fit": 3.25}


class Page(HTMLParser):
    """The elements and the texts of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts += [data.strip()] if data.strip() else []

    def addresses(self) -> list[str]:
        return [v for _, found in self.elements for key, v in found.items() if key in ("src", "href") and v]


def test_the_page_shows_what_the_folder_holds_and_escapes_the_texts_of_the_user(write_run: Write) -> None:
    folder = write_run("<b>a", DONE | {"val/loss": 1.0, "test/accuracy": 0.123456789, "error": EVIL})
    page = Page(write_report(folder))
    tags = [tag for tag, _ in page.elements]
    assert "script" not in tags
    assert "b" not in tags
    assert page.texts.count(EVIL) == 5  # notes, tag, error, class, text
    assert {"0.12346", "accuracy ↑", "loss ↓", "3.25", "completed, best epoch 2 by val/loss"} <= set(page.texts)
    headings = [
        page.texts[i] for i in range(len(page.texts)) if page.texts[i] in ("Curves", "Confusion matrix", "Classes")
    ]
    assert headings == ["Curves", "Confusion matrix", "Classes"] * 2  # links to sections, then the sections
    assert {address.partition(":")[0] for address in page.addresses() if not address.startswith("#")} == {"data"}
    assert {key for tag, found in page.elements for key in found if key.startswith("on")} == set()


def test_every_link_to_a_section_has_its_section(write_run: Write) -> None:
    page = Page(write_report(write_run("a", DONE)))
    targets = [found["href"] for tag, found in page.elements if tag == "a"]
    names = [found["id"] for _, found in page.elements if found.get("id")]
    assert {f"#{name}" for name in names} >= set(targets)
    assert len(targets) > 5
    sections = [name for name in names if f"#{name}" in targets]
    assert len(sections) == len(set(sections))


def test_a_given_figure_is_drawn_in_the_colours_of_the_page_instead_of_the_file(write_run: Write) -> None:
    figure = new_figure(2, 2)
    figure.subplots().set_xlabel("given")
    page = Page(write_report(write_run("a", DONE), figures={"confusion": figure}))
    assert "given" in page.texts
    assert [tag for tag, _ in page.elements].count("svg") == 2
    assert not any(tag == "img" for tag, _ in page.elements)
    assert "#000000" not in page.source.partition("</style>")[2]


def test_a_run_without_an_epoch_has_a_page_too(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("name: mine\nseed: 3\n")
    page = Page(write_report(tmp_path))
    assert {"has not ended", "No epoch has ended."} <= set(page.texts)
    place = page.texts.index("seed")
    assert page.texts[place : place + 3] == ["seed", "3", "1"]  # its value and its default
    assert not [text for text in page.texts if text.startswith("sweep.")]  # run folders do not hold them


def test_a_run_that_was_stopped_shows_its_last_epoch(write_run: Write) -> None:
    folder = write_run("a", {"status": "interrupted"}, losses=(2.0, 0.5))
    page = Page(write_report(folder))
    assert {"interrupted", "0.5", "The last epoch. ↑ higher is better, ↓ lower is better."} <= set(page.texts)


@pytest.mark.parametrize("name", ["Infinity", "a"])
def test_damaged_files_are_reported(write_run: Write, name: str) -> None:
    folder = write_run("a", DONE)
    (folder / "run.json").write_text(f'{{"environment": "{name}"}}')
    with pytest.raises(ValueError, match=r"run\.json: cannot read"):
        write_report(folder)


@pytest.mark.figures
def test_training_writes_the_report_and_where_it_ran(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(RunConfig.from_overrides(*TINY, "optimizer.lr=0.5", "seed=7"), run_dir=run)
    about = About.read(run)
    assert (about.directions["loss"], about.directions["accuracy"]) == ("min", "max")
    assert about.environment["device"] == "cpu"
    assert about.environment["torch"] == torch.__version__
    page = Page(run / "report.html")
    metrics = json.loads((run / "metrics.json").read_text())
    assert f"{metrics['test/accuracy']:.5g}" in page.texts
    for key, value, default in (("optimizer.lr", "0.5", "0.002"), ("seed", "7", "1")):
        place = page.texts.index(key)
        assert page.texts[place : place + 3] == [key, value, default]
    assert len(re.findall(r"<svg", page.source)) >= 1


def test_without_figures_there_is_no_report(tmp_path: Path) -> None:
    train(RunConfig.from_overrides(*TINY, "figures=false"), run_dir=tmp_path / "run")
    assert not (tmp_path / "run" / "report.html").exists()


def test_an_image_that_is_too_large_for_a_page_is_left_out(write_run: Write) -> None:
    folder = write_run("a", DONE)
    Image.effect_noise((6000, 4000), 80).save(folder / "confusion.png", compress_level=0)
    assert "Confusion matrix" not in Page(write_report(folder)).texts
