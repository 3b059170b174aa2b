"""What is in our tokens: ID tokens (OIDC Core 2), access tokens (RFC 9068, or opaque), signed and encrypted answers.

Leaves signing to idp.crypto.tokens, encrypting to idp.crypto.jwe, claims about people to services.release, and who may
have a token to grants.
"""

import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from idp.base import ids
from idp.base.claims import ACCESS_TOKEN_TYPE, CLIENT_ID, GRANT, SCOPE
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.crypto import tokens
from idp.crypto.algs import half_hash
from idp.crypto.jwe import DEFAULT_ENC, encrypt
from idp.crypto.keys import KeyRing
from idp.domain.grant import OpaqueToken
from idp.domain.narrowing import PARAMETER, Details
from idp.domain.relying import Client
from idp.services.check_token import OPAQUE_PREFIX
from idp.services.issue_grant import Issued
from idp.services.release import Release, audience

if TYPE_CHECKING:
    from joserfc.jwk import Key

ID_TOKEN_TYPE = "JWT"  # noqa: S105
LONGEST_ID_TOKEN_SECONDS = 86_400

Claims = dict[str, Any]
Confirmation = Mapping[str, str]
# (client, JWE alg) -> the public key of the client to encrypt to
EncryptionKey = Callable[[Client, str], "Key | None"]


@dataclass(frozen=True, slots=True)
class AccessToken:
    """expires_in: seconds from now. record: what must be stored for the token to be good, None for a JWT."""

    value: str = field(repr=False)
    expires_in: int
    record: OpaqueToken | None = field(default=None, repr=False)


