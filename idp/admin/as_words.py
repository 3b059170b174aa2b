"""The same change in three ways: what a form does, as a command line and as a request to the JSON API. Pure.

Leaves what the commands mean to idp.cli.app_options, which must understand everything that is said here (a test reads it
with that).
"""

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from idp.admin.client_json import KEYS, defaults
from idp.admin.json_values import to_json
from idp.admin.names import api_path_of
from idp.domain.metadata import DEVICE, EXCHANGE, JWT_BEARER

# Options that replace a whole list, as values of `--set` cannot hold commas.
_LISTS = {
    "redirect_uris": "--redirect-uri",
    "post_logout_redirect_uris": "--post-logout-redirect-uri",
    "grant_types": "--grant",
    "scopes": "--scope",
    "audiences": "--audience",
}
_GRANTS: dict[str, str] = {DEVICE: "device_code", EXCHANGE: "token_exchange", JWT_BEARER: "jwt_bearer"}
_OPTIONAL = {name: default is None for name, default in defaults().items()}
_NOTHING = ","  # a list of nothing; without the comma it would be: no list at all


def command(words: Iterable[str], fields: Mapping[str, Any]) -> str | None:
    """`idp client …` with these fields; None where a command line cannot say it."""
    lines: list[str] = [_joined(["idp", "client", *words])]
    for name, value in fields.items():
        said = _options(name, value)
        if said is None:
            return None
        lines += said
    return " \\\n  ".join(lines)


def _options(name: str, value: Any) -> list[str] | None:
    if name == "name":
        return [_joined(["--name", str(value)])]
    if isinstance(value, tuple) and value and name in _LISTS:
        return [_joined([_LISTS[name], str(_GRANTS.get(one, one))]) for one in value]
    text = _text(value)
    if text in ("none", "null", "") and value is not None and _OPTIONAL[name]:
        return None  # it would be read as: no value
    return [_joined(["--set", f"{name}={text}"])] if text is not None else None


def _text(value: Any) -> str | None:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        if any("," in one or len(one.split()) != 1 for one in value):
            return None
        return ",".join(value) or _NOTHING
    return str(value)


def api_call(issuer: str, method: str, path: str, document: Mapping[str, Any] | None = None) -> str:
    """A request with curl; the token is to be put in."""
    lines = ["curl" if method == "GET" else f"curl -X {method}", '-H "Authorization: Bearer $TOKEN"']
    if document is not None:
        body = json.dumps({name: _json(name, value) for name, value in document.items()}, ensure_ascii=False)
        lines += ['-H "Content-Type: application/json"', _joined(["-d", body])]
    return " \\\n  ".join([*lines, _joined([issuer + path])])


def change_call(issuer: str, client_id: str, fields: Mapping[str, Any]) -> str:
    return api_call(issuer, "PATCH", api_path_of(client_id), fields)


def _json(name: str, value: Any) -> Any:
    if name == KEYS and isinstance(value, str):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):  # half typed
            return value
    return to_json(value)


def _joined(words: Iterable[str]) -> str:
    return " ".join(shlex.quote(word) for word in words)
