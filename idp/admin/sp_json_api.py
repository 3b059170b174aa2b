"""/admin/api/service-providers: what the pages about service providers do, as JSON.

Owns reading requests and telling answers. Leaves who may to access, names and types of settings to sp_json, rules and audit to
idp.services.manage_apps, and metadata that are fetched to idp.services.metadata.watch.
"""

from collections.abc import Mapping
from typing import Any

from idp.admin import sp_json
from idp.admin.json_requests import body_of, check_size, expected_version, page_of, query_of
from idp.admin.json_resource import Resource
from idp.admin.json_values import moment
from idp.admin.names import client_id_of, sp_api_path_of
from idp.admin.sp_changes import (
    changed_sp,
    check_version,
    known_sp,
    new_sp,
    new_sp_from_url,
    said_by,
    summary_of,
    with_metadata,
)
from idp.admin.sp_previews import as_json, preview_for
from idp.base.errors import Refused
from idp.domain.relying import ServiceProvider
from idp.domain.saml import MetadataWatch
from idp.http.machine import NO_STORE, Asked, Headers, Told, told_json
from idp.http.parts import Parts
from idp.services.app_list import SpLine
from idp.services.check_sp import bad
from idp.services.metadata.peers import split_pem

PATH = "/admin/api/service-providers"
MAX_BODY = 524_288  # metadata travel in it
XML_TYPES = ("application/samlmetadata+xml", "application/xml", "text/xml")


class SpJsonApi(Resource[ServiceProvider]):
    path = PATH

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.about_one = {
            "": {"GET": self._show, "PUT": self._put, "PATCH": self._patch, "DELETE": self._remove},
            "metadata": {"GET": self._metadata, "PUT": self._fresh_metadata},
            "preview": {"GET": self._preview},
            "watch": {"GET": self._watch, "PUT": self._set_watch, "DELETE": self._unwatch},
            "refresh": {"POST": self._refresh},
            "pending": {"GET": self._pending, "POST": self._adopt, "DELETE": self._discard},
        }

    def find(self, name: str) -> ServiceProvider | None:
        return known_sp(self._parts, client_id_of(name))

    # ---------------------------------------------------------------- all of them

    def list(self, asked: Asked) -> Told:
        words, after, limit = page_of(asked)
        page = self._parts.sp_list.page(words, after=after, limit=limit)
        found = {"service_providers": [_line(one) for one in page.lines], "total": page.total}
        return told_json({**found, **({"next": page.next} if page.next is not None else {})})

    def create(self, asked: Asked, who: str) -> Told:
        """From metadata: XML as the body, or JSON with `metadata` or `metadata_url`, and settings."""
        given = {"metadata": _xml(asked)} if _is_xml(asked) else body_of(asked, MAX_BODY)
        made = self._created(given, who)
        location = self._parts.installation.issuer + sp_api_path_of(made.id)
        return self._told(made, 201, ("Location", location))

    def _created(self, document: dict[str, Any], who: str) -> ServiceProvider:
        metadata, url = document.pop("metadata", None), document.pop("metadata_url", None)
        if (metadata is None) == (url is None) or not isinstance(metadata if url is None else url, str | bytes):
            raise Refused("invalid_request", "Send metadata or metadata_url, one of them, as a string.")
        if metadata is not None:
            content = metadata if isinstance(metadata, bytes) else metadata.encode()
            return new_sp(self._parts, content, sp_json.read(document), who)
        adopt, certificates = _watching(document)
        return new_sp_from_url(self._parts, url, adopt, certificates, sp_json.read(document), who)

    # ---------------------------------------------------------------- one

    def _show(self, asked: Asked, sp: ServiceProvider, who: str) -> Told:
        query_of(asked)
        return self._told(sp)

    def _patch(self, asked: Asked, sp: ServiceProvider, who: str) -> Told:
        """The settings that are named, and no others."""
        return self._changed(asked, sp, who, {})

    def _put(self, asked: Asked, sp: ServiceProvider, who: str) -> Told:
        """Every setting: one that is not named gets its default."""
        return self._changed(asked, sp, who, sp_json.defaults())

    def _changed(self, asked: Asked, sp: ServiceProvider, who: str, otherwise: Mapping[str, Any]) -> Told:
        document = body_of(asked)
        version = expected_version(asked, document.pop("version", None))
        given = {**otherwise, **sp_json.read(document, self._shown(sp))}
        return self._told(changed_sp(self._parts, sp, given, who, version=version))

    def _remove(self, asked: Asked, sp: ServiceProvider, who: str) -> Told:
        query_of(asked)
        check_version(sp, expected_version(asked))
        self._parts.apps.remove_service_provider(sp.id, actor=who)
        return Told(204, headers=[*NO_STORE])

    def _metadata(self, asked: Asked, sp: ServiceProvider, who: str) -> Told:
        """As they were registered; of one of a federation there are none here."""
        query_of(asked)
        if not sp.metadata:
            raise Refused("not_found", "Its metadata is kept with its federation.", status=404)
        return Told(200, sp.metadata.encode(), [*NO_STORE, ("ETag", f'"{sp.version}"')], XML_TYPES[0])

    def _fresh_metadata(self, asked: Asked, sp: ServiceProvider, who: str) -> Told:
        if not _is_xml(asked):
            raise Refused("invalid_request", f"Send the metadata as {XML_TYPES[0]}.")
        version = expected_version(asked)
        return self._told(with_metadata(self._parts, sp, _xml(asked), who, version=version))

    def _preview(self, asked: Asked, sp: ServiceProvider, who: str) -> Told:
        given = query_of(asked, "user")
        if not given.get("user"):
            raise Refused("invalid_request", "Say whose attributes: ?user=NAME.")
        return told_json(as_json(*preview_for(self._parts, sp, given["user"])))

    # ---------------------------------------------------------------- metadata that are fetched

    def _watch(self, asked: Asked, sp: ServiceProvider, who: str) -> Told:
        query_of(asked)
        watch = self._parts.metadata_watch.of(_peer(sp))
        if watch is None:
            raise Refused("not_found", "Its metadata are not fetched from anywhere.", status=404)
        return told_json(_watch_json(watch))

    def _set_watch(self, asked: Asked, sp: ServiceProvider, who: str) -> Told:
        document = body_of(asked)
        url, (adopt, certificates) = document.pop("metadata_url", None), _watching(document)
        every = document.pop("every_seconds", 86_400)
        if document:
            raise Refused("unknown_field", f"There is no field {next(iter(document))[:100]!r} of a watch.")
        if not isinstance(url, str) or type(every) is not int:
            raise Refused("invalid_request", "metadata_url is a string, every_seconds a whole number.")
        watch = self._parts.metadata_watch.watch(
            _peer(sp), url, certificates=certificates, adopt=adopt, every_seconds=every, actor=who
        )
        return told_json(_watch_json(watch))

    def _unwatch(self, asked: Asked, sp: ServiceProvider, who: str) -> Told:
        query_of(asked)
        self._parts.metadata_watch.unwatch(_peer(sp), actor=who)
        return Told(204, headers=[*NO_STORE])

    def _refresh(self, asked: Asked, sp: ServiceProvider, who: str) -> Told:
        """Looks now."""
        query_of(asked)
        return told_json(_watch_json(self._parts.metadata_watch.look(_peer(sp), actor=who)))

    def _pending(self, asked: Asked, sp: ServiceProvider, who: str) -> Told:
        query_of(asked)
        found = self._parts.metadata_watch.pending(_peer(sp))
        if found is None:
            raise Refused("nothing_pending", "No new metadata wait here.", status=404)
        changes = [
            {"part": one.part, "gone": [*one.gone], "new": [*one.new], "grave": one.grave} for one in found.changes
        ]
        shown = {"digest": found.digest, "since": moment(found.at), "changes": changes, "metadata": found.metadata}
        return told_json({**shown, "problem": found.problem or None})

    def _adopt(self, asked: Asked, sp: ServiceProvider, who: str) -> Told:
        """digest: of the copy that was looked at; without it whatever waits now is taken over."""
        document = body_of(asked)
        digest = document.pop("digest", None)
        if document or not (digest is None or isinstance(digest, str)):
            raise Refused("invalid_request", "Send the digest of what you looked at, and nothing else.")
        self._parts.metadata_watch.adopt(_peer(sp), digest=digest, actor=who)
        return self._told(self._parts.apps.service_provider(sp.id) or sp)

    def _discard(self, asked: Asked, sp: ServiceProvider, who: str) -> Told:
        digest = query_of(asked, "digest").get("digest")
        self._parts.metadata_watch.discard(_peer(sp), digest=digest, actor=who)
        return Told(204, headers=[*NO_STORE])

    # ---------------------------------------------------------------- answers

    def _shown(self, sp: ServiceProvider) -> dict[str, Any]:
        return sp_json.shown(sp, summary_of(said_by(self._parts, sp)))

    def _told(self, sp: ServiceProvider, status: int = 200, *headers: tuple[str, str]) -> Told:
        tagged: Headers = [("ETag", f'"{sp.version}"'), *headers]
        return told_json(self._shown(sp), status, tagged)


