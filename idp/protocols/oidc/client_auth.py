"""Client authentication (RFC 6749 2.3, RFC 7523, OIDC Core 9, RFC 8705): exactly one method, the registered one.

An unknown client and a wrong credential get the same answer for the same work. What exactly is wrong is told only to who
has proved to be the client. Leaves assertions as such to assertions, certificates to mtls, keys to client_keys.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from idp.base import ids
from idp.base.errors import Refused
from idp.base.jws import ASYMMETRIC, HMAC, Opened, mac_by, public_key, same_alg, signed_by
from idp.base.waiting import about_to_wait
from idp.crypto.seal import SealBroken
from idp.domain.profile import Rules, rules
from idp.domain.relying import Client
from idp.http.machine import Asked
from idp.protocols.oidc import mtls
from idp.protocols.oidc.assertions import CLIENT_TYPES, BadAssertion, check_claims, good_until, jti_of, read
from idp.protocols.oidc.door import Door
from idp.protocols.oidc.params import Params

MAX_HEADER = 4096
MAX_CLIENT_ID = 256
MAX_KEYS_TRIED = 8
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SIGNING_ALGS = (*ASYMMETRIC, *HMAC)
_NOBODY = ids.digest(ids.secret())  # of no secret that anybody knows
_NO_SECRET = ids.secret().encode()
# Public keys that spend the time of a verification when there is no client: whatever they say, the answer is no.
_P256 = ("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")
_P384 = (
    "qofKIr6LBTeOscce8yCtdG4dO2KLp5uYWfdB4IJUKjhVAvJdv1UpbDpUXjhydgq3",
    "NhfeSpYmLG9dnpi_kpLcKfj0Hb0omhR86doxE7XwuMAKYLHOHX6BnXpDHXyQ6g5f",
)
_STAND_INS = {
    "ES256": {"kty": "EC", "crv": "P-256", "x": _P256[0], "y": _P256[1]},
    "ES384": {"kty": "EC", "crv": "P-384", "x": _P384[0], "y": _P384[1]},
    "RSA": {"kty": "RSA", "e": "AQAB", "n": base64.urlsafe_b64encode(b"\xc5" * 255 + b"\x01").rstrip(b"=").decode()},
    "Ed25519": {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
}
_STAND_IN_FOR = {"ES256": "ES256", "ES384": "ES384", "RS256": "RSA", "PS256": "RSA"}


@dataclass(frozen=True, slots=True)
class Given:
    """What a request presents. way: basic, post, assertion, or bare (a client_id and no credential in the request)."""

    way: str
    client_id: str
    secret: str = field(default="", repr=False)
    assertion: Opened | None = None

    @property
    def method(self) -> str:
        """Its name in RFC 7591."""
        if self.assertion is not None:
            return "client_secret_jwt" if self.assertion.alg in HMAC else "private_key_jwt"
        return {"basic": "client_secret_basic", "post": "client_secret_post"}.get(self.way, "none")


def authenticate(door: Door, asked: Asked, params: Params) -> Client:
    """The client behind a request, with public clients. Raises Refused(invalid_client | invalid_request)."""
    given = presented(asked, params)
    known = 0 < len(given.client_id) <= MAX_CLIENT_ID
    client = door.client(given.client_id) if known else None
    if given.way == "assertion":
        about_to_wait()  # here, and not only when its jti is taken: nothing is verified twice
        return _by_assertion(door, asked, given, client)
    if given.way == "bare":
        return _bare(door, asked, given, client)
    return _by_secret(door, given, client)


def authenticate_confidential(door: Door, asked: Asked, params: Params) -> Client:
    """For endpoints that tell about others' tokens (RFC 7662 2.1)."""
    client = authenticate(door, asked, params)
    if client.is_public:
        raise Refused("invalid_client", "This endpoint is for apps that have a secret.", status=401)
    return client


# ---------------------------------------------------------------- what is presented


