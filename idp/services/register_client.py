"""Apps that register themselves (RFC 7591, RFC 7592): who may, what they may ask for, and who may change it later.

Leaves the form of requests and answers to the OIDC door, and every rule that holds for all clients to check_client. What
only an operator may give (audiences, consent=skip, roles, other grants, further scopes) no request from outside can set, and
what an operator has given stays when the app changes its registration.
"""

import hmac
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, NoReturn
from urllib.parse import urlsplit

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.net import is_loopback_url
from idp.base.secret import Secret
from idp.base.sections import Registration as Settings
from idp.domain.metadata import CODE, DEVICE, bad, has_secret, is_private_use
from idp.domain.relying import Client, InitialAccessToken
from idp.services.initial_tokens import InitialTokens
from idp.services.manage_apps import Apps
from idp.services.subjects import sector
from idp.services.throttle import Throttles, origin

PEOPLE_GRANTS = (CODE, DEVICE)
SELF_GRANTS = (*PEOPLE_GRANTS, "refresh_token", "client_credentials")
# What an app may say of itself; everything else of Client is the operator's.
OWN_FIELDS = frozenset(
    {
        *("name", "auth_method", "redirect_uris", "post_logout_redirect_uris", "grant_types", "scopes"),
        *("application_type", "auth_signing_alg", "jwks", "jwks_uri"),
        *("tls_client_auth_subject_dn", "tls_client_auth_san_dns", "tls_client_auth_san_uri"),
        *("tls_client_auth_san_ip", "tls_client_auth_san_email"),
        *("require_pushed_authorization_requests", "require_signed_request_object", "request_object_signing_alg"),
        *("request_uris", "default_max_age", "default_acr_values", "require_auth_time"),
        *("tls_client_certificate_bound_access_tokens", "dpop_bound_access_tokens"),
        *("id_token_signed_response_alg", "id_token_encrypted_response_alg", "id_token_encrypted_response_enc"),
        *("userinfo_signed_response_alg", "userinfo_encrypted_response_alg", "userinfo_encrypted_response_enc"),
        *("authorization_signed_response_alg", "introspection_signed_response_alg"),
        *("subject_type", "sector_identifier_uri"),
        *("backchannel_logout_uri", "backchannel_logout_session_required"),
        *("frontchannel_logout_uri", "frontchannel_logout_session_required"),
        *("logo_uri", "client_uri", "policy_uri", "tos_uri", "contacts", "initiate_login_uri"),
        *("software_id", "software_version"),
    }
)
_DEFAULTS: dict[str, Any] = {
    one.name: one.default for one in fields(Client) if one.name in OWN_FIELDS and one.default is not MISSING
}
_NOBODY = ids.digest("no app has this token")
FREE_REFUSALS = 20  # tokens that are not good, from one address
TRIES = 10


@dataclass(frozen=True, slots=True)
class Registered:
    """token: opens this registration; secret: of the client, None when there is none or it did not change."""

    client: Client
    secret: Secret | None = None
    token: Secret | None = field(default=None, repr=False)


