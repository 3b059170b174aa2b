"""Signed tokens (JWS compact, RFC 7515): written through a Signer, read with the key ring's public keys.

Leaves the meaning of the claims (iss, aud, exp …) to whoever reads them.
"""

import base64
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from idp.crypto.keys import KeyRing
from idp.domain.signing_key import KeyUse
from idp.ports import Signer

MAX_TOKEN = 8192
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode  # made once: json.dumps with options makes one for each call


def sign(signer: Signer, typ: str, claims: Mapping[str, Any]) -> str:
    """A JWT with `typ`, `alg` and `kid` in its header."""
    payload = _ENCODE(claims).encode()
    signed = _header(typ, signer.alg, signer.kid) + _b64(payload)
    return (signed + b"." + _b64(signer.sign(signed))).decode()


def read(keys: KeyRing, token: str, *, use: KeyUse, typ: str) -> dict[str, Any] | None:
    """The claims of a token that we signed as `use` with exactly this `typ`; None for anything else.

    The kind of a token is decided by key and type together: an ID token is no access token, nor the other way round.
    """
    from joserfc import jws
    from joserfc.errors import JoseError

    header = _peek(token)
    if header is None or str(header.get("typ", "")).lower() != typ.lower():
        return None
    key = keys.verifier(str(header.get("kid", "")), use)
    if key is None:
        return None
    try:
        found = jws.deserialize_compact(token.encode(), key, algorithms=[str(key.alg)])
        claims = json.loads(found.payload)
    except (JoseError, ValueError, TypeError):  # TypeError: joserfc takes `crit` for a list whatever it is
        return None
    return claims if isinstance(claims, dict) else None


def kid_of(token: str) -> str:
    """What the header says; trust it only for a token that `read` has verified."""
    return str((_peek(token) or {}).get("kid", ""))


def _peek(token: str) -> dict[str, Any] | None:
    if len(token) > MAX_TOKEN or token.count(".") != 2:
        return None
    first = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except (ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) else None


@lru_cache(maxsize=64)
def _header(typ: str, alg: str, kid: str) -> bytes:
    return _b64(json.dumps({"typ": typ, "alg": alg, "kid": kid}, separators=(",", ":")).encode()) + b"."


def _b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
