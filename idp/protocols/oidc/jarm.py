"""The authorization answer as a signed JWT (JWT Secured Authorization Response Mode for OAuth 2.0, JARM, section 2.1).

Leaves how it travels to redirects, and what is answered to whoever answers.
"""

from collections.abc import Mapping

from idp.crypto import tokens
from idp.crypto.keys import KeyRing

SECONDS = 300  # at most ten minutes (JARM 2.1)
# That of any JWT: apps check no other. Nobody takes it for an ID token, as it has neither sub nor nonce.
TYPE = "JWT"
DEFAULT_ALG = "RS256"


def signed(
    keys: KeyRing, alg: str | None, answer: Mapping[str, str], *, issuer: str, client_id: str, now: float
) -> str:
    """answer: code or error, and state. iss stands inside (JARM 2.1, which takes the place of RFC 9207)."""
    claims = {"iss": issuer, "aud": client_id, "exp": int(now) + SECONDS, "iat": int(now), **answer}
    return tokens.sign(keys.signer("id_token", alg or DEFAULT_ALG), TYPE, claims)
