"""/admin/api/clients: what the pages do, as JSON. Each request is judged by the token that came with it.

Owns reading requests and telling answers. Leaves who may to access, names and types of fields to client_json, rules and
audit to idp.services.manage_apps.
"""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from idp.admin import client_json
from idp.admin.access import actor
from idp.admin.changes import changed_client, fresh_id, new_client
from idp.admin.names import api_path_of, client_id_of
from idp.admin.previews import preview_for
from idp.base.errors import Refused
from idp.base.secret import Secret
from idp.domain.relying import Client
from idp.http.json_body import json_body
from idp.http.machine import NO_STORE, Asked, Endpoint, Headers, Told, told_json
from idp.http.parts import Parts
from idp.http.refusals import of_status
from idp.services.app_list import AppLine
from idp.services.check_token import Access
from idp.services.manage_apps import changed_meanwhile

PATH = "/admin/api/clients"
MAX_BODY = 131_072
MOST, USUAL = 200, 50  # apps on one page of the list
DAY = 86_400
_VERSION = re.compile(r'"(\d{1,15})"\Z')

Guard = Callable[[Callable[[Access, Asked], Told]], Callable[[Asked], Told]]


class JsonApi:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._about_one: dict[str, dict[str, Callable[[Asked, Client, str], Told]]] = {
            "": {"GET": self._show, "PUT": self._put, "PATCH": self._patch, "DELETE": self._remove},
            "secret": {"POST": self._rotate, "DELETE": self._retire},
            "preview": {"GET": self._preview},
        }

    def endpoints(self, guard: Guard) -> list[Endpoint]:
        """guard: lets only those through who bring a good token for this API."""
        every = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
        many = Endpoint(PATH, frozenset({"GET", "POST"}), guard(self.many))
        return [many, Endpoint(f"{PATH}/", every, guard(self.one))]

    def many(self, access: Access, asked: Asked) -> Told:
        who = actor(self._parts, access)
        return self._create(asked, who) if asked.method == "POST" else self._list(asked)

    def one(self, access: Access, asked: Asked) -> Told:
        who = actor(self._parts, access)
        name, _, page = asked.path.removeprefix(f"{PATH}/").partition("/")
        methods = self._about_one.get(page)
        client_id = client_id_of(name)
        client = self._parts.apps.client(client_id) if methods and client_id is not None else None
        if methods is None or client is None:
            raise Refused("not_found", "There is no such app.", status=404, reason="no app or no page of this name")
        method = "GET" if asked.method == "HEAD" else asked.method
        if method not in methods:
            raise of_status(405, asked.method, asked.path, {"Allow": ", ".join(sorted(methods))})
        return methods[method](asked, client, who)

    # ---------------------------------------------------------------- all apps

    def _list(self, asked: Asked) -> Told:
        given = _query(asked, "q", "limit", "after")
        limit = _whole(given.get("limit", str(USUAL)), "limit", 1, MOST)
        page = self._parts.app_list.page(given.get("q", ""), after=given.get("after", ""), limit=limit)
        found = {"clients": [_line(one) for one in page.lines], "total": page.total}
        return told_json({**found, **({"next": page.next} if page.next is not None else {})})

    def _create(self, asked: Asked, who: str) -> Told:
        document = _body(asked)
        client_id = document.pop(client_json.ID, None)
        if client_id is not None and not isinstance(client_id, str):
            raise Refused("invalid_client_metadata", "client_id: it must be a string.")
        given = client_json.read(document)
        if "name" not in given:
            raise Refused("invalid_client_metadata", "name: it is missing.")
        made, secret = new_client(self._parts, client_id if client_id is not None else fresh_id(), given, who)
        return _told(made, secret, 201, ("Location", self._parts.installation.issuer + api_path_of(made.id)))

    # ---------------------------------------------------------------- one app

    def _show(self, asked: Asked, client: Client, who: str) -> Told:
        _query(asked)
        return _told(client)

    def _patch(self, asked: Asked, client: Client, who: str) -> Told:
        """The fields that are named, and no others."""
        return self._changed(asked, client, who, {})

    def _put(self, asked: Asked, client: Client, who: str) -> Told:
        """Every field: one that is not named gets its default."""
        return self._changed(asked, client, who, client_json.defaults())

    def _changed(self, asked: Asked, client: Client, who: str, otherwise: dict[str, Any]) -> Told:
        document = _body(asked)
        version = _expected(asked, document.pop("version", None))
        new_secret = document.pop("new_secret", False)
        if not isinstance(new_secret, bool):
            raise Refused("invalid_client_metadata", "new_secret: it must be true or false.")
        given = {**otherwise, **client_json.read(document, client)}
        stored, secret = changed_client(self._parts, client, given, who, version=version, new_secret=new_secret)
        return _told(stored, secret)

    def _remove(self, asked: Asked, client: Client, who: str) -> Told:
        version = _expected(asked)
        if version is not None and version != client.version:
            raise changed_meanwhile()
        self._parts.apps.remove_client(client.id, actor=who)
        return Told(204, headers=[*NO_STORE])

    def _rotate(self, asked: Asked, client: Client, who: str) -> Told:
        document = _body(asked)
        overlap, version = document.pop("overlap_seconds", DAY), _expected(asked, document.pop("version", None))
        if document:
            raise Refused("unknown_field", f"There is no field {next(iter(document))[:100]!r}; use overlap_seconds.")
        if type(overlap) is not int:
            raise Refused("bad_overlap", "overlap_seconds: it must be a whole number of seconds.")
        return _told(*self._parts.apps.rotate_secret(client.id, overlap, who, version=version))

    def _retire(self, asked: Asked, client: Client, who: str) -> Told:
        """Ends the overlap: the old secret is no longer good."""
        _query(asked)
        return _told(self._parts.apps.retire_old_secret(client.id, who))

    def _preview(self, asked: Asked, client: Client, who: str) -> Told:
        given = _query(asked, "user", "scope")
        if not given.get("user"):
            raise Refused("invalid_request", "Say whose claims: ?user=NAME.")
        return told_json(preview_for(self._parts, client, given["user"], given.get("scope", "").split()))