def _peer(sp: ServiceProvider) -> str:
    return f"sp:{sp.id}"


def _line(one: SpLine) -> dict[str, Any]:
    return {"entity_id": one.id, "name": one.name, "enabled": one.enabled, "source_id": one.source_id}


def _watch_json(watch: MetadataWatch) -> dict[str, Any]:
    return {
        "metadata_url": watch.url,
        "adopt": watch.adopt,
        "certificates": [*watch.certificates],
        "every_seconds": watch.every_seconds,
        "checked_at": moment(watch.checked_at),
        "adopted_at": moment(watch.adopted_at),
        "next_at": moment(watch.next_at),
        "valid_until": moment(watch.valid_until),
        "problem": watch.problem or None,
        "pending": watch.pending is not None,
    }


def _watching(document: dict[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """adopt and certificates, taken out of the document; what adopt may be, the service says."""
    adopt, given = document.pop("adopt", "ask"), document.pop("certificates", [])
    if adopt not in ("ask", "auto"):
        raise bad("adopt", "it must be one of 'ask', 'auto'")
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise bad("certificates", "it must be an array of strings")
    return adopt, tuple(one for text in given for one in split_pem(text) or (text,))


def _is_xml(asked: Asked) -> bool:
    return asked.headers.get("content-type", "").partition(";")[0].strip().lower() in XML_TYPES


def _xml(asked: Asked) -> bytes:
    check_size(asked, MAX_BODY)
    query_of(asked)
    return asked.body
