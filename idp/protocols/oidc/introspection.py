"""Introspection (RFC 7662, signed answers RFC 9701) and revocation (RFC 7009), for apps that have authenticated.

Leaves what is told about a token, and ending it, to services.check_token.
"""

from idp.domain.relying import Client
from idp.http.machine import NO_STORE, Asked, Told, told_json
from idp.protocols.oidc.client_auth import authenticate, authenticate_confidential
from idp.protocols.oidc.door import Door
from idp.protocols.oidc.params import form
from idp.protocols.oidc.tokens import Claims

SIGNED_TYPE = "token-introspection+jwt"
SIGNED_MEDIA = "application/token-introspection+jwt"
DEFAULT_ALG = "RS256"  # RFC 9701 6
MAX_RANGES = 20


def introspect(door: Door, asked: Asked) -> Told:
    """RFC 7662 section 2. A token that is unknown, foreign or nonsense is not active, and no error."""
    params = form(asked)
    client = authenticate_confidential(door, asked, params)
    answer = door.check.introspect(client, params.required("token"))
    if not wants_signed(asked.headers.get("accept", "")):
        return told_json(answer)
    return Told(200, signed(door, client, answer).encode(), [*NO_STORE], SIGNED_MEDIA)


def signed(door: Door, client: Client, answer: Claims) -> str:
    """RFC 9701 section 5: `sub` and `exp` stand inside only, so that nobody takes the answer for the token."""
    said: Claims = {
        "iss": door.parts.installation.issuer,
        "aud": client.id,
        "iat": int(door.parts.clock()),
        "token_introspection": answer,
    }
    return door.tokens.signed(SIGNED_TYPE, client.introspection_signed_response_alg or DEFAULT_ALG, said)


def wants_signed(accept: str) -> bool:
    """Does the Accept header name the signed form, and not JSON before it (RFC 9110 12.5.1)?"""
    if SIGNED_MEDIA not in accept.lower():  # nearly always
        return False
    best: dict[str, float] = {}
    for item in accept.lower().split(",")[:MAX_RANGES]:
        media, *more = (part.strip() for part in item.split(";"))
        best.setdefault(media, next((_quality(one) for one in more if one.startswith("q=")), 1.0))
    return best.get(SIGNED_MEDIA, 0.0) > 0 and best[SIGNED_MEDIA] >= best.get("application/json", 0.0)


def _quality(text: str) -> float:
    try:
        value = float(text.removeprefix("q="))
    except ValueError:
        return 0.0
    return value if 0 <= value <= 1 else 0.0


def revoke(door: Door, asked: Asked) -> Told:
    """RFC 7009 section 2. Public clients may revoke their own tokens; a token that is unknown is gone already."""
    params = form(asked)
    client = authenticate(door, asked, params)
    door.check.revoke(client, params.required("token"))
    return told_json({})
