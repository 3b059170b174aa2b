"""Pages: Jinja with the text catalogue. One catalogue per language in templates/text; English is complete and the fallback.

Leaves the words to the catalogue and the layout to the templates.
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime

from flask import Flask, g, render_template, request
from markupsafe import Markup, escape

from idp.base.errors import Refused
from idp.http.browser import current_user
from idp.http.parts import parts
from idp.http.security import csp_nonce, csrf_token
from idp.resources import catalogue as catalogue
from idp.services.local_login import Alarm

LANGUAGES = ("en", "de")


def set_up_render(app: Flask) -> None:
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    # signed_in is a function: an error page must come up even when the store, which knows, does not.
    app.jinja_env.globals.update(
        t=text, counted=counted, csrf_token=csrf_token, csp_nonce=csp_nonce, language=language, signed_in=current_user
    )
    app.jinja_env.globals["alarm"] = _alarm
    app.jinja_env.filters.update(ago=ago, fours=fours, moment=moment)
    app.context_processor(lambda: {"organisation": parts().settings.organisation})


def _alarm() -> Alarm | None:
    return parts().local_login.alarm()


def page(template: str, **values: object) -> str:
    return render_template(template, **values)


def language() -> str:
    """What the app asked for, else from Accept-Language; English when none fits."""
    if "sheaf_language" not in g:
        g.sheaf_language = fitting(tag for tag, quality in request.accept_languages if quality > 0) or "en"
    found: str = g.sheaf_language
    return found


def speak(code: str | None) -> None:
    """Pages of this request are in this language. None: as the browser likes it."""
    if code in LANGUAGES:
        g.sheaf_language = code


def fitting(tags: Iterable[str]) -> str | None:
    """The first of these language tags (RFC 5646) that we speak, `de-CH` as `de`."""
    wanted = (tag.partition("-")[0].lower() for tag in tags)
    return next((code for code in wanted if code in LANGUAGES), None)


def text(key: str, /, **values: object) -> Markup:
    """The sentence for `key` in the reader's language. Values are escaped; the catalogue itself may hold markup."""
    return text_in(language(), key, **values)


def text_in(code: str, key: str, /, **values: object) -> Markup:
    """The same in a certain language."""
    template = catalogue(code).get(key) or catalogue("en").get(key) or key
    return Markup(template).format(**{name: escape(value) for name, value in values.items()})  # noqa: S704


def counted(key: str, n: int, /, **values: object) -> Markup:
    """The sentence for `n` things: `key_one` or `key_other` (both of our languages have these two forms)."""
    return text(f"{key}_one" if n == 1 else f"{key}_other", n=n, **values)


def sentence(refused: Refused) -> Markup:
    """What a refusal says to the reader. Sentences may use {wait} (seconds) and {minimum} (length of a password)."""
    key = f"error.{refused.code}"
    if not has_text(key):
        return escape(refused.message)
    wait = refused.headers.get("Retry-After", "60")
    return text(key, wait=wait, minimum=parts().settings.passwords.minimum_length)


def has_text(key: str) -> bool:
    return key in catalogue("en")


def fours(value: str) -> str:
    """`ABCDEFGH` -> `ABCD EFGH`, for reading aloud and typing."""
    return " ".join(value[start : start + 4] for start in range(0, len(value), 4))


def moment(at: float) -> Markup:
    """`<time>` with the exact time: for what is still to come."""
    exact = datetime.fromtimestamp(at, UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        exact.isoformat(timespec="seconds"), exact.strftime("%Y-%m-%d %H:%M UTC")
    )


def ago(at: float) -> Markup:
    """`<time>` with a relative text and the exact time on hover."""
    exact = datetime.fromtimestamp(at, UTC)
    seconds = max(0, int(time.time() - at))
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= size:
            said = counted(f"time.{name}", seconds // size)
            break
    else:
        said = text("time.now")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        exact.isoformat(timespec="seconds"), exact.strftime("%Y-%m-%d %H:%M:%S UTC"), said
    )
