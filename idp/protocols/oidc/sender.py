"""Sender-constrained tokens (DPoP RFC 9449, mTLS RFC 8705 3): to whom a token is bound, and whether it is used by them.

Leaves proofs to idp.base.dpop, certificates to idp.base.mtls, and comparing with the key of a code or refresh token to grants.
"""

from collections.abc import Callable, Mapping
from typing import Any

from idp.base.binding import JKT, X5T, NotTheSender, Use, check
from idp.base.claims import CLIENT_ID
from idp.base.dpop import ALGS, Proof, verify
from idp.base.errors import Refused
from idp.base.waiting import about_to_wait
from idp.domain.profile import Rules, rules
from idp.domain.relying import Client
from idp.http.machine import Asked, Told
from idp.protocols.oidc import mtls
from idp.protocols.oidc.door import Door


def confirmation(door: Door, asked: Asked, client: Client) -> dict[str, str]:
    """The `cnf` of the tokens that this request gets; empty for bearer tokens. Call it after the client is authenticated.

    Raises Refused(invalid_dpop_proof | use_dpop_nonce | invalid_request), also when what the client or its profile
    demands is missing.
    """
    demanded = rules(client)
    bound: dict[str, str] = {}
    if "dpop" in asked.headers:
        bound[JKT] = _proved(door, asked, _algs(demanded)).jkt
    elif client.dpop_bound_access_tokens:
        message = "This app is registered for DPoP: send a proof."
        raise Refused("invalid_dpop_proof", message)
    if client.tls_client_certificate_bound_access_tokens or (demanded.sender_constrained and not bound):
        shown = door.proxies.shown(asked.peer, asked.headers)
        if shown is not None:
            bound[X5T] = shown.thumbprint
        elif client.tls_client_certificate_bound_access_tokens:
            raise Refused("invalid_request", "This app's tokens are bound to its certificate: show it.")
    if demanded.sender_constrained and not bound:
        raise Refused(
            "invalid_request", "This app's profile wants bound tokens: send a DPoP proof or show a certificate."
        )
    return bound


def check_use(door: Door, asked: Asked, claims: Mapping[str, Any], token: str) -> None:
    """Is this token, which is good, used by the one it is bound to, and in the way that fits? Raises Refused, 401."""
    if "cnf" not in claims and _scheme(asked) != "dpop":
        return
    about_to_wait()  # its proof is taken once
    issuer, now = door.parts.installation.issuer, door.parts.clock()
    shown = door.proxies.shown(asked.peer, asked.headers)
    client = door.client(claims[CLIENT_ID])
    use = Use(
        scheme=_scheme(asked),
        method=asked.method,
        urls=_addresses(door, asked),
        proof=asked.headers.get("dpop"),
        thumbprint=shown.thumbprint if shown else None,
        algs=ALGS if client is None else _algs(rules(client)),
    )
    try:
        check(claims, token, use, now, first=lambda proof: _first(door, proof), nonces=door.nonces)
    except NotTheSender as wrong:
        headers = dict(wrong.headers)
        if use.scheme != "dpop" and JKT not in (claims.get("cnf") or ()):
            headers["WWW-Authenticate"] = f'Bearer realm="{issuer}", error="{wrong.error}"'
        raise Refused(wrong.error, wrong.message, status=401, reason=wrong.reason, headers=headers) from None


def with_nonce(run: Callable[[Door, Asked], Told]) -> Callable[[Door, Asked], Told]:
    """The endpoint, with the nonce for the next proof on every answer to a request with DPoP, good or bad, while nonces
    are demanded (RFC 9449 8.2)."""

    def ran(door: Door, asked: Asked) -> Told:
        try:
            told = run(door, asked)
        except Refused as refused:
            if _uses_dpop(asked) or refused.code == "invalid_dpop_proof":
                refused.headers.update(_nonce(door))
            raise
        if _uses_dpop(asked):
            told.headers.extend(_nonce(door).items())
        return told

    return ran


def _uses_dpop(asked: Asked) -> bool:
    return "dpop" in asked.headers or _scheme(asked) == "dpop"


def _nonce(door: Door) -> dict[str, str]:
    return {} if door.nonces is None else {"DPoP-Nonce": door.nonces.current(door.parts.clock())}


def _proved(door: Door, asked: Asked, algs: tuple[str, ...]) -> Proof:
    about_to_wait()  # it is taken once
    now = door.parts.clock()
    proof = verify(asked.headers["dpop"], asked.method, _addresses(door, asked), now, nonces=door.nonces, algs=algs)
    if not _first(door, proof):
        raise Refused("invalid_dpop_proof", "This DPoP proof was used before: make one for each request.")
    return proof


def _first(door: Door, proof: Proof) -> bool:
    return door.once.first("dpop", proof.jkt, proof.jti, proof.forget_at)


def _algs(demanded: Rules) -> tuple[str, ...]:
    """Those for proofs: the profile counts wherever one is shown (FAPI 2.0 Security Profile 5.4.1)."""
    return ALGS if demanded.signing_algs is None else tuple(alg for alg in ALGS if alg in demanded.signing_algs)


def _scheme(asked: Asked) -> str:
    return asked.headers.get("authorization", "").partition(" ")[0].lower()


def _addresses(door: Door, asked: Asked) -> list[str]:
    """From the settings: the Host header is whatever the sender wants."""
    return [base + asked.path for base in mtls.bases(door.parts.settings, door.parts.installation.issuer)]
