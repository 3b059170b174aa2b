"""Owns a plain browser for journeys: cookies, redirects, links and forms over real HTTP; it runs no JavaScript.

How pages look and behave in a real browser is left to the tests with Chromium (support/chromium).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urldefrag, urljoin, urlsplit

import requests

from tests.support.html import Button, Document, Form, parse

MAX_REDIRECTS = 20


class PlainBrowser:
    """One browser profile. `callbacks`: URL prefixes where it stops following redirects, as an app that is not there.

    browser = PlainBrowser(callbacks=["https://app.test/callback"])
    page = browser.open(sheaf.url("/authorize?...")).submit("Sign in", username="ada", password="...")
    assert page.params["code"]
    """

    def __init__(self, callbacks: tuple[str, ...] | list[str] = (), headers: Mapping[str, str] | None = None) -> None:
        self.callbacks = tuple(callbacks)
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["User-Agent"] = "Mozilla/5.0 (Sheaf tests)"
        self.session.headers["Accept"] = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
        self.session.headers["Accept-Language"] = "en"
        self.session.headers.update(headers or {})
        self.visited: list[str] = []

    def open(self, url: str, *, referer: str | None = None) -> "Page":
        """GET a URL and follow redirects. Without `referer` it is as if typed into the address bar."""
        return self._go("GET", url, None, referer)

    def post(self, url: str, fields: Mapping[str, str], *, referer: str | None = None) -> "Page":
        """POST fields as a form on the page `referer` would."""
        return self._go("POST", url, fields, referer)

    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self.session.cookies}

    def forget(self) -> None:
        """Throw all cookies away."""
        self.session.cookies.clear()

    def close(self) -> None:
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _go(self, method: str, url: str, fields: Mapping[str, str] | None, referer: str | None) -> "Page":
        source = referer
        for _ in range(MAX_REDIRECTS):
            url = urldefrag(url).url if method != "GET" else url
            self.visited.append(url)
            if self._is_callback(url):
                return Page(self, url, 0, {}, "", Document(), dict(fields or {}))
            response = self.session.request(
                method,
                url,
                data=fields,
                headers=_provenance(method, url, source),
                allow_redirects=False,
                timeout=30,
            )
            location = response.headers.get("Location") if 300 <= response.status_code < 400 else None
            location = location or response.headers.get("Refresh", "").partition("url=")[2]
            if not location:
                return Page.of(self, url, response)
            if response.status_code not in (307, 308):
                method, fields = "GET", None
            url = urljoin(url, location)
        raise AssertionError(f"more than {MAX_REDIRECTS} redirects, the last ones: {self.visited[-4:]}")

    def _is_callback(self, url: str) -> bool:
        return any(url.startswith(prefix) for prefix in self.callbacks)


@dataclass
class Page:
    """Where the browser is. `status` is 0 on a callback address; `posted` are the fields that were sent there."""

    browser: PlainBrowser = field(repr=False)
    url: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: str = field(repr=False)
    document: Document = field(repr=False)
    posted: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, browser: PlainBrowser, url: str, response: requests.Response) -> "Page":
        kind = response.headers.get("Content-Type", "")
        document = parse(response.text) if "html" in kind else Document()
        return cls(browser, url, response.status_code, response.headers, response.text, document)

    @property
    def text(self) -> str:
        """What a person reads, as one line."""
        return self.document.text

    @property
    def params(self) -> dict[str, str]:
        """Query parameters of the address; one value each."""
        return {key: values[-1] for key, values in parse_qs(urlsplit(self.url).query, keep_blank_values=True).items()}

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    def json(self) -> Any:
        return json.loads(self.body)

    def submit(self, button: str | None = None, *, at: str | None = None, **fields: str) -> "Page":
        """Fill fields in and press a button: by its text, name or value, else the first. `at`: part of its action.

        Fields may be given that the form has under that name only; a `_` at the end of a name is dropped (`class_`).
        """
        wanted = {name.removesuffix("_"): value for name, value in fields.items()}
        form, pressed = self._form(button, at, wanted)
        values = {**form.values, **wanted}
        if pressed and pressed.name:
            values[pressed.name] = pressed.value
        action = urljoin(self.url, (pressed.action if pressed and pressed.action else form.action) or self.url)
        if form.method == "get":
            target = requests.Request("GET", action, params=values).prepare().url or action
            return self.browser.open(target, referer=self.url)
        return self.browser.post(action, values, referer=self.url)

    def follow(self, link: str) -> "Page":
        """Click a link, by its text or part of its address."""
        for text, href in self.document.links:
            if link.casefold() in text.casefold() or link in href:
                return self.browser.open(urljoin(self.url, href), referer=self.url)
        raise AssertionError(f"no link {link!r} on {self.url}; there are {self.document.links}")

    def _form(self, button: str | None, at: str | None, fields: Mapping[str, str]) -> tuple[Form, Button | None]:
        for form in self.document.forms:
            pressed = form.button(button)
            has_button = button is None or pressed is not None
            if has_button and (at is None or at in form.action) and set(fields) <= form.names:
                return form, pressed
        seen = [
            f"{form.action or '(same address)'}: {sorted(form.names)} {form.buttons}" for form in self.document.forms
        ]
        raise AssertionError(
            f"no form with button {button!r} and fields {sorted(fields)} on {self.url} ({self.status}); forms: {seen}; "
            f"text: {self.text[:600]}"
        )


def _provenance(method: str, url: str, referer: str | None) -> dict[str, str]:
    """The headers by which a browser says where a request comes from."""
    site = _site(url, referer)
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    if referer:
        origin = _origin(referer)
        headers["Referer"] = referer if site == "same-origin" else f"{origin}/"
        if method == "POST":
            headers["Origin"] = origin
    return headers


def _site(url: str, referer: str | None) -> str:
    if referer is None:
        return "none"
    if _origin(url) == _origin(referer):
        return "same-origin"
    # Ports do not make another site, only another origin.
    return "same-site" if urlsplit(url).hostname == urlsplit(referer).hostname else "cross-site"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