def presented(asked: Asked, params: Params) -> Given:
    """Raises Refused(invalid_request) when two ways are used at once, Refused(invalid_client) when there is none."""
    header, client_id, secret = asked.headers.get("authorization"), params.get("client_id"), params.get("client_secret")
    has_assertion = "client_assertion" in params or "client_assertion_type" in params
    if (header is not None) + (secret is not None) + has_assertion > 1:
        raise Refused("invalid_request", "Authenticate the app in one way only.", reason="several credentials")
    if header is not None:
        given = _basic(header)
    elif has_assertion:
        given = _assertion(params)
    elif client_id is None:
        raise Refused("invalid_client", "Say which app this is: authenticate it.", status=401, headers=_CHALLENGE)
    elif secret is not None:
        return Given("post", client_id, secret)
    else:
        return Given("bare", client_id)
    if client_id not in (None, given.client_id):
        raise Refused("invalid_request", "client_id is not the app that authenticates.")
    return given


def _basic(header: str) -> Given:
    """RFC 6749 2.3.1: both halves are form-encoded first. Anything malformed is a failed authentication, never a fault."""
    scheme, _, value = header.partition(" ")
    try:
        if scheme.lower() != "basic" or len(value) > MAX_HEADER:
            raise ValueError
        name, colon, secret = base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
        if not colon:
            raise ValueError
        return Given("basic", unquote_plus(name, errors="strict"), unquote_plus(secret, errors="strict"))
    except (ValueError, binascii.Error):
        raise _refused(Given("basic", ""), "the Authorization header cannot be read") from None


def _assertion(params: Params) -> Given:
    """RFC 7521 4.2: the client is whom the assertion is about. It is not believed yet."""
    nobody = Given("assertion", params.get("client_id", ""))
    if params.get("client_assertion_type") != ASSERTION_TYPE:
        raise _refused(
            nobody, "client_assertion_type is not that of JWTs", f"client_assertion_type is {ASSERTION_TYPE}."
        )
    try:
        jws = read(params.get("client_assertion", ""), CLIENT_TYPES)
    except BadAssertion as bad:
        raise _refused(nobody, bad.reason) from None
    about = jws.claims.get("sub")
    if not isinstance(about, str) or jws.claims.get("iss") != about:
        raise _refused(nobody, f"iss and sub are not both the client: sub {about!r:.100}")
    return Given("assertion", about, assertion=jws)


# ---------------------------------------------------------------- is it the client?


def _by_secret(door: Door, given: Given, client: Client | None) -> Client:
    """A rotated secret works next to the new one until its time is over."""
    digest = ids.digest(given.secret)
    fits = hmac.compare_digest(digest, (client.secret_digest if client else None) or _NOBODY)
    old = hmac.compare_digest(digest, (client.old_secret_digest if client else None) or _NOBODY)
    if client is None:
        raise _refused(given, "unknown client")
    if client.auth_method == "none":
        raise _refused(given, f"{given.method} used, none registered")
    if not (fits or (old and _still(door, client))):
        raise _refused(given, "wrong secret" if not old else "the old secret, after its time")
    return _as_registered(given, client)


def _still(door: Door, client: Client) -> bool:
    return client.old_secret_until is not None and door.parts.clock() < client.old_secret_until


def _bare(door: Door, asked: Asked, given: Given, client: Client | None) -> Client:
    if client is not None and client.auth_method == "none":
        return client
    if client is None or client.auth_method not in mtls.METHODS:
        raise _refused(given, "unknown client" if client is None else f"none used, {client.auth_method} registered")
    shown = door.proxies.shown(asked.peer, asked.headers)
    why = mtls.proves(client, shown, lambda: door.client_keys.all(client), door.parts.clock())
    if why:
        raise _refused(given, why)
    return _allowed(given, client)


