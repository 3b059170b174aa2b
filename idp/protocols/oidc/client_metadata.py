"""Client metadata as JSON (RFC 7591 section 2, OIDC Registration 1.0 section 2) and as fields of Client, in one table.

Leaves whether the values make sense to idp.services.check_client. Members that we do not know, localised ones
(`client_name#de`) among them, are ignored (RFC 7591 2); `null` is the same as leaving a member out (RFC 7592 2.2).
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from idp.base.errors import Refused
from idp.domain.metadata import CODE, bad
from idp.domain.relying import Client

# Where the name differs from the field's.
_NAMES = {
    "client_name": "name",
    "token_endpoint_auth_method": "auth_method",
    "token_endpoint_auth_signing_alg": "auth_signing_alg",
    "scope": "scopes",
}
_FIELDS = {field: name for name, field in _NAMES.items()}
_TEXTS = (
    *("client_name", "client_uri", "logo_uri", "policy_uri", "tos_uri", "software_id", "software_version"),
    *("application_type", "subject_type", "sector_identifier_uri", "initiate_login_uri", "jwks_uri"),
    *("token_endpoint_auth_method", "token_endpoint_auth_signing_alg", "request_object_signing_alg"),
    *("tls_client_auth_subject_dn", "tls_client_auth_san_dns", "tls_client_auth_san_uri"),
    *("tls_client_auth_san_ip", "tls_client_auth_san_email"),
    *("id_token_signed_response_alg", "id_token_encrypted_response_alg", "id_token_encrypted_response_enc"),
    *("userinfo_signed_response_alg", "userinfo_encrypted_response_alg", "userinfo_encrypted_response_enc"),
    *("authorization_signed_response_alg", "introspection_signed_response_alg"),
    *("backchannel_logout_uri", "frontchannel_logout_uri"),
)
_LISTS = (
    *("redirect_uris", "post_logout_redirect_uris", "request_uris", "grant_types", "default_acr_values", "contacts"),
)
_FLAGS = (
    *("require_pushed_authorization_requests", "require_signed_request_object", "require_auth_time"),
    *("tls_client_certificate_bound_access_tokens", "dpop_bound_access_tokens"),
    *("backchannel_logout_session_required", "frontchannel_logout_session_required"),
)


def read(document: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of Client that the document names. Raises Refused(invalid_client_metadata | invalid_redirect_uri)."""
    found = {}
    for name, parse in _KINDS.items():
        value = document.get(name)
        if value is not None:
            found[_NAMES.get(name, name)] = parse(name, value)
    _check_response_types(document.get("response_types"), found)
    return found


def written(client: Client) -> dict[str, Any]:
    """What is registered, defaults included."""
    said: dict[str, Any] = {}
    for name in (*_TEXTS, *_LISTS, *_FLAGS, "default_max_age"):
        value = getattr(client, _NAMES.get(name, name))
        if value is not None and value != ():
            said[name] = list(value) if isinstance(value, tuple) else value
    said["redirect_uris"] = list(client.redirect_uris)
    said["response_types"] = ["code"] if CODE in client.grant_types else []
    if client.scopes:
        said["scope"] = " ".join(client.scopes)
    if client.jwks is not None:
        said["jwks"] = json.loads(client.jwks)
    return said


def in_their_words(refused: Refused) -> Refused:
    """A refusal that names a field of ours, with the name that the app has sent."""
    field, colon, why = refused.message.partition(": ")
    if colon and field in _FIELDS:
        return Refused(refused.code, f"{_FIELDS[field]}: {why}", status=refused.status, headers=refused.headers)
    return refused


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise bad(name, "it must be a string")
    return value


def _list(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise bad(name, "it must be an array of strings")
    return tuple(dict.fromkeys(value))


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise bad(name, "it must be true or false")
    return value


def _number(name: str, value: object) -> int:
    # A number without a fraction is one number, however it is written (RFC 8259 6).
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise bad(name, "it must be a whole number")
    return value


def _words(name: str, value: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_text(name, value).split()))


def _object(name: str, value: object) -> str:
    if not isinstance(value, dict):
        raise bad(name, "it must be an object")
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    except (ValueError, RecursionError):
        raise bad(name, "it cannot be read") from None


_KINDS: dict[str, Callable[[str, object], Any]] = {
    **dict.fromkeys(_TEXTS, _text),
    **dict.fromkeys(_LISTS, _list),
    **dict.fromkeys(_FLAGS, _flag),
    "default_max_age": _number,
    "scope": _words,
    "jwks": _object,
}


def _check_response_types(given: object, found: Mapping[str, Any]) -> None:
    """Consistent with the grant types (RFC 7591 2.1). Only `code` is there."""
    if given is None:
        return
    types = _list("response_types", given)
    for one in types:
        if one != "code":
            raise bad("response_types", f"{one[:50]!r} is not supported, only code")
    if bool(types) != (CODE in found.get("grant_types", (CODE,))):
        raise bad("response_types", "code goes with the grant type authorization_code, and that with code")
