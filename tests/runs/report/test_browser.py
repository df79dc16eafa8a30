"""The pages in a real browser, whose network is cut off: it finds nothing to complain about, and shows every figure."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor
from runs.report.conftest import Write
from runs.report.test_report import DONE

from firstlight.runs.figures.canvas import BLUE, ORANGE
from firstlight.runs.report import write_report
from firstlight.runs.report.compare import compare

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OWN_HOSTS = ("google.com", "googleapis.com", "gvt1.com")  # that the browser itself asks, whatever the page
SCHEMES = {"dark": 0, "light": 1}

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")]


def screenshot(page: Path, scheme: str, folder: Path) -> tuple[np.ndarray, str, list[str]]:
    """Return the page as an image (height, width, 3), the messages of its console, and the addresses it has asked."""
    image, network = folder / f"{page.stem}-{scheme}.png", folder / "network.json"
    process = subprocess.run(
        [
            *(str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND"),
            *("--enable-logging=stderr", f"--log-net-log={network}", f"--user-data-dir={folder / 'profile'}"),
            *(f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}", "--window-size=1000,1600"),
            *(f"--screenshot={image}", page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    console = [line for line in process.stderr.splitlines() if "CONSOLE" in line]
    asked = re.findall(r'"url":"https?://([^/"]+)', network.read_text(errors="replace"))
    with Image.open(image) as opened:
        return np.asarray(opened.convert("RGB")), "\n".join(console), [x for x in asked if not x.endswith(OWN_HOSTS)]


def in_the_dark(colour: tuple[int, ...]) -> np.ndarray:
    """Return what `invert(.9) hue-rotate(180deg)` makes of a colour (CSS Filter Effects, section 8)."""
    rotation = np.array([[-0.574, 1.430, 0.144], [0.426, 0.430, 0.144], [0.426, 1.430, -0.856]])
    return np.clip(rotation @ (229.5 - 0.8 * np.array(colour[:3])), 0, 255)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_pages_open_without_a_network_and_every_figure_is_visible(
    write_run: Write, tmp_path: Path, scheme: str
) -> None:
    runs = [write_run(name, DONE | {"val/loss": end}, losses=(3.0, end)) for name, end in {"a": 1.0, "b": 2.0}.items()]
    report, comparison = write_report(runs[0]), tmp_path / "compare.html"
    compare([str(run) for run in runs], str(comparison))
    for page, colours in ((report, [ORANGE]), (comparison, [BLUE, ORANGE])):
        image, console, asked = screenshot(page, scheme, tmp_path)
        assert (console, asked) == ("", [])
        assert (image[5, 5].mean() < 60) == (scheme == "dark")
        text = image.max(axis=2) if scheme == "dark" else 255 - image.min(axis=2)
        assert (text > 200).sum() > 2000  # texts and axes contrast with the ground
        for colour in map(ImageColor.getrgb, colours):  # the curves
            shown = in_the_dark(colour) if scheme == "dark" else colour
            assert (np.abs(image.astype(int) - shown).sum(axis=2) < 12).sum() > 50, (page.name, colour)
    assert (np.abs(screenshot(report, scheme, tmp_path)[0].astype(int) - (255, 0, 0)).sum(axis=2) == 0).sum() > 500


def test_a_page_that_loads_or_complains_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<script>console.error('oh')</script><img src='http://pictured.example/a.png'>")
    _, console, asked = screenshot(page, "light", tmp_path)
    assert "oh" in console
    assert "pictured.example" in asked
