"""Headless Chromium, which opens a page without any network."""

import contextlib
import shutil
from pathlib import Path
from typing import Any, Iterator, List, NamedTuple

import pytest

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


class OpenPage(NamedTuple):
    """A page in a browser.

    Attributes:
        page: Playwright's.
        requests: the addresses that it asked for, its own file first.
        complaints: of its console, and errors.
    """

    page: Any
    requests: List[str]
    complaints: List[str]


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """Playwright's browser; the test is skipped where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install playwright")
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip(f"none of {', '.join(_PROGRAMS)} is installed, so no page can be opened: apt-get install chromium")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield chromium
        finally:
            chromium.close()


def open_page(chromium: Any, path: Path, fragment: str = "", **options: Any) -> OpenPage:
    """Opens a file; options are those of Playwright's ``new_page``."""
    opened = OpenPage(chromium.new_page(**options), [], [])
    opened.page.on("request", lambda request: opened.requests.append(request.url))
    opened.page.on("console", lambda message: opened.complaints.append(f"{message.type}: {message.text}"))
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.page.goto(path.resolve().as_uri() + fragment)
    return opened
