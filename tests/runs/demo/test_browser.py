"""The page in a real browser that reaches this machine alone: drawings, photos, forms, and uploads that are refused."""

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from firstlight.config.compose import compose
from firstlight.runs.demo.served import served
from firstlight.training.run import train
from helpers.browser import open_page
from helpers.generate import png_header, write_classes
from helpers.runs import REPOSITORY

# Gradio's server leaves sockets and event loops to the garbage collector.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

STROKES = ((0.3, 0.25), (0.7, 0.25), (0.45, 0.8))  # of a seven, as fractions of the sketch pad
GIGABYTE = 10**9
HOSTILE = {
    "bomb.png": png_header(100_000, 100_000, 0),
    "image.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>',
    "text.png": b"These are words, and no image.\n",
}

Run = Callable[..., Path]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a function that trains a run."""
    pytest.importorskip("gradio", reason="the extra demo is not installed")

    def trained(*words: str) -> Path:
        folder = tmp_path_factory.mktemp("runs") / "run"
        train(compose("trainer.accelerator=cpu", "logger=none", *words), run_dir=folder)
        return folder

    return trained


@pytest.fixture(autouse=True)
def _collect() -> Iterator[None]:
    """Collect what the server leaves while its warnings are silenced."""
    yield
    gc.collect()


@contextmanager
def script(run: Path, tmp_path: Path) -> Iterator[str]:
    """Start demo.py and yield the address of the page. Ended by SIGTERM, it must leave no file and no message."""
    temporary, errors = tmp_path / "temporary", tmp_path / "errors"
    temporary.mkdir()
    command = [sys.executable, str(REPOSITORY / "scripts" / "demo.py"), f"run={run}", "port=0", "accelerator=cpu"]
    environment = os.environ | {"TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    with errors.open("w") as file:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=file, text=True, cwd=tmp_path, env=environment
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line.startswith("http://127.0.0.1:"), errors.read_text()
            yield line.split()[0]
        finally:
            process.terminate()
            process.stdout.close()
            status = process.wait(30)
    assert (status, errors.read_text(), list(temporary.iterdir())) == (143, "", [])


def draw(page: Any) -> None:
    box = page.locator("#sketch canvas").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in STROKES]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=10)
    page.mouse.up()


def upload(page: Any, path: Path) -> None:
    """Upload a file in place of the last one."""
    if page.get_by_label("Remove Image").is_visible():
        page.get_by_label("Remove Image").click()
    page.locator("#photo input[type=file]").set_input_files(str(path))


def wait_for(page: Any, place: str, text: str) -> str:
    """Wait until an element contains a text, and return all of its text."""
    page.locator(place, has_text=text).wait_for()
    return str(page.locator(place).inner_text())


def test_a_drawn_seven_is_answered_seven_in_both_schemes(run: Run, tmp_path: Path) -> None:
    folder = run("data=digits", "model=lenet", "trainer.max_epochs=6")
    with script(folder, tmp_path) as address:
        for scheme in ("light", "dark"):
            with open_page(address, scheme) as page:
                draw(page)
                note = wait_for(page, "#notes", "Inverted.")
                assert "The network learned light on dark" in note
                assert page.locator("#answer h2").inner_text().strip() == "7"
                assert page.locator("#answer .confidence-set").count() == 5
                assert page.locator(".pixels img").count() == 2  # what the network sees, and Grad-CAM
                page.get_by_role("button", name="Clear").click()
                page.locator("#answer h2").wait_for(state="detached")


def test_photos_are_answered_and_hostile_uploads_refused_while_the_page_goes_on(run: Run, tmp_path: Path) -> None:
    write_classes(tmp_path / "photos" / "train", 12)
    write_classes(tmp_path / "photos" / "test", 4)
    words = (f"data.dir={tmp_path / 'photos'}", "data.image_size=16", "model=linear", "trainer.max_epochs=8")
    answer_uploads(run("data=folder", *words), tmp_path / "photos" / "test", tmp_path)


@pytest.mark.real
@pytest.mark.slow  # the test above uploads generated photos
def test_photos_of_dogs_are_answered(run: Run, real_data: Path, tmp_path: Path) -> None:
    data = real_data / "doggy-door"
    folder = run("experiment=doggy_door", f"data.dir={data}", "trainer.max_epochs=5")
    answer_uploads(folder, data / "test", tmp_path)


def answer_uploads(run: Path, photos: Path, tmp_path: Path) -> None:
    """Upload a photo of each class, after each kind of hostile file."""
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    labels = sorted(path.name for path in photos.iterdir())
    with served(run) as address, open_page(address) as page:
        for (name, content), label in zip(HOSTILE.items(), [*labels, labels[0]], strict=True):
            (hostile / name).write_bytes(content)
            upload(page, hostile / name)
            assert "cannot read (" in wait_for(page, "#notes", f"Not read. {name}")
            upload(page, sorted((photos / label).iterdir())[0])
            assert wait_for(page, "#answer h2", label).strip() == label
            assert "Not read" not in page.locator("#notes").inner_text()


def test_a_gigabyte_is_refused_by_the_page_and_by_the_server(run: Run, tmp_path: Path) -> None:
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.truncate(GIGABYTE)
    # Gradio then asks for the progress of an upload that has never begun, which its own server does not know.
    expected = ("status of 404", "Response")
    folder = run("data=digits", "model=linear", "trainer.max_epochs=1")
    with served(folder) as address, open_page(address, expected=expected) as page:
        page.get_by_role("tab", name="Photo").click()
        upload(page, huge)
        wait_for(page, ".toast-body", "exceed the maximum allowed size of 20.0 Mb")
        page.get_by_label("Remove Image").wait_for(state="detached")
        response = requests.post(f"{address}/gradio_api/upload", files={"files": ("large.png", bytes(21 * 2**20))})
        assert response.status_code == 413
        temporary = Path(os.environ["GRADIO_TEMP_DIR"])
        assert all(path.stat().st_size < 2**20 for path in temporary.rglob("*"))
        page.locator(".gallery button, .gallery-item").first.click()  # a sample of the test split
        page.locator("#answer h2").wait_for()
    assert not temporary.exists()


def test_a_form_is_answered(run: Run) -> None:
    with served(run("data=diabetes", "model=linear", "trainer.max_epochs=2")) as address, open_page(address) as page:
        page.get_by_role("button", name="Answer").click()
        page.wait_for_function("document.querySelector('#answer textarea').value.startsWith('progression: ')")


def test_a_text_is_continued(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("the cat sat on the mat. " * 100)
    words = (f"data.file={tmp_path / 'text.txt'}", "data.length=16", "model=rnn", "trainer.max_epochs=1")
    with served(run("data=text", *words)) as address, open_page(address) as page:
        page.locator("#prompt textarea").fill("the cat")
        page.get_by_role("button", name="Continue the text").click()
        assert "6 predicted tokens, loss" in wait_for(page, "#notes", "Next:")
        assert page.locator("#answer textarea").input_value().startswith("the cat")


def test_a_slider_changes_the_image(run: Run, tmp_path: Path) -> None:
    with served(run("data=digits", "model=gan", "trainer.max_epochs=1")) as address, open_page(address) as page:
        image = page.locator("#answer img")
        before = image.get_attribute("src")
        page.get_by_label("number input for Direction 1 (standard deviations)").fill("3")
        page.keyboard.press("Tab")
        page.wait_for_function("src => document.querySelector('#answer img').src !== src", arg=before)
