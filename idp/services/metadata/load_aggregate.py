"""Loads the aggregate of a federation: fetched into a file, verified as a stream, stored under a batch of its own.

Leaves putting the batch into force, and clearing away the one before, to `federations`, and the document to idp.saml.aggregate.
"""

import itertools
import tempfile
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.net import NetPolicy
from idp.domain.saml import FederationEntity, MetadataSource
from idp.ports import Repository
from idp.services.metadata.fetch import fetch_metadata
from idp.services.metadata.query import LONGEST_SECONDS, entity_key, slice_name
from idp.services.metadata.schedule import after_success

if TYPE_CHECKING:
    from idp.saml.aggregate import Aggregate, Entry

ROWS = 200  # stored in one transaction, so that sign-ins go on meanwhile


class LoadAggregate:
    """policy: asked at each fetch. max_bytes: of an aggregate."""

    def __init__(self, repo: Repository, clock: Clock, policy: Callable[[], NetPolicy], *, max_bytes: int) -> None:
        self._repo = repo
        self._clock = clock
        self._policy = policy
        self._max_bytes = max_bytes

    def load(self, source: MetadataSource, patience: float) -> MetadataSource:
        """As it is to be stored: with the new batch, whose entities are there by now, or with the one it has when nothing is
        new. patience: seconds that fetching may take.

        Raises Refused(metadata_unreachable | metadata_missing | metadata_url | metadata_unusable).
        """
        policy = self._policy()
        policy = replace(policy, max_bytes=self._max_bytes, timeout=max(policy.timeout, patience))
        with tempfile.TemporaryFile() as file:
            tags = {"etag": source.etag, "last_modified": source.last_modified} if source.batch else {}
            fetched = fetch_metadata(source.url, policy, signed=True, into=file, **tags)
            now = self._clock()
            source = replace(source, checked_at=now, next_at=now + source.every_seconds, problem="", failures=0)
            if fetched.body is None:
                return source
            file.seek(0)
            from idp.saml.aggregate import verified
            from idp.saml.metadata_document import Problem

            try:
                with verified(file, source.certificates, self._max_bytes) as found:
                    source = replace(source, etag=fetched.etag, last_modified=fetched.last_modified)
                    return self._stored(source, found)
            except Problem as problem:
                raise _unusable(str(problem)) from None

    def _stored(self, source: MetadataSource, found: "Aggregate") -> MetadataSource:
        now, ends = self._clock(), found.valid_until
        if ends is not None and ends <= now:
            raise _unusable("its validUntil is in the past")
        if source.batch and source.valid_until is not None and (ends or 0.0) < source.valid_until:
            # Somebody's old copy would bring back keys that were taken out since.
            raise _unusable("it is older than the one that was loaded before")
        batch, count = new_batch(), 0
        rows = (_row(one, source.id, batch, now) for one in found.entities())
        good = (row for row in rows if row.expires_at > now)
        for number in itertools.count():
            part = [replace(row, slice=slice_name(batch, number)) for row in islice(good, ROWS)]
            if not part:
                break
            self._repo.insert_all(*part)
            count += len(part)
        next_at = after_success(now, source.every_seconds, ends, found.cache_seconds)
        return replace(source, batch=batch, entities=count, loaded_at=now, valid_until=ends, next_at=next_at)


def new_batch() -> str:
    return ids.public_id("batch")


def forget(repo: Repository, batch: str) -> None:
    """Slice by slice, so that sign-ins go on meanwhile."""
    for number in itertools.count():
        if not repo.delete_where(FederationEntity, slice=slice_name(batch, number)):
            return


def _row(one: "Entry", source_id: str, batch: str, now: float) -> FederationEntity:
    ends = min(one.valid_until or now + LONGEST_SECONDS, now + LONGEST_SECONDS)
    key = entity_key(batch, one.entity_id)
    return FederationEntity(key, one.entity_id, source_id, one.name, one.metadata, "", expires_at=ends)


def _unusable(why: str) -> Refused:
    return Refused("metadata_unusable", f"The metadata cannot be used: {why}.", reason=why)
