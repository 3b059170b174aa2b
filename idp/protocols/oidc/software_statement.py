"""Software statements (RFC 7591 2.3): what somebody whom we trust says about an app, signed.

Leaves what the claims mean to client_metadata. Whom we trust, and where their keys are, is a setting.
"""

from typing import Any, NoReturn

from idp.base.errors import Refused
from idp.base.jws import ASYMMETRIC, Opened, Unreadable, opened, signed_by
from idp.domain.relying import Client
from idp.protocols.oidc.door import Door

MAX_STATEMENT = 65_536
LEEWAY = 60.0
# About the statement itself (RFC 7519 4.1); the rest is about the app.
_OF_THE_TOKEN = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})
# Nobody decides these for us, and a statement within a statement is none.
_NOT_METADATA = frozenset({"software_statement", "client_id", "client_secret"})


def approved(door: Door, statement: object) -> tuple[str, dict[str, Any]]:
    """Who says it, and what. Raises Refused(invalid_software_statement | unapproved_software_statement)."""
    if not isinstance(statement, str):
        _invalid("not a string")
    try:
        jws = opened(statement, MAX_STATEMENT)
        kid = jws.kid
    except Unreadable as why:
        _invalid(str(why))
    issuer = jws.claims.get("iss")
    trusted = door.parts.settings.registration.software_statement_issuers
    keys_uri = trusted.get(issuer) if isinstance(issuer, str) else None
    if keys_uri is None:
        raise Refused(
            "unapproved_software_statement",
            "We do not accept software statements of this issuer.",
            reason=f"iss {str(issuer)[:200]!r}",
        )
    if jws.alg not in ASYMMETRIC:
        _invalid(f"alg {jws.alg[:20]!r}")
    # The keys of an issuer are fetched and remembered like those of a client with a jwks_uri.
    speaker = Client(id=f"software statements of {issuer}", name=str(issuer), created_at=0.0, jwks_uri=keys_uri)
    if not any(signed_by(jws, key) for key in door.client_keys.signing(speaker, kid, jws.alg)):
        _invalid("the signature is not by a key of its issuer, or its keys cannot be fetched")
    _check_time(jws, door.parts.clock())
    _check_audience(jws, door.parts.installation.issuer)
    return str(issuer), {k: v for k, v in jws.claims.items() if k not in _OF_THE_TOKEN | _NOT_METADATA}


def _check_time(jws: Opened, now: float) -> None:
    for name in ("exp", "nbf", "iat"):
        value = jws.claims.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            _invalid(f"{name} is not a number")
        if now > value + LEEWAY if name == "exp" else now < value - LEEWAY:
            _invalid(f"{name} {value!r} at {now:.0f}")


def _check_audience(jws: Opened, issuer: str) -> None:
    audience = jws.claims.get("aud")
    if audience is not None and issuer not in (audience if isinstance(audience, list) else [audience]):
        _invalid("aud names somebody else")


def _invalid(reason: str) -> NoReturn:
    raise Refused("invalid_software_statement", "The software statement is not valid.", reason=reason)
