"""Federations: signed metadata of many service providers, as one aggregate or asked for one by one (MDQ).

An aggregate is loaded beside the one that counts and put into force in one write, so that nobody ever sees half of it. Leaves
the load to load_aggregate, asking for one to query, and the hour to jobs.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.domain.saml import FederationEntity, MetadataSource
from idp.ports import Duplicate, Repository
from idp.services.manage_apps import changed_meanwhile
from idp.services.manage_upstreams import PROVIDER_ID
from idp.services.metadata.fetch import check_metadata_url
from idp.services.metadata.load_aggregate import LoadAggregate, forget, new_batch
from idp.services.metadata.peers import each
from idp.services.metadata.query import MetadataQuery, slice_name
from idp.services.metadata.schedule import after_failure
from idp.services.record_audit import Audit
from idp.services.release_saml import check_field

SCHEDULE = "schedule"
SHORTEST, LONGEST = 300, 7 * 86_400  # seconds between two loads
PATIENCE, LONG_PATIENCE = 30.0, 300.0  # the second for those who have time: 100 MB at 3 Mbit/s
LEASE_SECONDS = 900.0
MOST_SOURCES = 100
MOST_ATTRIBUTES = 100
_SET = ("url", "certificates", "attributes", "every_seconds", "enabled")  # by administrators


class Federations:
    def __init__(
        self,
        repo: Repository,
        clock: Clock,
        audit: Audit,
        query: MetadataQuery,
        loader: LoadAggregate,
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._audit = audit
        self._query = query
        self._loader = loader

    def all(self) -> list[MetadataSource]:
        return self._repo.find(MetadataSource, limit=MOST_SOURCES)

    def get(self, source_id: str) -> MetadataSource | None:
        return self._repo.get(MetadataSource, source_id)

    # ---------------------------------------------------------------- who is in them

    def entity(self, entity_id: str) -> tuple[MetadataSource, FederationEntity] | None:
        """As an enabled federation has it at this moment; of several the one that was added first. An MDQ server is asked
        only for those whom no other one has, so that members of an aggregate never wait for it."""
        for _ in range(2):  # again, when a load was put into force between the two look-ups
            known = self._repo.find(FederationEntity, limit=MOST_SOURCES, entity_id=entity_id)
            sources = {one.source_id: self.get(one.source_id) for one in known}
            found = [
                (source, one)
                for one in known
                if (source := sources[one.source_id]) and source.enabled and one.slice.startswith(f"{source.batch}.")
            ]
            if found or not known:
                break
        best = min(found, key=lambda pair: _added(pair[0]), default=None) if known else None
        if best is not None and best[0].kind == "aggregate":
            return best
        return self._asked(entity_id, best)

    def _asked(
        self, entity_id: str, kept: tuple[MetadataSource, FederationEntity] | None
    ) -> tuple[MetadataSource, FederationEntity] | None:
        for source in sorted(self.all(), key=_added) if kept is None else [kept[0]]:
            if source.kind == "mdq" and source.enabled:
                one = self._query.entity(source, entity_id, kept[1] if kept is not None else None)
                if one is not None:
                    return source, one
        return None

    def members(self, source_id: str, limit: int = 1000) -> list[FederationEntity]:
        """Of an aggregate; of an MDQ server those that were asked for. In no order that means anything."""
        source, found = self.get(source_id), list[FederationEntity]()
        for number in itertools.count():
            some = (
                self._repo.find(FederationEntity, limit=limit, slice=slice_name(source.batch, number)) if source else []
            )
            found += some
            if not some or len(found) >= limit:
                return found[:limit]
        return found

    # ---------------------------------------------------------------- changing them

    def add(
        self,
        source_id: str,
        kind: Literal["aggregate", "mdq"],
        url: str,
        *,
        certificates: Iterable[str],
        attributes: Mapping[str, str] | None = None,
        every_seconds: int = 21_600,
        actor: str,
    ) -> MetadataSource:
        """certificates: PEM; one of them must have signed. An aggregate is loaded by the next `refresh`.

        Raises Refused(invalid_federation | federation_taken | metadata_url).
        """
        now = self._clock()
        pinned = each(tuple(certificates))
        made = MetadataSource(
            source_id,
            kind,
            url,
            now,
            pinned,
            attributes=dict(attributes or {}),
            every_seconds=every_seconds,
            next_at=now,
        )
        self._check(made)
        if len(self.all()) >= MOST_SOURCES:
            raise _bad(f"there are {MOST_SOURCES} already")
        made = replace(made, batch=new_batch() if kind == "mdq" else "")
        try:
            self._repo.insert(made)
        except Duplicate:
            raise Refused("federation_taken", "A federation with this id exists.", status=409) from None
        self._audit.record("metadata_source.added", actor=actor, subject=source_id, url=url[:300])
        return made

    def change(self, source: MetadataSource, *, actor: str) -> MetadataSource:
        """source: as it was read, with other values. Another address or key takes nothing over from the one before.

        Raises Refused(unknown_federation | invalid_federation | metadata_url | changed_meanwhile).
        """
        before = self._existing(source.id)
        self._check(source)
        if (source.url, source.certificates, source.kind) != (before.url, before.certificates, before.kind):
            fresh = new_batch() if source.kind == "mdq" else ""
            source = replace(
                source,
                batch=fresh,
                etag="",
                last_modified="",
                entities=0,
                loaded_at=None,
                valid_until=None,
                next_at=0.0,
            )
        stored = self._replaced(source)
        if stored.batch != before.batch and before.batch:
            forget(self._repo, before.batch)
        changed = [name for name in _SET if getattr(before, name) != getattr(source, name)]
        self._audit.record("metadata_source.changed", actor=actor, subject=source.id, fields=" ".join(changed))
        return stored

    def remove(self, source_id: str, *, actor: str) -> None:
        """With all its service providers. Raises Refused(unknown_federation)."""
        before = self._existing(source_id)
        if not self._repo.delete(MetadataSource, source_id):
            raise _unknown()
        forget(self._repo, before.batch)
        self._repo.delete_where(FederationEntity, source_id=source_id)
        self._audit.record("metadata_source.removed", actor=actor, subject=source_id)

    def _check(self, source: MetadataSource) -> None:
        if not PROVIDER_ID.match(source.id):
            raise _bad("use up to 32 lower-case letters, digits and dashes for the id")
        if source.kind not in ("aggregate", "mdq"):
            raise _bad("kind is aggregate or mdq")
        check_metadata_url(source.url, signed=True)
        if type(source.every_seconds) is not int or not SHORTEST <= source.every_seconds <= LONGEST:
            raise _bad(f"every_seconds from {SHORTEST} to {LONGEST}")
        if not 0 < len(source.certificates) <= 10:
            raise _bad("name the certificate with whose key it is signed (1 to 10)")
        from idp.saml.signed_metadata import BadSignature, pinned

        try:
            pinned(source.certificates)
        except BadSignature as error:
            raise _bad(f"a certificate cannot be used: {error}") from None
        if len(source.attributes) > MOST_ATTRIBUTES or any(not 0 < len(one) <= 500 for one in source.attributes):
            raise _bad(f"at most {MOST_ATTRIBUTES} attributes, each with a name")
        for field in source.attributes.values():
            check_field(field)

    # ---------------------------------------------------------------- loading

    def due(self) -> list[str]:
        now = self._clock()
        return [one.id for one in self.all() if one.kind == "aggregate" and one.enabled and one.next_at <= now]

    def refresh(
        self, source_id: str, *, actor: str = SCHEDULE, patience: float = PATIENCE, only_due: bool = False
    ) -> MetadataSource:
        """Fetch and load it now; nothing to load for an MDQ server, whose kept answers are forgotten. patience: seconds that
        fetching may take; a page should not keep its thread for long. only_due: not if somebody else has just done it.

        Raises Refused(unknown_federation | changed_meanwhile | metadata_unreachable | metadata_unusable).
        """
        source = self._existing(source_id)
        if source.kind == "mdq":
            self._repo.delete_where(FederationEntity, source_id=source_id)
            return source
        if only_due and source.next_at > self._clock():
            raise changed_meanwhile()
        source = self._replaced(replace(source, next_at=self._clock() + LEASE_SECONDS))  # claimed
        try:
            return self._put_in_force(source, self._loader.load(source, patience), actor)
        except Refused as refused:
            if refused.code != "changed_meanwhile":
                self._failed(source, refused)
            raise

    def _put_in_force(self, before: MetadataSource, loaded: MetadataSource, actor: str) -> MetadataSource:
        try:
            stored = self._replaced(loaded)
        except Refused:
            if loaded.batch != before.batch:
                forget(self._repo, loaded.batch)
            raise
        if stored.batch != before.batch:
            if before.batch:
                forget(self._repo, before.batch)
            self._audit.record("metadata_source.loaded", actor=actor, subject=stored.id, entities=str(stored.entities))
        return stored

    def _failed(self, source: MetadataSource, refused: Refused) -> None:
        failures, now, why = source.failures + 1, self._clock(), refused.reason[:500]
        next_at = after_failure(now, source.every_seconds, failures)
        self._repo.replace_if(replace(source, checked_at=now, problem=why, failures=failures, next_at=next_at))

    def _existing(self, source_id: str) -> MetadataSource:
        found = self.get(source_id)
        if found is None:
            raise _unknown()
        return found

    def _replaced(self, source: MetadataSource) -> MetadataSource:
        stored = self._repo.replace_if(source)
        if stored is None:
            raise changed_meanwhile()
        return stored


def _added(source: MetadataSource) -> tuple[float, str]:
    return source.created_at, source.id


def _unknown() -> Refused:
    return Refused("unknown_federation", "There is no such federation.", status=404)


def _bad(why: str) -> Refused:
    return Refused("invalid_federation", f"The federation cannot be added so: {why}.")
