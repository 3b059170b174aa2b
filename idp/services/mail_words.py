"""What stands in a mail: plain text from the text catalogue, in the language that its reader is known to read.

Leaves sending to idp.services.mails. What comes from others is one line of printable characters before it stands in a text.
"""

from collections.abc import Mapping

from idp.domain.user import User
from idp.resources import catalogue

MAX_VALUE = 1000
LANGUAGES = ("en", "de")


def language_of(user: User | None) -> str:
    """By the claim `locale` (OpenID Connect Core 5.1), English when we do not speak it."""
    locale = user.claims.get("locale") if user is not None else None
    code = str(locale).replace("_", "-").partition("-")[0].lower() if isinstance(locale, str) else ""
    return code if code in LANGUAGES else "en"


def mail(language: str, name: str, values: Mapping[str, object]) -> tuple[str, str]:
    """Subject and text: `mail.NAME_subject` and `mail.NAME` of the catalogue."""
    return words(language, f"mail.{name}_subject", values), words(language, f"mail.{name}", values) + "\n"


def words(language: str, key: str, values: Mapping[str, object]) -> str:
    template = catalogue(language).get(key) or catalogue("en")[key]
    return template.format(**{name: _clean(value) for name, value in values.items()}).strip()


def _clean(value: object) -> str:
    return "".join(c if c.isprintable() else " " for c in str(value))[:MAX_VALUE]
