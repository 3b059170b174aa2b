"""Owns a person whose browser goes on as it is told to: it signs in when asked, allows, and ends at the app that sent it.

Signing in anew needs a fresh code each time, and there is one in 30 seconds; so one visitor stays signed in for many tests.
"""

from typing import Any

from tests.support.http_browser import Page, PlainBrowser
from tests.support.sheaf import Person

MOST_PAGES = 8


class Visitor:
    """trust: file with the certificate of an https installation."""

    def __init__(self, browser: PlainBrowser, person: Person, *, trust: str | None = None) -> None:
        self.browser = browser
        self.person = person
        if trust:
            self.browser.session.verify = trust

    @property
    def id(self) -> str:
        return self.person.id

    def visit(self, url: str, answer: str = "allow") -> dict[str, Any]:
        """From an authorization request to the app: where the browser came back, and the fields if it was a form."""
        page = self.through(url, answer)
        assert page.url.startswith(self.browser.callbacks), f"{page.url} ({page.status}) {page.text[:500]}"
        return {"url": page.url, **({"fields": page.posted} if page.posted else {})}

    def through(self, url: str, answer: str | None = "allow") -> Page:
        """Through all pages that ask something; gives the first one that does not. answer None: gives that question."""
        return self.on(self.browser.open(url), answer)

    def on(self, page: Page, answer: str | None = "allow") -> Page:
        """The same from a page where the browser is already."""
        for _ in range(MOST_PAGES):
            after = self._answered(page, answer)
            if after is None:
                return page
            page = after
        raise AssertionError(f"more than {MOST_PAGES} questions, the last one on {page.url}: {page.text[:500]}")

    def _answered(self, page: Page, answer: str | None) -> Page | None:
        names = {name for form in page.document.forms for name in form.names}
        if "password" in names:
            return page.submit(username=self.person.username, password=self.person.password)
        if "code" in names and "/flow/" in page.url:
            return page.submit(code=self.person.code())
        if "user_code" in names:  # filled in already, or the page would refuse it
            return page.submit()
        if answer is not None and any(form.button(answer) for form in page.document.forms):
            return page.submit(answer)
        if any(form.action.startswith(self.browser.callbacks) for form in page.document.forms):
            return page.submit()  # response_mode=form_post: the browser's script would send it
        return None

    def close(self) -> None:
        self.browser.close()
