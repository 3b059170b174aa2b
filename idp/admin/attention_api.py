"""/admin/api/attention: what needs an administrator now, as the home page has it. For reading, by monitoring for example.

Leaves who may to access, and looking to idp.services.upkeep.
"""

from dataclasses import asdict

from idp.admin.access import actor
from idp.admin.json_requests import query_of
from idp.admin.json_resource import Guard
from idp.http.machine import Asked, Endpoint, Told, told_json
from idp.http.parts import Parts
from idp.services.check_token import Access

PATH = "/admin/api/attention"


class AttentionApi:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def endpoints(self, guard: Guard) -> list[Endpoint]:
        return [Endpoint(PATH, frozenset({"GET"}), guard(self.show))]

    def show(self, access: Access, asked: Asked) -> Told:
        """Facts that do not apply are left out."""
        actor(self._parts, access)
        query_of(asked)
        needs = [asdict(need) for need in self._parts.upkeep.needs()]
        return told_json({"needs": [{k: v for k, v in need.items() if v is not None and v != ""} for need in needs]})
