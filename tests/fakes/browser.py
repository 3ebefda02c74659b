"""A headless Chromium with the verifier's page open, driven as a person would: files, boxes, the button."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "verify.html"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-component-update", "--disable-sync"]
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; skips the test, with the reason, where there is none."""
    driver = pytest.importorskip("playwright.sync_api", reason="needs playwright: scripts/venv test browser")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip(f"needs one of {', '.join(PROGRAMS)} (Debian: apt-get install chromium)")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Verifier:
    """The page, opened from the disk.

    :ivar page: playwright's page.
    :ivar requests: addresses that it asked for, itself excepted.
    :ivar complaints: what it wrote to the console, and its uncaught errors.
    """

    def __init__(self, context: Any) -> None:
        self.page = context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(PAGE.as_uri())
        self.requests.clear()

    def verify(
        self,
        journal: Path | bytes,
        keys: Iterable[Path] = (),
        *,
        secret: str = "",
        pasted: str = "",
        require_external: bool = False,
        timeout: float = 60_000,
    ) -> dict[str, Any]:
        """What the page answers, as ``eve-proxy verify --json`` would; only ``exit`` when it is 2.

        :param timeout: milliseconds.
        """
        if isinstance(journal, bytes):
            given: Any = {"name": "journal.jsonl", "mimeType": "application/jsonl", "buffer": journal}
        else:
            given = journal
        page = self.page
        page.eval_on_selector("#answer", "answer => { delete answer.dataset.report }")
        page.set_input_files("#journal", given)
        page.set_input_files("#key-files", list(keys))
        page.fill("#secret", secret)
        page.fill("#key-text", pasted)
        page.set_checked("#external", require_external)
        page.click("#form button")
        page.wait_for_selector("#answer[data-report]", timeout=timeout)
        report: dict[str, Any] = json.loads(page.get_attribute("#answer", "data-report"))
        return report
