"""Is this client one that we accept? Every field, one named check a rule; each refusal begins with the name of the field.

Leaves addresses to client_uris, key sets to idp.crypto.client_jwks, what a profile demands to idp.domain.profile, and
storing to manage_apps.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from idp.base.net import NetPolicy
from idp.crypto import client_jwks
from idp.domain import metadata
from idp.domain.metadata import bad
from idp.domain.profile import rules
from idp.domain.relying import Client
from idp.domain.upstream import bad_ways
from idp.services.client_tls import check_tls_subject
from idp.services.client_uris import check_sector, check_uris

DAY = 86_400
# field: longest list, longest member
LISTS = {
    "redirect_uris": (100, 2000),
    "post_logout_redirect_uris": (100, 2000),
    "request_uris": (50, 2000),
    "grant_types": (10, 100),
    "scopes": (200, 200),
    "audiences": (100, 500),
    "default_acr_values": (20, 200),
    "claims": (200, 200),
    "roles": (200, 200),
    "groups": (200, 200),
    "contacts": (20, 254),
    "upstreams": (100, 32),
}
SECONDS = {
    "access_token_seconds": (10, DAY),
    "id_token_seconds": (10, DAY),
    "refresh_token_seconds": (60, 3650 * DAY),
    "default_max_age": (0, 3650 * DAY),
}
TEXTS = {"name": 200, "software_id": 200, "software_version": 200}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a check must know besides the client. certificates: can certificates of clients reach us? policy: how other
    servers are asked. prepare: makes ready the keys that sign the app's answers (KeyRing.prepare)."""

    certificates: bool = False
    policy: Callable[[], NetPolicy] = NetPolicy
    prepare: Callable[..., None] = lambda *algs: None


def check_client(client: Client, around: Surroundings | None = None) -> None:
    """Raises Refused(invalid_client_metadata | invalid_redirect_uri). Asks no other server."""
    for check in CHECKS:
        check(client)
    if not (around or Surroundings()).certificates:
        needs_no_certificates(client)


# ---------------------------------------------------------------- forms


@cache
def _hints() -> dict[str, Any]:
    return get_type_hints(Client)


def types_are_right(client: Client) -> None:
    """Whatever door it came through."""
    for one in fields(Client):
        if not _conforms(getattr(client, one.name), _hints()[one.name]):
            raise bad(one.name, f"this is none of its values{_choices(_hints()[one.name])}")


def _conforms(value: object, wanted: Any) -> bool:
    origin = get_origin(wanted)
    if origin in (Union, UnionType):
        return any(_conforms(value, one) for one in get_args(wanted))
    if origin is Literal:
        return isinstance(value, str) and value in get_args(wanted)
    if origin is tuple:
        return isinstance(value, tuple) and all(isinstance(one, str) for one in value)
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is (NoneType if wanted is None else wanted)


def _choices(wanted: Any) -> str:
    return f"; use one of {', '.join(repr(one) for one in get_args(wanted))}" if get_origin(wanted) is Literal else ""


def texts_are_short(client: Client) -> None:
    if not 1 <= len(client.id) <= 256 or any(not (" " <= c <= "~") for c in client.id):
        raise bad("id", "a client id has 1 to 256 printable ASCII characters (RFC 6749 A.1)")
    for field, most in TEXTS.items():
        value = getattr(client, field)
        # Characters that show nothing or turn the direction of writing would let an app pass for another.
        if value is not None and not (0 < len(value.strip()) <= len(value) <= most and value.isprintable()):
            raise bad(field, f"it has 1 to {most} printable characters")


def lists_are_short(client: Client) -> None:
    for field, (most, longest) in LISTS.items():
        given = getattr(client, field) or ()
        if len(given) > most:
            raise bad(field, f"at most {most}")
        if any(not 0 < len(one) <= longest or not one.isprintable() for one in given):
            raise bad(field, f"each has 1 to {longest} printable characters")


def scopes_are_words(client: Client) -> None:
    for field in ("scopes", "default_acr_values", "audiences"):
        for one in getattr(client, field):
            if any(not ("!" <= c <= "~") or c in '"\\' for c in one):
                raise bad(field, f"{one!r} holds a character that is not allowed (RFC 6749 3.3)")


def ways_are_known(client: Client) -> None:
    if why := bad_ways(client.upstreams):
        raise bad("upstreams", why)


def numbers_are_bounded(client: Client) -> None:
    for field, (least, most) in SECONDS.items():
        value = getattr(client, field)
        if value is not None and not least <= value <= most:
            raise bad(field, f"from {least} to {most} seconds")


# ---------------------------------------------------------------- grants


def grants_are_known(client: Client) -> None:
    for grant in client.grant_types:
        if grant not in metadata.GRANT_TYPES:
            raise bad("grant_types", f"{grant!r} is not one of {', '.join(metadata.GRANT_TYPES)}")
        if client.is_public and grant in metadata.CONFIDENTIAL_GRANTS:
            raise bad("grant_types", f"a public client has no credentials to use {grant} with")
    if metadata.CODE in client.grant_types and not client.redirect_uris:
        raise bad("redirect_uris", "a client for people needs at least one")


def pkce_is_kept(client: Client) -> None:
    if client.pkce_required:
        return
    if client.is_public:
        raise bad("pkce_required", "a public client always needs PKCE (RFC 9700 2.1.1)")
    if rules(client).pkce:
        raise bad("pkce_required", f"profile {client.profile} always needs PKCE")


# ---------------------------------------------------------------- how it authenticates


