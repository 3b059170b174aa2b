"""Owns who stands behind what goes on without a request of its own: a binding of an exchange, a chain between queues.

It is judged by the ACLs and the roles of the companion of the moment it acts. Roles that only the token gave do not count: nobody
could say when they ended.
"""

from typing import Any

from idp.api import acl
from idp.api.caller import Caller
from idp.api.document_store.contract import Document
from idp.api.roles import Roles
from idp.base.errors import Refused


class Standing:
    def __init__(self, roles: Roles) -> None:
        self._roles = roles

    def of(self, caller: Caller, *needed: tuple[acl.QueueRight, Document]) -> dict[str, Any]:
        """What is kept of whoever sets something up. Raises Refused when a right would not outlast the token."""
        kept = {"subject": caller.subject, "client_id": caller.client_id}
        for right, declared in needed:
            if not self.may(kept, right, declared):
                message = (
                    "This outlasts your token, so your right must come from an ACL entry for you or for everyone, or from "
                    f"a role of the companion: you lack such a right to {right} on {declared.id}."
                )
                raise Refused("right_does_not_last", message, status=403, detail={"right": right, "queue": declared.id})
        return kept

    def may(self, kept: dict[str, Any], right: acl.QueueRight, declared: Document) -> bool:
        return acl.may(self._now(kept), right, declared.acl)

    def highest_priority(self, kept: dict[str, Any], declared: Document) -> int:
        return acl.highest_priority(self._now(kept), declared.acl)

    def _now(self, kept: dict[str, Any]) -> Caller:
        return self._roles.complete(Caller(kept["subject"], kept["client_id"], frozenset(), frozenset(), 0.0, ""))
