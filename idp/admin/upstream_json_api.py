"""/admin/api/upstreams and /admin/api/upstream-kinds: what the pages about upstreams do, as JSON. Tests need a browser.

Owns reading requests and telling answers. Leaves who may to access, names and types of settings to upstream_json, rules and audit to
idp.services.manage_upstreams and upstream_tests.
"""

from typing import Any

from idp.admin import upstream_json
from idp.admin.access import actor
from idp.admin.json_requests import body_of, expected_version, query_of
from idp.admin.json_resource import Guard, Resource
from idp.base.errors import Refused
from idp.domain.upstream import UpstreamProvider
from idp.http.machine import NO_STORE, Asked, Endpoint, Headers, Told, told_json
from idp.http.parts import Parts
from idp.services.check_token import Access
from idp.services.manage_apps import changed_meanwhile
from idp.services.manage_upstreams import PROVIDER_ID
from idp.upstream.parse import changed_upstream, new_upstream
from idp.upstream.registry import secret_fields

PATH = "/admin/api/upstreams"
KINDS_PATH = "/admin/api/upstream-kinds"
MAX_BODY = 524_288  # metadata travel in it


class UpstreamJsonApi(Resource[UpstreamProvider]):
    path = PATH
    unknown = "There is no such upstream."

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.about_one = {"": {"GET": self._show, "PATCH": self._patch, "DELETE": self._remove}}

    def endpoints(self, guard: Guard) -> list[Endpoint]:
        return [*super().endpoints(guard), Endpoint(KINDS_PATH, frozenset({"GET"}), guard(self.kinds))]

    def kinds(self, access: Access, asked: Asked) -> Told:
        actor(self._parts, access)
        query_of(asked)
        return told_json(upstream_json.kinds_shown(self._parts.installation.issuer))

    def find(self, name: str) -> UpstreamProvider | None:
        return self._parts.upstreams.get(name) if PROVIDER_ID.match(name) else None

    # ---------------------------------------------------------------- all of them

    def list(self, asked: Asked) -> Told:
        query_of(asked)
        return told_json({"upstreams": [self._shown(one) for one in self._parts.upstreams.all()]})

    def create(self, asked: Asked, who: str) -> Told:
        """Off, unless it says `enabled` and `untested`: nobody has tested it yet."""
        document = body_of(asked, MAX_BODY)
        provider_id, kind = document.pop("id", None), document.pop("kind", None)
        if not isinstance(provider_id, str) or not isinstance(kind, str):
            raise Refused("invalid_request", "Send id and kind, as strings.")
        enabled, untested = _switch(document)
        if enabled and not untested:
            raise Refused("upstream_untested", "A new upstream is off until it has passed a test.", status=409)
        wanted = new_upstream(kind, provider_id, upstream_json.read(kind, document), self._parts.clock())
        made = self._parts.upstreams.add(wanted, secrets=secret_fields(kind), actor=who)
        if enabled:
            made = self._parts.upstream_tests.switch(made, True, actor=who, untested=True)
        return self._told(made, 201, ("Location", f"{self._parts.installation.issuer}{PATH}/{made.id}"))

    # ---------------------------------------------------------------- one

    def _show(self, asked: Asked, provider: UpstreamProvider, who: str) -> Told:
        query_of(asked)
        return self._told(provider)

    def _patch(self, asked: Asked, provider: UpstreamProvider, who: str) -> Told:
        """The settings that are named, and no others; `enabled` by itself, as it hangs on how the others stand."""
        document = body_of(asked, MAX_BODY)
        _check_version(provider, expected_version(asked, document.pop("version", None)))
        enabled, untested = _switch(document)
        if enabled is not None and document:
            raise Refused("invalid_request", "Switch it on or off with a request of its own: enabled, and untested.")
        if enabled is not None:
            tests = self._parts.upstream_tests
            return self._told(tests.switch(provider, enabled, actor=who, untested=untested))
        given = upstream_json.read(provider.kind, document, self._shown(provider))
        changed, settings = changed_upstream(provider, given)
        secrets = secret_fields(provider.kind)
        return self._told(self._parts.upstreams.change(changed, settings, secrets=secrets, actor=who))

    def _remove(self, asked: Asked, provider: UpstreamProvider, who: str) -> Told:
        """With every login that is linked through it."""
        query_of(asked)
        _check_version(provider, expected_version(asked))
        self._parts.remove_upstream.remove(provider.id, actor=who)
        return Told(204, headers=[*NO_STORE])

    # ---------------------------------------------------------------- answers

    def _shown(self, provider: UpstreamProvider) -> dict[str, Any]:
        test = self._parts.upstream_tests.passed(provider)
        return upstream_json.shown(self._parts.installation.issuer, provider, test)

    def _told(self, provider: UpstreamProvider, status: int = 200, *headers: tuple[str, str]) -> Told:
        tagged: Headers = [("ETag", f'"{provider.version}"'), *headers]
        return told_json(self._shown(provider), status, tagged)


def _switch(document: dict[str, Any]) -> tuple[bool | None, bool]:
    """enabled and untested, taken out of the document."""
    enabled, untested = document.pop("enabled", None), document.pop("untested", False)
    if not isinstance(enabled, bool | None) or not isinstance(untested, bool):
        raise Refused("invalid_setting", "Setting enabled: it must be true or false, and so must untested.")
    return enabled, untested


def _check_version(provider: UpstreamProvider, version: int | None) -> None:
    if version is not None and provider.version != version:
        raise changed_meanwhile()
