"""/admin/api/federations: signed metadata of many service providers, as JSON. What `idp federation` does on a command line.

Owns reading requests and telling answers. Leaves who may to access, and every rule to idp.services.metadata.federations.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, cast, get_type_hints

from idp.admin.json_requests import body_of, expected_version, query_of, whole_of
from idp.admin.json_resource import Resource
from idp.admin.json_values import from_json, moment, to_json
from idp.base.errors import Refused
from idp.domain.saml import MetadataSource
from idp.http.machine import NO_STORE, Asked, Headers, Told, told_json
from idp.http.parts import Parts
from idp.services.manage_apps import changed_meanwhile

PATH = "/admin/api/federations"
CHANGEABLE = ("url", "certificates", "attributes", "every_seconds", "enabled")
USUAL, MOST = 100, 1000  # members in one answer
_HINTS = get_type_hints(MetadataSource)


class FederationJsonApi(Resource[MetadataSource]):
    path = PATH

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.about_one = {
            "": {"GET": self._show, "PATCH": self._patch, "DELETE": self._remove},
            "refresh": {"POST": self._refresh},
            "members": {"GET": self._members},
        }

    def find(self, name: str) -> MetadataSource | None:
        return self._parts.federations.get(name)

    def list(self, asked: Asked) -> Told:
        """`?entity_id=`: those that have this service provider."""
        wanted = query_of(asked, "entity_id").get("entity_id")
        if wanted is None:
            return told_json({"federations": [_shown(one) for one in self._parts.federations.all()]})
        found = self._parts.federations.entity(wanted)
        return told_json({"federations": [_shown(found[0])] if found is not None else []})

    def create(self, asked: Asked, who: str) -> Told:
        """It is loaded by the next refresh, which comes by itself within a minute."""
        document = body_of(asked)
        id, kind = document.pop("id", None), document.pop("kind", "aggregate")
        if not isinstance(id, str) or not isinstance(kind, str):
            raise _bad("id", "it must be a string")
        given = _read(document)
        if "url" not in given:
            raise _bad("url", "it is missing")
        enabled = given.pop("enabled", True)
        made = self._parts.federations.add(
            id, cast(Literal["aggregate", "mdq"], kind), certificates=given.pop("certificates", ()), actor=who, **given
        )
        if not enabled:
            made = self._parts.federations.change(replace(made, enabled=False), actor=who)
        return _told(made, 201, ("Location", f"{self._parts.installation.issuer}{PATH}/{made.id}"))

    # ---------------------------------------------------------------- one

    def _show(self, asked: Asked, source: MetadataSource, who: str) -> Told:
        query_of(asked)
        return _told(source)

    def _patch(self, asked: Asked, source: MetadataSource, who: str) -> Told:
        """What is named, and nothing else."""
        document = body_of(asked)
        self._check(source, expected_version(asked, document.pop("version", None)))
        return _told(self._parts.federations.change(replace(source, **_read(document)), actor=who))

    def _remove(self, asked: Asked, source: MetadataSource, who: str) -> Told:
        query_of(asked)
        self._check(source, expected_version(asked))
        self._parts.federations.remove(source.id, actor=who)
        return Told(204, headers=[*NO_STORE])

    def _refresh(self, asked: Asked, source: MetadataSource, who: str) -> Told:
        """Loads it now."""
        query_of(asked)
        return _told(self._parts.federations.refresh(source.id, actor=who))

    def _members(self, asked: Asked, source: MetadataSource, who: str) -> Told:
        limit = whole_of(query_of(asked, "limit").get("limit", str(USUAL)), "limit", 1, MOST)
        found = self._parts.federations.members(source.id, limit)
        lines = [{"entity_id": one.entity_id, "name": one.name, "valid_until": moment(one.expires_at)} for one in found]
        return told_json({"members": lines, "total": source.entities})

    def _check(self, source: MetadataSource, version: int | None) -> None:
        if version is not None and version != source.version:
            raise changed_meanwhile()


def _read(document: Mapping[str, Any]) -> dict[str, Any]:
    """Names and types only. Raises Refused(invalid_federation | unknown_field)."""
    for name in document:
        if name not in CHANGEABLE:
            raise Refused("unknown_field", f"There is no field {name[:100]!r}; use one of {', '.join(CHANGEABLE)}.")
    return {name: from_json(name, value, _HINTS[name], _bad) for name, value in document.items()}


def _bad(name: str, why: str) -> Refused:
    return Refused("invalid_federation", f"{name}: {why}.")


def _shown(one: MetadataSource) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        **{name: to_json(getattr(one, name)) for name in CHANGEABLE},
        "entities": one.entities,
        "checked_at": moment(one.checked_at),
        "loaded_at": moment(one.loaded_at),
        "valid_until": moment(one.valid_until),
        "next_at": moment(one.next_at) if one.kind == "aggregate" else None,
        "problem": one.problem or None,
        "version": one.version,
    }


def _told(one: MetadataSource, status: int = 200, *headers: tuple[str, str]) -> Told:
    tagged: Headers = [("ETag", f'"{one.version}"'), *headers]
    return told_json(_shown(one), status, tagged)