class TokenMaker:
    def __init__(
        self,
        keys: KeyRing,
        clock: Clock,
        issuer: Callable[[], str],
        release: Release,
        *,
        id_token_seconds: int,
        encryption_key: EncryptionKey,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._issuer = issuer
        self._release = release
        self._id_token_seconds = id_token_seconds
        self._encryption_key = encryption_key

    # ---------------------------------------------------------------- access tokens

    def access_for_user(
        self, client: Client, issued: Issued, seconds: int, confirmation: Confirmation | None = None
    ) -> AccessToken:
        """At most as long as the grant lives. confirmation: the key that this request has proved; by default, that of the
        grant."""
        grant = issued.grant
        life = max(1, min(seconds, math.floor(grant.expires_at - self._clock())))
        who = self._release.for_apis(client, issued.user, issued.scopes, issued.audiences)
        who |= {GRANT: grant.id, **_sign_in(issued)}
        if grant.actor:
            who["act"] = dict(grant.actor)  # RFC 8693 4.1
        who |= _narrowed(issued.details)
        bound = grant.confirmation if confirmation is None else confirmation
        return self._access(client, issued.scopes, issued.audiences, life, who, bound)

    def access_for_client(
        self,
        client: Client,
        scopes: tuple[str, ...],
        audiences: tuple[str, ...],
        seconds: int,
        confirmation: Confirmation | None = None,
        details: Details = (),
    ) -> AccessToken:
        """The app acts for itself: sub is the client (RFC 9068 2.2). No grant is stored: it is revoked on its own."""
        return self._access(
            client, scopes, audiences, seconds, {"sub": client.id, **_narrowed(details)}, confirmation or {}
        )

    def _access(
        self,
        client: Client,
        scopes: tuple[str, ...],
        audiences: tuple[str, ...],
        seconds: int,
        who: Claims,
        confirmation: Confirmation,
    ) -> AccessToken:
        now, issuer = int(self._clock()), self._issuer()
        claims: Claims = {
            "iss": issuer,
            **who,
            "aud": audience(issuer, scopes, audiences),
            "exp": now + seconds,
            "iat": now,
            "jti": secrets.token_urlsafe(16),
            CLIENT_ID: client.id,
            SCOPE: " ".join(scopes),
        }
        if confirmation:
            claims["cnf"] = dict(confirmation)  # RFC 7800, 8705 3.1, 9449 6.1
        if client.access_token_format == "opaque":  # noqa: S105
            value = OPAQUE_PREFIX + ids.secret()
            record = OpaqueToken(ids.digest(value), client.id, claims, float(claims["exp"]), claims.get(GRANT))
            return AccessToken(value, seconds, record)
        value = tokens.sign(self._keys.signer("access_token"), ACCESS_TOKEN_TYPE, claims)
        if len(value) > tokens.MAX_TOKEN:  # others would take it, and here nobody could revoke it
            said = "The access token would be too long: ask for fewer scopes or resources."
            raise Refused("invalid_target", said, reason=f"{len(value)} characters for client {client.id}")
        return AccessToken(value, seconds)

    # ---------------------------------------------------------------- ID tokens

    def id_token(self, client: Client, issued: Issued, access: AccessToken, *, nonce: str | None) -> str:
        """aud is one string: clients that compare it as such are many. auth_time is that of the sign-in, at refresh too."""
        grant, now, alg = issued.grant, int(self._clock()), client.id_token_signed_response_alg
        life = min(client.id_token_seconds or self._id_token_seconds, LONGEST_ID_TOKEN_SECONDS)
        claims: Claims = {
            "iss": self._issuer(),
            **self._release.to("id_token", client, issued.user, issued.scopes, grant.claims),
            "aud": client.id,
            "exp": now + life,
            "iat": now,
            **_sign_in(issued),
            "at_hash": half_hash(access.value, alg),
        }
        if grant.session_sid is not None:
            claims["sid"] = self._release.sid(client, grant.session_sid)
        if nonce is not None:
            claims["nonce"] = nonce
        token = tokens.sign(self._keys.signer("id_token", alg), ID_TOKEN_TYPE, claims)
        how = client.id_token_encrypted_response_alg
        if how is None:
            return token
        return self.encrypted(client, token, how, client.id_token_encrypted_response_enc, cty="JWT")

    def read_id_token(self, token: str) -> Claims | None:
        """An ID token of ours as a hint: it may have expired (RP-Initiated Logout 2). None for any other token, and for
        other answers that the same key signs, which have no `exp` or no `sub`."""
        claims = tokens.read(self._keys, token, use="id_token", typ=ID_TOKEN_TYPE)
        good = claims is not None and claims.get("iss") == self._issuer() and claims.keys() >= {"sub", "exp"}
        good = good and claims is not None and "events" not in claims
        return claims if good else None

    # ---------------------------------------------------------------- other answers

    def signed(self, typ: str, alg: str, claims: Claims) -> str:
        """A signed answer for an app; the claims say for whom."""
        return tokens.sign(self._keys.signer("id_token", alg), typ, claims)

    def encrypted(self, client: Client, payload: str, alg: str, enc: str | None, *, cty: str | None) -> str:
        """For the key that the client has registered or publishes. Never falls back to clear text.

        Raises Refused(unauthorized_client): the client has no key that fits.
        """
        key = self._encryption_key(client, alg)
        if key is None:
            raise Refused(
                "unauthorized_client",
                "This app is registered for encrypted answers, and there is no key of it to encrypt to.",
                reason=f"client {client.id}: no key for {alg} in its jwks or jwks_uri",
            )
        return encrypt(payload, key, alg, enc or DEFAULT_ENC, cty=cty)  # type: ignore[arg-type]


def _narrowed(details: Details) -> Claims:
    """RFC 9396 9.1."""
    return {PARAMETER: list(details)} if details else {}


def _sign_in(issued: Issued) -> Claims:
    """How and when the person signed in, as far as it is known (RFC 9068 2.2.1, OIDC Core 2)."""
    grant = issued.grant
    said: Claims = {"acr": grant.acr} if grant.acr is not None else {}
    if grant.amr:
        said["amr"] = list(grant.amr)
    if grant.auth_time is not None:
        said["auth_time"] = int(grant.auth_time)
    return said
