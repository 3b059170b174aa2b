"""Is a sender-constrained access token used by the one it is bound to? (`cnf`: RFC 9449 6 and 7, RFC 8705 3)

Pure, for every resource of ours. A token is bound to all keys that its `cnf` names; a name that we do not understand binds
it as well, so it is refused. Leaves reading tokens and telling refusals to the doors.
"""

import hmac
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from idp.base.dpop import ALGS, Nonces, Proof, verify
from idp.base.errors import Refused

JKT = "jkt"
X5T = "x5t#S256"


class NotTheSender(Exception):  # noqa: N818  (as for every refusal)
    """error: invalid_token, invalid_dpop_proof or use_dpop_nonce; headers: with the challenge of RFC 9449 7.1."""

    def __init__(self, error: str, message: str, reason: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{error}: {reason or message}")
        self.error = error
        self.message = message
        self.reason = reason or message
        self.headers = {**(headers or {}), "WWW-Authenticate": challenge(error)}


@dataclass(frozen=True, slots=True)
class Use:
    """How a request uses its token. scheme: of the Authorization header, in lower case, empty when the token came in the
    body. proof: the DPoP header. urls: every address of what is asked. thumbprint: of the client's certificate. algs: that
    the proof may be signed with."""

    scheme: str
    method: str
    urls: Collection[str]
    proof: str | None = field(default=None, repr=False)
    thumbprint: str | None = None
    algs: Collection[str] = ALGS


def challenge(error: str = "") -> str:
    named = f'error="{error}", ' if error else ""
    return f'DPoP {named}algs="{" ".join(ALGS)}"'


def check(
    claims: Mapping[str, Any],
    token: str,
    use: Use,
    now: float,
    *,
    first: Callable[[Proof], bool],
    nonces: Nonces | None = None,
) -> None:
    """first: accepts a proof once (its jkt and jti, until forget_at). Raises NotTheSender."""
    bound = _bound(claims)
    if JKT not in bound and use.scheme == "dpop":
        raise NotTheSender("invalid_token", "This access token is not bound to a DPoP key: send it as a bearer token.")
    if X5T in bound and not _same(bound[X5T], use.thumbprint):
        shown = "another one" if use.thumbprint else "none that we can believe"
        message = "This access token is bound to a client certificate: use it with that one."
        raise NotTheSender("invalid_token", message, f"the certificate of this request is {shown}")
    if JKT in bound:
        _check_proof(bound[JKT], token, use, now, first, nonces)


def _bound(claims: Mapping[str, Any]) -> Mapping[str, str]:
    found = claims.get("cnf")
    if found is None and "cnf" not in claims:
        return {}
    if not isinstance(found, dict) or not found or not found.keys() <= {JKT, X5T}:
        raise NotTheSender("invalid_token", "This access token is bound in a way that is not understood here.")
    if not all(isinstance(value, str) and value for value in found.values()):
        raise NotTheSender("invalid_token", "This access token is bound in a way that is not understood here.")
    return found


def _check_proof(
    jkt: str, token: str, use: Use, now: float, first: Callable[[Proof], bool], nonces: Nonces | None
) -> None:
    if use.scheme != "dpop":
        raise NotTheSender("invalid_token", "This access token is bound to a DPoP key: send it with the scheme DPoP.")
    if use.proof is None:
        raise NotTheSender("invalid_dpop_proof", "Send a DPoP proof with this access token.")
    try:
        proof = verify(use.proof, use.method, use.urls, now, access_token=token, nonces=nonces, algs=use.algs)
    except Refused as refused:
        raise NotTheSender(refused.code, refused.message, refused.reason, refused.headers) from None
    if not _same(jkt, proof.jkt):
        raise NotTheSender("invalid_token", "This access token is bound to another DPoP key.")
    if not first(proof):
        raise NotTheSender("invalid_dpop_proof", "This DPoP proof was used before: make one for each request.")


def _same(one: str, other: str | None) -> bool:
    return other is not None and hmac.compare_digest(one.encode(), other.encode())