class Registration:
    def __init__(
        self, apps: Apps, initial: InitialTokens, throttles: Throttles, clock: Clock, settings: Settings
    ) -> None:
        self._apps = apps
        self._initial = initial
        self._throttles = throttles
        self._clock = clock
        self._settings = settings

    @property
    def open(self) -> bool:
        return self._settings.mode != "closed"

    def admitted(self, token: str | None, address: str) -> InitialAccessToken | None:
        """May whoever asks register an app? None: yes, as anybody may.

        Raises Refused(registration_closed | invalid_token | too_many_attempts).
        """
        self._check_open()
        refusals, registrations = _key("register-refused", address), _key("register", address)
        self._throttles.check(refusals)
        if token is None and self._settings.mode == "open":
            self._throttles.check(registrations)
            # Counted before anything is looked at: a registration may make us ask another server.
            self._throttles.fail(registrations, self._settings.burst)
            return None
        found = self._initial.find(token) if token is not None else None
        if found is None:
            self._refuse(token, refusals, "no initial access token" if token is None else "unknown, expired or used up")
        return found

    def add(
        self, own: Mapping[str, Any], initial: InitialAccessToken | None, software: str | None = None
    ) -> Registered:
        """own: fields of Client that the app asks for, of OWN_FIELDS only, each of its type. software: who vouches for it.

        Raises Refused(invalid_client_metadata | invalid_redirect_uri | invalid_token).
        """
        token = Secret(ids.secret())
        blank = Client(
            id=ids.public_id("app"),
            name="",
            created_at=float(int(self._clock())),
            scopes=(),
            grant_types=(),
            pkce_required=self._settings.require_pkce,
            # Its tokens say of nobody what role or group they have, until an operator says otherwise.
            roles=(),
            groups=(),
            registration_token_digest=ids.digest(token.reveal()),
        )
        wanted = self._apps.check(self._as_asked(blank, own))
        if initial is not None and not self._initial.take(initial.id):
            self._refuse("", None, "the initial access token was used up meanwhile")
        detail = {"token": initial.name if initial else None, "software": software}
        client, secret = self._apps.add_checked(wanted, actor=wanted.id, event="client.registered", detail=detail)
        return Registered(client, secret, token)

    def opened(self, client_id: str, token: str | None, address: str) -> Client:
        """The client whose registration this token opens. Unknown clients and wrong tokens are answered alike.

        Raises Refused(registration_closed | invalid_token | too_many_attempts).
        """
        self._check_open()
        refusals = _key("register-refused", address)
        self._throttles.check(refusals)
        client = self._apps.client(client_id) if 0 < len(client_id) <= 256 else None
        kept = client.registration_token_digest if client else None
        right = hmac.compare_digest(ids.digest(token or ""), kept or _NOBODY)
        if client is None or kept is None or not right:
            self._refuse(token, refusals, f"client {client_id[:100]!r}: not its registration access token")
        return client

    def change(self, client: Client, own: Mapping[str, Any], address: str) -> Registered:
        """own replaces everything that the app has said before (RFC 7592 2.2).

        Raises Refused(invalid_client_metadata | invalid_redirect_uri | invalid_token | changed_meanwhile | too_many_attempts).
        """
        if own.get("sector_identifier_uri"):  # it makes us ask another server, like a registration
            self._throttles.check(_key("register", address))
            self._throttles.fail(_key("register", address), self._settings.burst)
        for _ in range(TRIES):
            wanted = self._as_asked(client, own)
            try:
                if has_secret(wanted) and _needs_new_secret(client, wanted):
                    return Registered(*self._apps.change_client_with_new_secret(wanted, actor=client.id))
                return Registered(self._apps.change_client(wanted, actor=client.id))
            except Refused as refused:
                if refused.code != "changed_meanwhile":
                    raise
            found = self._apps.client(client.id)
            if found is None or found.registration_token_digest != client.registration_token_digest:
                self._refuse("", None, f"client {client.id}: removed meanwhile")
            client = found
        raise Refused("changed_meanwhile", "It is changed by others all the time. Try again.", status=409)

    def remove(self, client: Client) -> None:
        """Raises Refused(invalid_token) for the second of two who do it at once."""
        try:
            self._apps.remove_client(client.id, actor=client.id)
        except Refused:
            self._refuse("", None, f"client {client.id}: removed meanwhile")

    # ---------------------------------------------------------------- what it may have

    def _as_asked(self, before: Client, own: Mapping[str, Any]) -> Client:
        """`before` with what the app asks for; its other own fields as if it had never said them."""
        given = {**_DEFAULTS, **own}
        given["grant_types"] = own.get("grant_types", (CODE,))
        given["scopes"] = own["scopes"] if "scopes" in own else self._all_scopes(given["grant_types"])
        given.setdefault("name", _place(given) or "App without a name")
        if "application_type" not in own and given["auth_method"] == "none" and _is_native(given["redirect_uris"]):
            # RFC 7591 knows no application_type, and apps on people's devices leave it out.
            given["application_type"] = "native"
        wanted = replace(before, **given)
        self._check_grants(wanted, before)
        self._check_scopes(wanted, before)
        self._check_names(wanted, before)
        return replace(wanted, pkce_required=before.pkce_required or wanted.is_public)

    def _check_grants(self, wanted: Client, before: Client) -> None:
        if not wanted.grant_types:
            raise bad("grant_types", "an app registers for at least one")
        for grant in wanted.grant_types:
            if grant not in SELF_GRANTS and grant not in before.grant_types:
                raise bad("grant_types", f"an app that registers itself may have {', '.join(SELF_GRANTS)}")
        if "client_credentials" not in wanted.grant_types:
            return
        # No person allows what a client does for itself, so nothing is allowed: it can prove who it is, and no more. Only
        # what an operator has put beside it stays, and nothing comes to that.
        given = before if "client_credentials" in before.grant_types else None
        people = set(wanted.grant_types) & set(PEOPLE_GRANTS)
        if set(wanted.scopes) - set(given.scopes if given else ()) or people - set(given.grant_types if given else ()):
            raise bad(
                "grant_types",
                "an app that registers itself may have client_credentials without a scope and without other grants only",
            )

    def _check_names(self, wanted: Client, before: Client) -> None:
        """Pairwise names are those of a host, and nothing shows here that it is the app's own: only the code that is sent
        there does. So there is no way around it, and no moving to it with tokens in hand (OIDC Core 8.1, 12.2)."""
        if wanted.subject_type != "pairwise":
            return
        same = before.subject_type == "pairwise" and sector(wanted) == sector(before)
        if before.grant_types and not same:
            raise bad("subject_type", "the names of people would be others than before; register anew")
        if DEVICE in wanted.grant_types and not (same and DEVICE in before.grant_types):
            raise bad("subject_type", "an app that registers itself for devices knows people by public names")

    def _check_scopes(self, wanted: Client, before: Client) -> None:
        allowed = {*self._settings.scopes, *before.scopes}
        for scope in wanted.scopes:
            if scope not in allowed:
                raise bad("scopes", f"{scope[:100]!r} is not for apps that register themselves")

    def _all_scopes(self, grants: tuple[str, ...]) -> tuple[str, ...]:
        """What an app gets that names none."""
        if not set(grants) & set(PEOPLE_GRANTS):
            return ()
        return tuple(one for one in self._settings.scopes if one != "offline_access" or "refresh_token" in grants)

    # ---------------------------------------------------------------- refusals

    def _check_open(self) -> None:
        if not self.open:
            raise Refused("registration_closed", "Apps are registered by an administrator here.", status=403)

    def _refuse(self, token: str | None, counted: str | None, reason: str) -> NoReturn:
        """The same words whatever was wrong; `token` None when none was sent at all (RFC 6750 3.1)."""
        if counted is not None:
            self._throttles.fail(counted, FREE_REFUSALS)
        raise Refused(
            "invalid_token",
            "Registration needs a token that is good for it.",
            status=401,
            reason=reason,
            headers={"WWW-Authenticate": "Bearer" if token is None else 'Bearer error="invalid_token"'},
        )


def _needs_new_secret(before: Client, wanted: Client) -> bool:
    sealed = wanted.auth_method == "client_secret_jwt"
    return before.secret_digest is None or not has_secret(before) or (sealed and before.sealed_secret is None)


def _is_native(uris: tuple[str, ...]) -> bool:
    """Only addresses on the device itself (RFC 8252 section 7)."""
    return bool(uris) and all(
        is_private_use(uri) or (uri.startswith("http://") and is_loopback_url(uri)) for uri in uris
    )


def _place(given: Mapping[str, Any]) -> str:
    """Where the app is at home, for people who are asked about an app without a name."""
    for uri in (given["client_uri"], *given["redirect_uris"]):
        try:
            host = urlsplit(uri).hostname if isinstance(uri, str) else None
            if host:
                return host[:200]
        except ValueError:
            continue
    return ""


def _key(kind: str, address: str) -> str:
    return f"{kind}:{origin(address)}"
