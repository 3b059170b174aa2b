"""/admin/api/clients: what the pages do, as JSON. Each request is judged by the token that came with it.

Owns reading requests and telling answers. Leaves who may to access, names and types of fields to client_json, rules and
audit to idp.services.manage_apps.
"""

from typing import Any

from idp.admin import client_json
from idp.admin.changes import changed_client, fresh_id, new_client
from idp.admin.json_requests import body_of, expected_version, page_of, query_of
from idp.admin.json_resource import Resource
from idp.admin.names import api_path_of, client_id_of
from idp.admin.previews import preview_for
from idp.base.errors import Refused
from idp.base.secret import Secret
from idp.domain.relying import Client
from idp.http.machine import NO_STORE, Asked, Headers, Told, told_json
from idp.http.parts import Parts
from idp.services.app_list import AppLine
from idp.services.manage_apps import changed_meanwhile

PATH = "/admin/api/clients"
DAY = 86_400


class JsonApi(Resource[Client]):
    path = PATH

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.about_one = {
            "": {"GET": self._show, "PUT": self._put, "PATCH": self._patch, "DELETE": self._remove},
            "secret": {"POST": self._rotate, "DELETE": self._retire},
            "preview": {"GET": self._preview},
        }

    def find(self, name: str) -> Client | None:
        client_id = client_id_of(name)
        return self._parts.apps.client(client_id) if client_id is not None else None

    # ---------------------------------------------------------------- all apps

    def list(self, asked: Asked) -> Told:
        words, after, limit = page_of(asked)
        page = self._parts.app_list.page(words, after=after, limit=limit)
        found = {"clients": [_line(one) for one in page.lines], "total": page.total}
        return told_json({**found, **({"next": page.next} if page.next is not None else {})})

    def create(self, asked: Asked, who: str) -> Told:
        document = body_of(asked)
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
        query_of(asked)
        return _told(client)

    def _patch(self, asked: Asked, client: Client, who: str) -> Told:
        """The fields that are named, and no others."""
        return self._changed(asked, client, who, {})

    def _put(self, asked: Asked, client: Client, who: str) -> Told:
        """Every field: one that is not named gets its default."""
        return self._changed(asked, client, who, client_json.defaults())

    def _changed(self, asked: Asked, client: Client, who: str, otherwise: dict[str, Any]) -> Told:
        document = body_of(asked)
        version = expected_version(asked, document.pop("version", None))
        new_secret = document.pop("new_secret", False)
        if not isinstance(new_secret, bool):
            raise Refused("invalid_client_metadata", "new_secret: it must be true or false.")
        given = {**otherwise, **client_json.read(document, client)}
        stored, secret = changed_client(self._parts, client, given, who, version=version, new_secret=new_secret)
        return _told(stored, secret)

    def _remove(self, asked: Asked, client: Client, who: str) -> Told:
        version = expected_version(asked)
        if version is not None and version != client.version:
            raise changed_meanwhile()
        self._parts.apps.remove_client(client.id, actor=who)
        return Told(204, headers=[*NO_STORE])

    def _rotate(self, asked: Asked, client: Client, who: str) -> Told:
        document = body_of(asked)
        overlap, version = document.pop("overlap_seconds", DAY), expected_version(asked, document.pop("version", None))
        if document:
            raise Refused("unknown_field", f"There is no field {next(iter(document))[:100]!r}; use overlap_seconds.")
        if type(overlap) is not int:
            raise Refused("bad_overlap", "overlap_seconds: it must be a whole number of seconds.")
        return _told(*self._parts.apps.rotate_secret(client.id, overlap, who, version=version))

    def _retire(self, asked: Asked, client: Client, who: str) -> Told:
        """Ends the overlap: the old secret is no longer good."""
        query_of(asked)
        return _told(self._parts.apps.retire_old_secret(client.id, who))

    def _preview(self, asked: Asked, client: Client, who: str) -> Told:
        given = query_of(asked, "user", "scope")
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
