"""The page that posts an answer to a service provider (SAML Bindings 3.5.4), or the way there by address, in one piece and
without Flask: the same characters for the short cut and for the routes.

The template is rendered once a language, with marks in the places of what differs. Leaves what is posted to `door`.
"""

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment
from markupsafe import escape
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from idp.http.machine import Headers, Told
from idp.http.render import fitting, text_in
from idp.http.security import PAGE_HEADERS, policy

if TYPE_CHECKING:
    from idp.protocols.saml.door import Answer

_ACTION, _APP, _NAME, _VALUE = "\ue000", "\ue001", "\ue002", "\ue003"  # private use: no catalogue has them
_UNCACHED = (("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"))


class Posting:
    """environment: where saml_post.html is; organisation: whose page it is."""

    def __init__(self, environment: Environment, organisation: str) -> None:
        self._environment = environment
        self._organisation = organisation
        self._kept: dict[str, tuple[str, str, str]] = {}

    def told(self, answer: "Answer", language: str) -> Told:
        """Without the headers that every answer has."""
        if not answer.by_form:
            # 303: a browser must not send the form again that it may just have sent us.
            return Told(303, b"", [("Location", with_fields(answer.acs_url, answer.fields)), *_UNCACHED])
        before, field, after = self._page(language)
        called = str(escape(answer.app_name or text_in(language, "onward.the_app")))
        fields = "".join(
            [field.replace(_NAME, name).replace(_VALUE, str(escape(value))) for name, value in answer.fields.items()]
        )
        start = before.replace(_APP, called).replace(_ACTION, str(escape(answer.acs_url)))
        return Told(200, (start + fields + after.replace(_APP, called)).encode(), _headers(answer.acs_url))

    def _page(self, language: str) -> tuple[str, str, str]:
        """The page up to its hidden fields, one of these, and the rest."""
        if language not in self._kept:
            html = self._environment.get_template("saml_post.html").render(
                t=partial(text_in, language),
                language=lambda: language,
                organisation=self._organisation,
                alarm=lambda: None,  # kept for the life of the process: nothing that passes may stand in it
                action=_ACTION,
                fields={_NAME: _VALUE},
                app_name=_APP,
            )
            start, end = html.rindex("<input", 0, html.index(_NAME)), html.index(">", html.index(_VALUE)) + 1
            self._kept[language] = html[:start], html[start:end] + "\n", html[end:].removeprefix("\n")
        return self._kept[language]


@lru_cache(maxsize=256)
def language_of(accepted: str) -> str:
    """From an Accept-Language header, as idp.http.render has it."""
    wanted = parse_accept_header(accepted, LanguageAccept)
    return fitting(tag for tag, quality in wanted if quality > 0) or "en"


def with_fields(url: str, fields: Mapping[str, str]) -> str:
    """The address with these in its query."""
    glue = "" if url.endswith(("?", "&")) else "&" if "?" in url else "?"
    return f"{url}{glue}{urlencode(fields)}"


@lru_cache(maxsize=1024)
def _form_policy(acs_url: str) -> str:
    """`https:` is where the service provider sends the browser next; form-action holds for redirects too."""
    acs = urlsplit(acs_url)
    return policy([f"{acs.scheme}://{acs.netloc}", "https:"])


def _headers(acs_url: str) -> Headers:
    return [
        ("Content-Type", "text/html; charset=utf-8"),
        *PAGE_HEADERS.items(),
        ("Content-Security-Policy", _form_policy(acs_url)),
        ("Cache-Control", "no-store"),
    ]
