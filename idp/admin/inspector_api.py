"""/admin/api/saml-messages: the message inspector as JSON, for reading only.

Leaves who may to access, what is kept to idp.services.saml_messages, words in English to explain_messages.
"""

from idp.admin.access import actor
from idp.admin.json_requests import MOST, USUAL, query_of, whole_of
from idp.admin.json_resource import Guard
from idp.base.errors import Refused
from idp.http.machine import Asked, Endpoint, Told, told_json
from idp.http.parts import Parts
from idp.services.check_token import Access
from idp.services.explain_messages import explained, facts

PATH = "/admin/api/saml-messages"
MOST_SEARCHED = 1000


class InspectorApi:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def endpoints(self, guard: Guard) -> list[Endpoint]:
        reading = frozenset({"GET"})
        return [Endpoint(PATH, reading, guard(self.many)), Endpoint(f"{PATH}/", reading, guard(self.one))]

    def many(self, access: Access, asked: Asked) -> Told:
        actor(self._parts, access)
        given = query_of(asked, "peer", "failed", "limit")
        limit, failed = whole_of(given.get("limit", str(USUAL)), "limit", 1, MOST), given.get("failed", "0")
        if failed not in ("0", "1"):
            raise Refused("invalid_request", "failed is 0 or 1.")
        kept, peer = self._parts.saml_messages, given.get("peer", "")
        found = kept.of(peer) if peer else kept.newest(MOST_SEARCHED)
        return told_json({"messages": [facts(one) for one in found if failed == "0" or not one.ok][:limit]})

    def one(self, access: Access, asked: Asked) -> Told:
        from idp.saml.redact import indented  # lxml: not before there is a message

        actor(self._parts, access)
        query_of(asked)
        found = self._parts.saml_messages.get(asked.path.removeprefix(f"{PATH}/"))
        if found is None:
            raise Refused(
                "not_found", "There is no such message (any more).", status=404, reason="no message of this id"
            )
        checks = [explained(check) for check in found.checks]
        return told_json({**facts(found), "checks": checks, "xml": indented(found.xml)})
