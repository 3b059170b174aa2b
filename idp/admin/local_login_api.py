"""/admin/api/local-login: whether passwords count, as JSON; turning that off on trial and on again, exceptions, break-glass.

Owns reading requests and telling answers. Leaves who may to access, and every rule to idp.services.turn_local_login. To
confirm takes a person who has just signed in, and a page; codes and words of break-glass are for people, too.
"""

from typing import Any

from idp.admin.access import actor
from idp.admin.json_requests import body_of, expected_version, query_of, whole_of
from idp.admin.json_resource import Guard
from idp.admin.json_values import moment
from idp.base.errors import Refused
from idp.domain.local_login import LocalLoginSwitch
from idp.domain.user import User
from idp.http.machine import NO_STORE, Asked, Endpoint, Told, told_json
from idp.http.parts import Parts
from idp.services.check_token import Access

PATH = "/admin/api/local-login"
MOST_LOOKED_AT = 100_000


class LocalLoginApi:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def endpoints(self, guard: Guard) -> list[Endpoint]:
        return [
            Endpoint(PATH, frozenset({"GET", "PATCH"}), guard(self.switch)),
            Endpoint(f"{PATH}/locked-out", frozenset({"GET"}), guard(self.locked_out)),
            Endpoint(f"{PATH}/break-glass", frozenset({"DELETE"}), guard(self.close)),
        ]

    def switch(self, access: Access, asked: Asked) -> Told:
        who = actor(self._parts, access)
        if asked.method == "PATCH":
            return self._change(asked, who)
        query_of(asked)
        return self._told(self._parts.local_login.switch())

    def locked_out(self, access: Access, asked: Asked) -> Told:
        """Who could no longer sign in if local login were off. `limit`: so many users are looked at."""
        actor(self._parts, access)
        limit = whole_of(query_of(asked, "limit").get("limit", "1000"), "limit", 1, MOST_LOOKED_AT)
        found = self._parts.local_login.users_locked_out(limit)
        users = [{"id": one.id, "username": one.username, "roles": list(one.roles)} for one in found.users]
        return told_json({"users": users, "looked_at": found.looked_at, "complete": found.complete})

    def close(self, access: Access, asked: Asked) -> Told:
        who = actor(self._parts, access)
        query_of(asked)
        self._parts.break_glass.close(actor=who)
        self._parts.turn_local_login.settle(100)
        return Told(204, headers=[*NO_STORE])

    def _change(self, asked: Asked, who: str) -> Told:
        document = body_of(asked)
        version = expected_version(asked, document.pop("version", None))
        state, exceptions = document.pop("state", None), document.pop("exceptions", None)
        if document:
            raise Refused("unknown_field", f"There is no field {next(iter(document))[:100]!r}.")
        if (state is None) == (exceptions is None):
            raise _bad("send state, or exceptions: one of them")
        if exceptions is not None:
            return self._told(self._with_exceptions(exceptions, who, version))
        turn = self._parts.turn_local_login
        if state == "off":
            return self._told(turn.turn_off(actor=who, version=version))
        if state == "on":
            return self._told(turn.turn_on(actor=who, version=version))
        raise _bad("state is on or off; a trial is confirmed on the page")

    def _with_exceptions(self, given: object, who: str, version: int | None) -> LocalLoginSwitch:
        if not isinstance(given, dict) or set(given) != {"users", "roles"}:
            raise _bad("exceptions has users and roles, and nothing else")
        users = [self._user(name) for name in _texts(given["users"])]
        return self._parts.turn_local_login.set_exceptions(users, _texts(given["roles"]), actor=who, version=version)

    def _user(self, name: str) -> User:
        """By id, or as people sign in."""
        user = self._parts.users.get(name) or self._parts.users.by_login(name)
        if user is None:
            raise Refused("no_such_user", f"There is no user {name[:100]!r}.", status=404)
        return user

    def _told(self, switch: LocalLoginSwitch) -> Told:
        ready, opened = self._parts.turn_local_login.readiness(), self._parts.local_login.opened()
        facts: dict[str, Any] = {
            "state": switch.state,
            "changed_at": moment(switch.changed_at or None),
            "changed_by": switch.changed_by or None,
            "reverts_at": moment(switch.reverts_at),
            "setting": self._parts.settings.local_login,
            "exceptions": {"users": list(switch.users), "roles": list(switch.roles)},
            "missing": list(ready.missing) if switch.state == "on" else [],
            "federated_sign_in_at": moment(ready.proof.at) if ready.proof else None,
            "break_glass": {
                "shown_at": moment(ready.way.at) if ready.way else None,
                "opens_for": [one.id for one in ready.users],
                "codes_left": self._parts.break_glass.codes_left(),
                "open": [
                    {"until": moment(one.expires_at), "users": list(one.users), "reason": one.reason, "by": one.by}
                    for one in opened
                ],
            },
            "version": switch.version,
        }
        return told_json(facts, 200, [("ETag", f'"{switch.version}"')])


def _texts(given: object) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(one, str) and 0 < len(one) <= 320 for one in given):
        raise _bad("users and roles are lists of texts")
    return list(given)


def _bad(why: str) -> Refused:
    return Refused("invalid_request", f"{why[0].upper()}{why[1:]}.")
