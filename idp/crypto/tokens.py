"""Signed tokens (JWS compact, RFC 7515): written through a Signer, read with the key ring's public keys.

Leaves the meaning of the claims (iss, aud, exp …) to whoever reads them.
"""

import base64
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from idp.crypto.algs import b64, half_hash
from idp.crypto.keys import KeyRing
from idp.domain.signing_key import KeyUse
from idp.ports import Signer

__all__ = ["MAX_TOKEN", "half_hash", "kid_of", "read", "sign"]

MAX_TOKEN = 16_384
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode  # made once: json.dumps with options makes one for each call


def sign(signer: Signer, typ: str, claims: Mapping[str, Any]) -> str:
    """A JWT with `typ`, `alg` and `kid` in its header."""
    payload = _ENCODE(claims).encode()
    signed = _header(typ, signer.alg, signer.kid) + b64(payload)
    return (signed + b"." + b64(signer.sign(signed))).decode()


def read(keys: KeyRing, token: str, *, use: KeyUse, typ: str) -> dict[str, Any] | None:
    """The claims of a token that we signed as `use` with exactly this `typ`; None for anything else.

    The kind of a token is decided by key and type together: an ID token is no access token, nor the other way round.
    """
    header = _peek(token)
    if header is None or str(header.get("typ", "")).lower() != typ.lower():
        return None
    key = keys.verifier(str(header.get("kid", "")), use)
    # No header of ours has `crit`, and the algorithm is that of the key, whatever the header would like (RFC 8725 3.1).
    if key is None or header.get("alg") not in key.algs or "crit" in header:
        return None
    signed, _, signature = token.rpartition(".")
    try:
        if not key.good(signed.encode(), _unb64(signature)):
            return None
        claims = json.loads(_unb64(signed.partition(".")[2]))
    except (ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def kid_of(token: str) -> str:
    """What the header says; trust it only for a token that `read` has verified."""
    return str((_peek(token) or {}).get("kid", ""))


def _peek(token: str) -> dict[str, Any] | None:
    if len(token) > MAX_TOKEN or _COMPACT.fullmatch(token) is None:
        return None
    try:
        header = json.loads(_unb64(token.partition(".")[0]))
    except (ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) else None


@lru_cache(maxsize=512)
def _header(typ: str, alg: str, kid: str) -> bytes:
    return b64(json.dumps({"typ": typ, "alg": alg, "kid": kid}, separators=(",", ":")).encode()) + b"."


def _unb64(text: str) -> bytes:
    """Raises ValueError. The alphabet has been checked: the decoder would skip what is not of it."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