def _by_assertion(door: Door, asked: Asked, given: Given, client: Client | None) -> Client:
    jws = given.assertion
    assert jws is not None
    proved = _mac_is_good(door, jws, client) if jws.alg in HMAC else _signature_is_good(door, jws, client)
    if client is None or not proved:
        raise _refused(given, "unknown client" if client is None else f"alg {jws.alg[:20]!r}: no key or secret fits")
    demanded = rules(client)
    _check_alg(given, client, demanded, jws.alg)
    client = _as_registered(given, client)
    now = door.parts.clock()
    try:
        check_claims(jws.claims, _audience(door, asked, demanded), now, one_string=demanded.issuer_audience)
        jti = jti_of(jws.claims)
    except BadAssertion as bad:
        raise _refused(given, bad.reason, bad.message) from None
    if client.jwks_uri is not None:
        door.client_keys.all(client)  # fetched now: up to here the request may be run once more (idp.base.waiting)
    # Last of all: nobody but the client can use up its jti.
    if not door.once.first("client_assertion", client.id, jti, good_until(jws.claims, now) + 1):
        raise _refused(given, "jti was used before", "The assertion was used before: make one for each request.")
    return client


def _mac_is_good(door: Door, jws: Opened, client: Client | None) -> bool:
    """With the client's secret and nothing else: its public keys are no secrets (RFC 8725 2.1)."""
    old = client.old_sealed_secret if client is not None and _still(door, client) else None
    sealed = (client.sealed_secret if client is not None else None, old)
    found = [mac_by(jws, _opened_secret(door, client, one)) for one in sealed]
    return client is not None and any(found)


def _opened_secret(door: Door, client: Client | None, sealed: str | None) -> bytes:
    if client is None or sealed is None:
        return _NO_SECRET
    try:
        return door.parts.seal.open(sealed, owner=client.id, field="secret").encode()
    except SealBroken:
        return _NO_SECRET


def _signature_is_good(door: Door, jws: Opened, client: Client | None) -> bool:
    if jws.alg not in ASYMMETRIC:
        return False
    keys = door.client_keys.signing(client, jws.kid, jws.alg) if client is not None else []
    stand_in = public_key(_STAND_INS[_STAND_IN_FOR.get(jws.alg, "Ed25519")])
    found = [signed_by(jws, key) for key in keys[:MAX_KEYS_TRIED] or [stand_in]]
    return bool(keys) and any(found)


# ---------------------------------------------------------------- may it be done so?


def _check_alg(given: Given, client: Client, demanded: Rules, alg: str) -> None:
    pinned = client.auth_signing_alg
    if pinned is not None and not same_alg(pinned, alg):
        raise _refused(
            given, f"alg {alg}, {pinned} registered", f"This app is registered for assertions with {pinned}."
        )
    if demanded.signing_algs is not None and alg not in demanded.signing_algs:
        raise _refused(given, f"profile {client.profile}, alg {alg}", f"This app's profile does not allow {alg}.")


def _as_registered(given: Given, client: Client) -> Client:
    """Only who has proved to be the client learns what is registered."""
    if client.auth_method != given.method:
        said = f"This app is registered for {client.auth_method}."
        raise _refused(given, f"{given.method} used, {client.auth_method} registered", said)
    return _allowed(given, client)


def _allowed(given: Given, client: Client) -> Client:
    methods = rules(client).auth_methods
    if methods is not None and client.auth_method not in methods:
        said = f"This app's profile does not allow {client.auth_method}."
        raise _refused(given, f"profile {client.profile}, {client.auth_method} registered", said)
    return client


def _audience(door: Door, asked: Asked, demanded: Rules) -> set[str]:
    """The issuer; for apps without a profile that demands it, also the token endpoint and the one that is asked: those are
    what OIDC Core 9 and RFC 9126 2 once said."""
    issuer = door.parts.installation.issuer
    if demanded.issuer_audience:
        return {issuer}
    bases = mtls.bases(door.parts.settings, issuer)
    return {issuer, *(base + path for base in bases for path in ("/token", asked.path))}


_CHALLENGE = {"WWW-Authenticate": 'Basic realm="token", charset="UTF-8"'}


def _refused(given: Given, reason: str, message: str = "The app could not be authenticated.") -> Refused:
    headers = _CHALLENGE if given.way == "basic" else None
    return Refused(
        "invalid_client", message, status=401, reason=f"client {given.client_id[:100]!r}: {reason}", headers=headers
    )