# ---------------------------------------------------------------- answers


def _told(client: Client, secret: Secret | None = None, status: int = 200, *headers: tuple[str, str]) -> Told:
    """The secret stands only in the answer that makes it."""
    shown = client_json.shown(client)
    if secret is not None:
        shown["client_secret"] = secret.reveal()
    tagged: Headers = [("ETag", f'"{client.version}"'), *headers]
    return told_json(shown, status, tagged)


def _line(one: AppLine) -> dict[str, Any]:
    return {
        "client_id": one.id,
        "name": one.name,
        "auth_method": one.auth_method,
        "profile": one.profile,
        "grant_types": list(one.grant_types),
        "redirect_uris": list(one.redirect_uris),
        "registered_itself": one.registered_itself,
    }


# ---------------------------------------------------------------- requests


def _body(asked: Asked) -> dict[str, Any]:
    if len(asked.body) > MAX_BODY:
        raise of_status(413, asked.method, asked.path)
    _query(asked)
    return json_body(asked)


def _query(asked: Asked, *names: str) -> dict[str, str]:
    """The parameters in the address: of these names, each once. Raises Refused(invalid_request)."""
    try:
        pairs = parse_qsl(asked.query.decode("ascii"), encoding="utf-8", errors="strict", max_num_fields=10)
    except ValueError:
        raise Refused("invalid_request", "The parameters cannot be read.") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in names:
            raise Refused("invalid_request", f"There is no parameter {name[:100]!r}.")
        if name in found or len(value) > 4096 or "\x00" in value:
            raise Refused("invalid_request", f"The parameter {name} was sent twice, or is too long.")
        found[name] = value
    return found


def _whole(text: str, name: str, least: int, most: int) -> int:
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if not least <= value <= most:
        raise Refused("invalid_request", f"{name} is a number from {least} to {most}.")
    return value


def _expected(asked: Asked, said: object = None) -> int | None:
    """The version that the change is meant for: If-Match (RFC 9110 13.1.1), or the member `version`. None: any."""
    if said is not None and (type(said) is not int or said < 0):
        raise Refused("invalid_request", "version: it must be the number that stands in the app.")
    header = asked.headers.get("if-match", "*").strip()
    found = _VERSION.match(header)
    if header != "*" and found is None:
        raise Refused("invalid_request", 'If-Match is the ETag of the app, as "3".')
    tagged = int(found[1]) if found else None
    if tagged is not None and said is not None and tagged != said:
        raise Refused("invalid_request", "If-Match and version contradict each other.")
    return tagged if tagged is not None else said