def authentication_fits(client: Client) -> None:
    allowed = rules(client).auth_methods
    if allowed is not None and client.auth_method not in allowed:
        raise bad("auth_method", f"profile {client.profile} allows only {_listed(allowed)}")
    if client.auth_method in ("private_key_jwt", "self_signed_tls_client_auth") and not _has_keys(client):
        raise bad("jwks", f"{client.auth_method} needs the keys of the app: jwks or jwks_uri")
    alg = client.auth_signing_alg
    if alg is None:
        return
    if client.auth_method == "client_secret_jwt":
        known: Iterable[str] = metadata.SECRET_ALGS
    elif client.auth_method == "private_key_jwt":
        known = metadata.SIGNING_ALGS
    else:
        known = (*metadata.SIGNING_ALGS, *metadata.SECRET_ALGS)  # not used
    _one_of("auth_signing_alg", alg, known)


def keys_are_public(client: Client) -> None:
    if client.jwks is None:
        return
    if client.jwks_uri is not None:
        raise bad("jwks_uri", "give jwks or jwks_uri, not both (RFC 7591 section 2)")
    try:
        keys = client_jwks.parse(client.jwks)
    except client_jwks.BadKeys as why:
        raise bad("jwks", str(why)) from None
    if client.auth_method == "private_key_jwt":
        _need_signing_key(keys, client.auth_signing_alg)
    if client.request_object_signing_alg not in (None, "none"):
        _need_signing_key(keys, client.request_object_signing_alg)
    for name in metadata.ENCRYPTED:
        alg = getattr(client, f"{name}_alg")
        if alg is not None and not any(client_jwks.fits_encryption(key, alg) for key in keys):
            raise bad("jwks", f"none of the keys can be encrypted to with {alg}")


def _need_signing_key(keys: list[dict[str, Any]], alg: str | None) -> None:
    if not any(client_jwks.fits_signing(key, alg) for key in keys):
        raise bad("jwks", f"none of the keys can check signatures{f' made with {alg}' if alg else ''}")


def needs_no_certificates(client: Client) -> None:
    """Only asked where none can arrive."""
    for field, used in (
        ("auth_method", client.auth_method in metadata.TLS_METHODS),
        ("tls_client_certificate_bound_access_tokens", client.tls_client_certificate_bound_access_tokens),
    ):
        if used:
            raise bad(
                field,
                "no certificate of a client can reach this installation; "
                "see server.client_certificate_header and server.proxy_addresses",
            )


# ---------------------------------------------------------------- what it sends and gets


def algorithms_are_known(client: Client) -> None:
    for field in metadata.RESPONSE_ALGS:
        _one_of(field, getattr(client, field), metadata.SIGNING_ALGS)
    _one_of("request_object_signing_alg", client.request_object_signing_alg, (*metadata.SIGNING_ALGS, "none"))
    for name in metadata.ENCRYPTED:
        _one_of(f"{name}_alg", getattr(client, f"{name}_alg"), metadata.ENCRYPTION_ALGS)
        _one_of(f"{name}_enc", getattr(client, f"{name}_enc"), metadata.ENCRYPTION_ENCS)
        if getattr(client, f"{name}_enc") and not getattr(client, f"{name}_alg"):
            raise bad(f"{name}_enc", f"needs {name}_alg (OIDC Registration section 2)")


def profile_allows_algorithms(client: Client) -> None:
    allowed = rules(client).signing_algs
    if allowed is None:
        return
    for field in (*metadata.RESPONSE_ALGS, "request_object_signing_alg", "auth_signing_alg"):
        value = getattr(client, field)
        if value is not None and value not in allowed:
            raise bad(field, f"profile {client.profile} allows only {_listed(allowed)}")


def requests_can_be_checked(client: Client) -> None:
    alg = client.request_object_signing_alg
    if client.require_signed_request_object and alg == "none":
        raise bad("request_object_signing_alg", "a signed request object is required, so it cannot be none")
    if (client.require_signed_request_object or alg not in (None, "none")) and not _has_keys(client):
        raise bad("jwks", "signed request objects need the keys of the app: jwks or jwks_uri")


def encryption_has_keys(client: Client) -> None:
    for name in metadata.ENCRYPTED:
        if getattr(client, f"{name}_alg") and not _has_keys(client):
            raise bad("jwks", f"{name}_alg needs the keys of the app: jwks or jwks_uri")


def logout_is_whole(client: Client) -> None:
    for kind in ("backchannel", "frontchannel"):
        if getattr(client, f"{kind}_logout_session_required") and not getattr(client, f"{kind}_logout_uri"):
            raise bad(f"{kind}_logout_session_required", f"needs {kind}_logout_uri")


CHECKS: tuple[Callable[[Client], None], ...] = (
    types_are_right,
    texts_are_short,
    lists_are_short,
    scopes_are_words,
    numbers_are_bounded,
    ways_are_known,
    grants_are_known,
    pkce_is_kept,
    check_uris,
    authentication_fits,
    check_tls_subject,
    algorithms_are_known,
    profile_allows_algorithms,
    requests_can_be_checked,
    encryption_has_keys,
    keys_are_public,
    check_sector,
    logout_is_whole,
)


def _one_of(field: str, value: str | None, known: Iterable[str]) -> None:
    if value is not None and value not in known:
        raise bad(field, f"{value[:50]!r} is not one of {', '.join(known)}")


def _has_keys(client: Client) -> bool:
    return client.jwks is not None or client.jwks_uri is not None


def _listed(allowed: Iterable[str]) -> str:
    return ", ".join(sorted(allowed))
