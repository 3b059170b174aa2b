"""User: the one local identity. Credentials hang on it but are never part of a repr."""

import re
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from idp.base.claims import ADMINISTRATOR
from idp.base.errors import Refused

USERNAME = re.compile(r"[a-z0-9](?:[a-z0-9._@+-]{0,126}[a-z0-9])?\Z")
EMAIL = re.compile(r"[^@\s\x00-\x1f\"(),:;<>\[\]\\]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}\Z")


@dataclass(frozen=True, slots=True)
class User:
    """id: random and never reused, it is the `sub` of tokens. username and email as the person wrote them; username_key
    and email_key are the canonical forms that are unique. password_hash: PHC string or None (no local password).
    claims: further standard claims of the person (OIDC Core 5.1: given_name, phone_number, address …) and the
    installation's own, by name."""

    id: str
    username: str
    username_key: str
    email: str | None
    email_key: str | None
    email_verified: bool
    name: str
    created_at: float
    roles: tuple[str, ...] = ()
    disabled: bool = False
    password_hash: str | None = field(default=None, repr=False)
    password_changed_at: float | None = None
    groups: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)
    never_auto_link: bool = False  # no login joins this user without a proof of their own
    quarantined_at: float | None = None  # disabled since, because the owner of the address came
    merged_into: str | None = None  # disabled since their logins went to that user
    version: int = 0

    @property
    def is_administrator(self) -> bool:
        return ADMINISTRATOR in self.roles


def username_key(username: str) -> str:
    """Canonical form, made once (NFKC, case folded). Raises Refused(invalid_username)."""
    key = unicodedata.normalize("NFKC", username.strip()).casefold()
    if not USERNAME.match(key):
        raise Refused("invalid_username", "Use letters, digits and . _ - @ + for the user name, up to 128 characters.")
    return key


def email_key(email: str) -> str:
    """Canonical form of an e-mail address: domain in lower-case ASCII, local part in lower case. Raises Refused(invalid_email).

    Only one `@`, no comments, no quoted local parts, no trailing dot: addresses that two systems read differently are how
    identities get joined by mistake.
    """
    text = unicodedata.normalize("NFC", email.strip())
    local, at, domain = text.rpartition("@")
    # Lower case and not case folding: that makes one of two mailboxes that a mail server keeps apart (`ſam` and `sam`).
    key = f"{local.lower()}@{_ascii(domain)}"
    if not at or len(key) > 254 or not EMAIL.match(key):
        raise Refused("invalid_email", "This is not an e-mail address we can use, for example ada@example.org.")
    return key


def _ascii(domain: str) -> str:
    """Empty for what is no domain, or one that IDNA 2003 and 2008 read differently: straße.example belongs to somebody else
    than strasse.example (UTS 46, section 7)."""
    try:
        found = domain.encode("idna").decode().lower() if domain else ""
        same = domain.isascii() or found.encode().decode("idna") == domain.lower()
    except UnicodeError:
        return ""
    return found if same else ""


def login_key(text: str) -> str:
    """One form for whatever is typed as user name or e-mail, whether or not anybody has it. Never refuses."""
    for canonical in (username_key, email_key):
        with suppress(Refused):
            return canonical(text)
    # Of what is no name here, one form all the same: a directory that is asked may take many spellings for one name.
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(c for c in folded if unicodedata.category(c) not in ("Cc", "Cf")).split())


def display_name(name: str) -> str:
    """One line of at most 200 characters. Raises Refused(invalid_name)."""
    text = " ".join(name.split())
    if len(text) > 200 or any(unicodedata.category(c) in ("Cc", "Cf", "Co", "Cn") for c in text):
        raise Refused("invalid_name", "Use a name of at most 200 characters, without control characters.")
    return text
