"""Owns a real Chromium for tests of pages: how it is started, and contexts that report what went wrong on a page.

Journeys that need no eyes are quicker with support/http_browser.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.needs import CHROMIUM, need

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}


@contextmanager
def chromium_browser() -> Iterator["Browser"]:
    """One browser process for the whole run."""
    from playwright.sync_api import sync_playwright

    program = need(CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


class Windows:
    """Opens pages, each in a context (profile) of its own, and closes them all.

    `complaints` collects script and console errors; a broken Content-Security-Policy shows there.
    """

    def __init__(self, browser: "Browser", artifacts: Path) -> None:
        self.browser = browser
        self.artifacts = artifacts
        self.complaints: list[str] = []
        self._contexts: list[BrowserContext] = []

    def open(
        self,
        url: str | None = None,
        *,
        phone: bool = False,
        dark: bool = False,
        js: bool = True,
        **more: Any,
    ) -> "Page":
        """A page in a fresh profile, on desktop or phone width, with or without JavaScript."""
        context = self.browser.new_context(
            viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]
            color_scheme="dark" if dark else "light",
            java_script_enabled=js,
            **{"locale": "en", **more},
        )
        context.set_default_timeout(15_000)
        self._contexts.append(context)
        page = context.new_page()
        self.watch(page)
        if url:
            page.goto(url)
        return page

    def watch(self, page: "Page") -> None:
        page.on("pageerror", lambda error: self.complaints.append(f"script error on {page.url}: {error}"))
        page.on("console", lambda said: self.complaints.extend([f"{page.url}: {said.text}"] * (said.type == "error")))

    def screenshot(self, page: "Page", name: str) -> Path:
        """Full-page picture in the folder of test artifacts, to be looked at."""
        self.artifacts.mkdir(parents=True, exist_ok=True)
        target = self.artifacts / f"{name}.png"
        page.screenshot(path=target, full_page=True)
        return target

    def violations(self, page: "Page") -> list[str]:
        """What axe-core finds wrong on a page (opened with JavaScript); one line each."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(page).response["violations"]
        return [f"{one['id']}: {one['help']} at {[node['target'] for node in one['nodes']]}" for one in found]

    def close(self) -> None:
        for context in self._contexts:
            context.close()
        self._contexts.clear()
