"""/admin/api/users: what the pages about users do, as JSON. Each request is judged by the token that came with it.

Leaves who may to access, names and types of fields to user_json, and rules and audit to idp.services.
"""

from typing import Any

from idp.admin import user_json
from idp.admin.json_requests import body_of, expected_version, page_of, query_of
from idp.admin.json_resource import Resource
from idp.admin.user_changes import added_user, changed_user, check_version, linked_by_hand, other_user
from idp.base.errors import Refused
from idp.domain.user import User
from idp.http.machine import NO_STORE, Asked, Headers, Told, told_json
from idp.http.parts import Parts
from idp.services.explain_sign_in import Names, facts_of

PATH = "/admin/api/users"
SIGN_INS = 50


class UserJsonApi(Resource[User]):
    path = PATH
    unknown = "There is no such user."

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.about_one = {
            "": {"GET": self._show, "PATCH": self._patch, "DELETE": self._remove},
            "logins": {"GET": self._logins, "POST": self._link, "DELETE": self._unlink},
            "sign-ins": {"GET": self._sign_ins},
            "changes": {"GET": self._changes},
            "undo": {"POST": self._undo},
            "merge": {"POST": self._merge},
            "split": {"POST": self._split},
        }

    def find(self, name: str) -> User | None:
        """By id, and by nothing else: user names are given anew."""
        return self._parts.users.get(name) if len(name) <= 100 else None

    def list(self, asked: Asked) -> Told:
        words, after, limit = page_of(asked)
        page = self._parts.user_list.page(words, after=after, limit=limit)
        found: dict[str, Any] = {"users": [user_json.line(one) for one in page.lines], "total": page.total}
        found["complete"] = page.complete
        return told_json({**found, **({"next": page.next} if page.next is not None else {})})

    def create(self, asked: Asked, who: str) -> Told:
        document = body_of(asked)
        username = document.pop("username", None)
        if not isinstance(username, str):
            raise user_json.bad("username", "it must be a string")
        given = user_json.read(document, {})
        made = added_user(self._parts, {**given, "username": username}, who)
        return self._told(made, 201, ("Location", f"{self._parts.installation.issuer}{PATH}/{made.id}"))

    # ---------------------------------------------------------------- one user

    def _show(self, asked: Asked, user: User, who: str) -> Told:
        query_of(asked)
        return self._told(user)

    def _patch(self, asked: Asked, user: User, who: str) -> Told:
        """The fields that are named, and no others; claims name by name, null takes one away."""
        document = body_of(asked)
        version = expected_version(asked, document.pop("version", None))
        given = user_json.read(document, user_json.shown(self._parts, user))
        return self._told(changed_user(self._parts, user, given, who, version=version))

    def _remove(self, asked: Asked, user: User, who: str) -> Told:
        """For good, with everything that hangs on the user."""
        query_of(asked)
        check_version(user, expected_version(asked))
        self._parts.remove_user.remove(user, actor=who)
        return Told(204, headers=[*NO_STORE])

    # ---------------------------------------------------------------- logins

    def _logins(self, asked: Asked, user: User, who: str) -> Told:
        query_of(asked)
        return told_json({"logins": [user_json.login(one) for one in self._parts.links.of(user.id)]})

    def _link(self, asked: Asked, user: User, who: str) -> Told:
        given = _texts(body_of(asked), ("provider", "subject"), ("issuer",))
        made = linked_by_hand(self._parts, user, given["provider"], given.get("issuer", ""), given["subject"], who)
        return told_json(user_json.login(made), 201)

    def _unlink(self, asked: Asked, user: User, who: str) -> Told:
        login_id = query_of(asked, "id").get("id", "")
        local_login = self._parts.sign_in.local_login_allowed(user)
        self._parts.links.unlink(user, login_id, actor=who, local_login=local_login)
        return Told(204, headers=[*NO_STORE])

    def _sign_ins(self, asked: Asked, user: User, who: str) -> Told:
        query_of(asked)
        names = Names(self._parts.users.get, self._parts.upstreams.get)
        found = self._parts.records.of_user(user.id, SIGN_INS)
        return told_json({"sign_ins": [facts_of(one, names) for one in found]})

    # ---------------------------------------------------------------- merge, split, undo

    def _changes(self, asked: Asked, user: User, who: str) -> Told:
        query_of(asked)
        found = [user_json.change(self._parts, one) for one in self._parts.changes.of(user.id)]
        return told_json({"changes": found})

    def _merge(self, asked: Asked, user: User, who: str) -> Told:
        """The other one is merged into this one, which stays."""
        document = body_of(asked)
        version = expected_version(asked, document.pop("version", None))
        gone = other_user(self._parts, _texts(document, ("other",))["other"])
        check_version(user, version)
        change = self._parts.changes.merge(user, gone, actor=who)
        return told_json(user_json.change(self._parts, change))

    def _split(self, asked: Asked, user: User, who: str) -> Told:
        document = body_of(asked)
        version = expected_version(asked, document.pop("version", None))
        logins = document.pop("logins", None)
        if document or not isinstance(logins, list) or not all(isinstance(one, str) for one in logins):
            raise Refused("invalid_request", "Send `logins`, an array of ids of logins, and nothing else.")
        check_version(user, version)
        change, _made = self._parts.changes.split(user, tuple(logins), actor=who)
        return told_json(user_json.change(self._parts, change))

    def _undo(self, asked: Asked, user: User, who: str) -> Told:
        change = self._parts.changes.get(_texts(body_of(asked), ("change",))["change"])
        if user.id not in (change.user_id, change.other_id):
            raise Refused("unknown_change", "There is no such change of this user.", status=404)
        return told_json(user_json.change(self._parts, self._parts.changes.undo(change, actor=who)))

    def _told(self, user: User, status: int = 200, *headers: tuple[str, str]) -> Told:
        tagged: Headers = [("ETag", f'"{user.version}"'), *headers]
        return told_json(user_json.shown(self._parts, user), status, tagged)


def _texts(document: dict[str, Any], needed: tuple[str, ...], more: tuple[str, ...] = ()) -> dict[str, str]:
    """Members that are strings, of these names. Raises Refused(unknown_field | invalid_request)."""
    for name, value in document.items():
        if name not in (*needed, *more):
            raise Refused("unknown_field", f"There is no field {name[:100]!r} here.")
        if not isinstance(value, str):
            raise Refused("invalid_request", f"{name} is a string.")
    for name in needed:
        if not document.get(name):
            raise Refused("invalid_request", f"{name} is missing.")
    return document
