"""A page in headless Chromium that may reach this machine alone, and what goes wrong in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def open_page(address: str, scheme: str = "light", expected: tuple[str, ...] = ()) -> Iterator[Any]:
    """Open a page of this machine in the Chromium of the system, and yield Playwright's page.

    At the end, no error may have been logged, and no request may have been made to another machine. The test is skipped
    where there is neither Chromium nor Playwright.

    Args:
        address: of the page.
        scheme: "light" or "dark".
        expected: parts of errors in the console that belong to the test.
    """
    api = pytest.importorskip("playwright.sync_api", reason="the group browser is not installed")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("Chromium is not installed")
    problems: list[str] = []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(color_scheme=scheme, viewport={"width": 1100, "height": 860})
        page.set_default_timeout(30_000)
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: None if _is_local(request.url, address) else problems.append(request.url))
        try:
            page.goto(address)
            yield page
        finally:
            browser.close()
    assert [problem for problem in problems if not any(part in problem for part in expected)] == []


def _is_local(url: str, address: str) -> bool:
    return url.startswith((f"{address}/", "data:", "blob:"))
