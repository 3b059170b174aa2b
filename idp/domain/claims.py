"""Claims about a person (OIDC Core 5.1): which there are, what values they may have, which scope releases them. Pure.

Leaves who gets which of them to services.release.
"""

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final

from idp.base.errors import Refused
from idp.domain.user import User

PROFILE: Final = (
    *("name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture"),
    *("website", "gender", "birthdate", "zoneinfo", "locale", "updated_at"),
)
# OIDC Core 5.4; roles and groups are ours, with the claim names of RFC 9068 2.2.3.1.
SCOPE_CLAIMS: Final[Mapping[str, tuple[str, ...]]] = {
    "profile": PROFILE,
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
    "roles": ("roles",),
    "groups": ("groups",),
}
IDENTITY_SCOPES: Final = ("openid", *SCOPE_CLAIMS, "offline_access")
# What an address or a number is worth without its mark: apps would take it for a proven one.
COMPANIONS: Final = {"email_verified": "email", "phone_number_verified": "phone_number"}
# Fields of User; everything else stands in User.claims.
FIELDS: Final = frozenset({"name", "preferred_username", "email", "email_verified", "roles", "groups"})
# These say something in tokens of ours or of others: a claim of a person must never be taken for one (RFC 7519, 7662,
# 7800, 8693, 9068, 9449; OIDC Core 2, 5.6).
PROTOCOL: Final = frozenset(
    {
        *("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "typ", "alg", "kid", "azp", "nonce", "acr", "amr"),
        *("auth_time", "at_hash", "c_hash", "s_hash", "sid", "sub_jwk", "sub_id", "events", "toe", "txn", "cnf"),
        *("act", "may_act", "client_id", "scope", "scp", "grant_id", "active", "token_type", "username"),
        *("authorization_details", "token_introspection", "entitlements", "vot", "vtm", "htm", "htu", "ath"),
        *("_claim_names", "_claim_sources", "__proto__", "constructor", "prototype"),
    }
)
MAX_TEXT = 256
MAX_BYTES = 4096  # of all claims of a person, and of all groups: they travel in ID tokens
MAX_DEPTH = 4
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/#-]{0,127}\Z")
_LARGEST = 2**53  # what every JSON reader takes for the same number


def check_claims(given: Mapping[str, object]) -> dict[str, Any]:
    """The claims of User.claims, each checked. Raises Refused(invalid_claim), which names the claim."""
    if not isinstance(given, Mapping):
        raise Refused("invalid_claim", "Claims are names with values.")
    for name, value in given.items():
        check_name(name)
        if name in FIELDS:
            raise _bad(name, "has a field of its own; set that")
        _STANDARD.get(name, _own)(name, value)
    if len(json.dumps(given).encode()) > MAX_BYTES:
        raise Refused("invalid_claim", f"The claims of one person may take {MAX_BYTES} bytes in all.")
    return dict(given)


def check_name(name: object) -> str:
    """A name that a claim about a person may have. Raises Refused(invalid_claim)."""
    if not isinstance(name, str) or not _NAME.match(name):
        raise _bad(f"{name!r:.100}", "is no name: use letters, digits and _ . : / # - up to 128 characters")
    if name.lower() in PROTOCOL:
        raise _bad(name, "would be taken for a part of the protocol")
    return name


def check_groups(given: tuple[str, ...]) -> tuple[str, ...]:
    """Names of groups or roles, without repetitions. Raises Refused(invalid_group)."""
    groups = tuple(dict.fromkeys(given))
    for group in groups:
        if not isinstance(group, str) or not group.strip() or len(group) > 128 or not group.isprintable():
            raise Refused("invalid_group", "Names of groups and roles have 1 to 128 printable characters.")
    if len(json.dumps(groups).encode()) > MAX_BYTES:
        raise Refused("invalid_group", f"The groups of one person may take {MAX_BYTES} bytes in all.")
    return groups


def facts(user: User) -> dict[str, Any]:
    """Every claim that there is about a person, whoever may see it."""
    about: dict[str, Any] = {
        **user.claims,
        "name": user.name,
        "preferred_username": user.username,
        "roles": list(user.roles),
        "groups": list(user.groups),
    }
    if user.email:
        about |= {"email": user.email, "email_verified": user.email_verified}
    return about


def _line(name: str, value: object) -> None:
    _text(name, value)


def _text(name: str, value: object, *, lines: bool = False) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_TEXT:
        raise _bad(name, f"must be text of 1 to {MAX_TEXT} characters")
    if any(unicodedata.category(c) in ("Cc", "Cs") and not (lines and c == "\n") for c in value):
        raise _bad(name, "holds control characters")
    return value


def _shaped(pattern: str, like: str) -> "Check":
    shape = re.compile(pattern)

    def check(name: str, value: object) -> None:
        if not shape.fullmatch(_text(name, value)):
            raise _bad(name, f"must look like {like}")

    return check


def _flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise _bad(name, "must be true or false")


def _moment(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _LARGEST:
        raise _bad(name, "must be a number of seconds since 1970")


def _address(name: str, value: object) -> None:
    """OIDC Core 5.1.1."""
    if not isinstance(value, Mapping) or not value or not value.keys() <= _ADDRESS:
        raise _bad(name, f"must be an object with members of {', '.join(sorted(_ADDRESS))}")
    for part, text in value.items():
        _text(f"{name}.{part}", text, lines=True)


def _own(name: str, value: object, depth: int = 1) -> None:
    """Any JSON but null, of reasonable size."""
    if depth > MAX_DEPTH:
        raise _bad(name, f"is nested more than {MAX_DEPTH} deep")
    if isinstance(value, bool):
        return
    if isinstance(value, str):
        _text(name, value or " ", lines=True)
    elif isinstance(value, int | float):
        if not math.isfinite(value) or abs(value) > _LARGEST:
            raise _bad(name, "is too large a number")
    elif isinstance(value, list | tuple):
        for one in value:
            _own(name, one, depth + 1)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            _text(name, key)
            _own(name, one, depth + 1)
    else:
        raise _bad(name, "must be text, a number, true or false, a list or an object")


def _bad(name: str, why: str) -> Refused:
    return Refused("invalid_claim", f"The claim {name} {why}.")


Check = Callable[[str, object], None]
_ADDRESS = frozenset({"formatted", "street_address", "locality", "region", "postal_code", "country"})
# Apps make links of these: nothing that a browser would run.
_url = _shaped(r"https?://[!-~]+", "https://www.example.org/ada")
_STANDARD: Mapping[str, Check] = {
    **dict.fromkeys(("given_name", "family_name", "middle_name", "nickname", "gender"), _line),
    **dict.fromkeys(("profile", "picture", "website"), _url),
    "birthdate": _shaped(r"[0-9]{4}(-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))?", "1815-12-10, 0000-12-10 or 1815"),
    "zoneinfo": _shaped(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,3}", "Europe/Paris"),
    "locale": _shaped(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,4}", "en-GB"),
    "phone_number": _shaped(r"\+?[0-9][0-9 ().-]{1,30}(;ext=[0-9]{1,10})?", "+1 (425) 555-1212"),
    "phone_number_verified": _flag,
    "updated_at": _moment,
    "address": _address,
}
# Values that are text whatever they look like: for those who read them from a command line.
TEXTS = frozenset(_STANDARD) - {"phone_number_verified", "updated_at", "address"}
