"""A new service provider, a changed one, and fresh metadata of one: the same for pages and the JSON API.

Leaves the rules and the audit to idp.services.manage_apps, and reading metadata to idp.saml.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from idp.base.errors import Refused
from idp.domain.relying import ServiceProvider
from idp.http.parts import Parts
from idp.services.manage_apps import changed_meanwhile
from idp.services.metadata.watch import Adopt

if TYPE_CHECKING:
    from idp.saml.views import SpView

MAX_METADATA = 400_000  # bytes; requests have 512 KiB at most. Larger ones come by URL or by the command line.


def drafted(parts: Parts, metadata: bytes, given: Mapping[str, Any]) -> ServiceProvider:
    """Not stored. Raises Refused(invalid_sp_metadata | metadata_too_large)."""
    from idp.saml.sp_metadata import service_provider_from_metadata  # here: it loads an XML library

    if len(metadata) > MAX_METADATA:
        raise Refused("metadata_too_large", f"The metadata has more than {MAX_METADATA} bytes.", status=413)
    return replace(service_provider_from_metadata(metadata, parts.clock()), **given)


def new_sp(parts: Parts, metadata: bytes, given: Mapping[str, Any], who: str) -> ServiceProvider:
    """Raises Refused(invalid_sp_metadata | invalid_sp_setting | sp_taken)."""
    return parts.apps.add_service_provider(drafted(parts, metadata, given), actor=who)


def new_sp_from_url(
    parts: Parts, url: str, adopt: Adopt, certificates: Sequence[str], given: Mapping[str, Any], who: str
) -> ServiceProvider:
    """Fetched, and from now on watched. certificates: PEM; one of them must have signed the metadata, none means that TLS
    vouches. Raises what new_sp raises, and Refused(metadata_unreachable | metadata_url | metadata_watch | metadata_unusable)."""
    watches = parts.metadata_watch
    watches.check(url, certificates, adopt=adopt)
    made = new_sp(parts, watches.fetch(url, certificates), given, who)
    watches.watch(f"sp:{made.id}", url, certificates=certificates, adopt=adopt, actor=who)
    return made


def known_sp(parts: Parts, entity_id: str | None) -> ServiceProvider | None:
    """One that was added here; else a federation's, which gets settings of its own when somebody changes one."""
    if entity_id is None:
        return None
    sp = parts.apps.service_provider(entity_id)
    if sp is not None:
        return sp
    try:
        found = parts.providers.get(entity_id)
    except Refused:
        return None
    return found[0] if found is not None else None


def changed_sp(
    parts: Parts, before: ServiceProvider, given: Mapping[str, Any], who: str, *, version: int | None
) -> ServiceProvider:
    """version: the one that was looked at, None for any. Raises Refused(invalid_sp_setting | changed_meanwhile)."""
    check_version(before, version)
    return _put(parts, replace(before, **given), who)


def with_metadata(
    parts: Parts, before: ServiceProvider, metadata: bytes, who: str, *, version: int | None
) -> ServiceProvider:
    """Its settings stay: fresh metadata must not weaken what was decided about it.

    Raises Refused(invalid_sp_metadata | invalid_sp_setting | other_entity | changed_meanwhile).
    """
    check_version(before, version)
    fresh = drafted(parts, metadata, {})
    if fresh.id != before.id:
        raise Refused("other_entity", "This is the metadata of another app: its entityID is a different one.")
    return _put(parts, replace(before, metadata=fresh.metadata, source_id=""), who)


def _put(parts: Parts, sp: ServiceProvider, who: str) -> ServiceProvider:
    """Of the version that was looked at; one of a federation is not stored before."""
    if parts.apps.service_provider(sp.id) is None:
        return parts.apps.add_service_provider(sp, actor=who)
    return parts.apps.change_service_provider(sp, actor=who)


def check_version(before: ServiceProvider, version: int | None) -> None:
    if version is not None and before.version != version:
        raise changed_meanwhile()


def summary_of(view: "SpView | None") -> Mapping[str, tuple[str, ...]]:
    """What metadata say, part by part, in values that people can compare."""
    if view is None:
        return {}
    from idp.saml.changes import parts_of

    return parts_of(view)


def said_by(parts: Parts, sp: ServiceProvider) -> "SpView | None":
    """What its metadata says; None when it can no longer be read, or its federation is gone."""
    try:
        found = parts.providers.get(sp.id)
    except Refused:
        return None
    return found[1] if found is not None else None
