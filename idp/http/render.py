"""Pages: Jinja with the text catalogue. One catalogue per language in templates/text; English is complete and the fallback.

Leaves the words to the catalogue and the layout to the templates.
"""

import time
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from flask import Flask, g, render_template, request
from markupsafe import Markup, escape

from idp.http.browser import current_user
from idp.http.parts import parts
from idp.http.security import csp_nonce, csrf_token
from idp.resources import resource_dir

LANGUAGES = ("en", "de")


def set_up_render(app: Flask) -> None:
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(t=text, csrf_token=csrf_token, csp_nonce=csp_nonce, language=language)
    app.jinja_env.filters["ago"] = ago
    app.context_processor(lambda: {"organisation": parts().settings.organisation, "signed_in": current_user()})


def page(template: str, **values: object) -> str:
    return render_template(template, **values)


def language() -> str:
    """From Accept-Language; English when none fits."""
    if "sheaf_language" not in g:
        g.sheaf_language = request.accept_languages.best_match(LANGUAGES) or "en"
    found: str = g.sheaf_language
    return found


def text(key: str, **values: object) -> Markup:
    """The sentence for `key` in the reader's language. Values are escaped; the catalogue itself may hold markup."""
    template = catalogue(language()).get(key) or catalogue("en").get(key) or key
    return Markup(template).format(**{name: escape(value) for name, value in values.items()})  # noqa: S704


def has_text(key: str) -> bool:
    return key in catalogue("en")


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(code: str) -> Mapping[str, str]:
    """Flat: `page.title` -> sentence."""
    tree = tomllib.loads((resource_dir("templates") / "text" / f"{code}.toml").read_text(encoding="utf-8"))
    return {f"{section}.{name}": sentence for section, group in tree.items() for name, sentence in group.items()}


def ago(at: float) -> Markup:
    """`<time>` with a relative text and the exact time on hover."""
    exact = datetime.fromtimestamp(at, UTC)
    seconds = max(0, int(time.time() - at))
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= size:
            said = text(f"time.{name}", n=seconds // size)
            break
    else:
        said = text("time.now")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        exact.isoformat(timespec="seconds"), exact.strftime("%Y-%m-%d %H:%M:%S UTC"), said
    )
