"""/admin/api/invitations: who is invited, inviting, withdrawing. The link stands only in the answer that makes it.

Leaves who may to access, and rules and audit to idp.services.invitations.
"""

from typing import Any

from idp.admin import user_json
from idp.admin.json_requests import body_of, query_of
from idp.admin.json_resource import Resource
from idp.admin.json_values import from_json
from idp.admin.user_changes import other_user
from idp.base.errors import Refused
from idp.domain.link_change import Invitation
from idp.http.machine import NO_STORE, Asked, Told, told_json
from idp.http.parts import Parts
from idp.services.invitations import Asked as Wanted
from idp.services.invitations import Made, address_of, link_of

PATH = "/admin/api/invitations"
_TYPES: dict[str, Any] = {
    "email": str,
    "username": str,
    "name": str,
    "roles": tuple[str, ...],
    "groups": tuple[str, ...],
    "provider": str,
    "days": int,
    "user": str,
    "send": bool,
}


class InvitationJsonApi(Resource[Invitation]):
    path = PATH
    unknown = "There is no such invitation (any more)."

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.about_one = {"": {"GET": self._show, "DELETE": self._withdraw}}

    def find(self, name: str) -> Invitation | None:
        return self._parts.invitations.live(name) if len(name) <= 100 else None

    def list(self, asked: Asked) -> Told:
        query_of(asked)
        return told_json({"invitations": [user_json.invitation(one) for one in self._parts.invitations.waiting()]})

    def create(self, asked: Asked, who: str) -> Told:
        given = self._read(body_of(asked))
        user = other_user(self._parts, given["user"]) if "user" in given else None
        wanted = Wanted(
            user,
            given.get("email", ""),
            given.get("username", ""),
            given.get("name", ""),
            given.get("roles", ()),
            given.get("groups", ()),
            given.get("provider", ""),
            given.get("days"),
        )
        made = self._parts.invitations.make(wanted, actor=who)
        if given.get("send"):
            address = address_of(user, wanted.email)
            issuer, organisation = self._parts.installation.issuer, self._parts.settings.organisation
            made = self._parts.invitations.send(
                made, self._parts.mails, to=address, issuer=issuer, organisation=organisation
            )
        return told_json(self._with_link(made), 201)

    def _read(self, document: dict[str, Any]) -> dict[str, Any]:
        for name in document:
            if name not in _TYPES:
                raise Refused("unknown_field", f"There is no field {name[:100]!r} of an invitation.")
        return {name: from_json(name, value, _TYPES[name], _bad) for name, value in document.items()}

    def _with_link(self, made: Made) -> dict[str, Any]:
        link = link_of(self._parts.installation.issuer, made.token)
        return {**user_json.invitation(made.invitation), "link": link, "mailed": made.mailed}

    def _show(self, asked: Asked, one: Invitation, who: str) -> Told:
        query_of(asked)
        return told_json(user_json.invitation(one))

    def _withdraw(self, asked: Asked, one: Invitation, who: str) -> Told:
        query_of(asked)
        self._parts.invitations.withdraw(one, actor=who)
        return Told(204, headers=[*NO_STORE])


def _bad(name: str, why: str) -> Refused:
    return Refused("invalid_invitation", f"{name}: {why}.")
