"""Asks a Metadata Query server for one entity when somebody needs it, and keeps the answer.

Anybody can send us a request in the name of any entity, so asking is bounded: in how many at a time, how many unknown ones a
minute, and not again soon after a no. Leaves which federation counts to `federations`, and the document to idp.saml.mdq.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.log import event
from idp.base.net import NetPolicy
from idp.base.places import Places
from idp.domain.saml import FederationEntity, MetadataSource
from idp.ports import Duplicate, Repository
from idp.services.metadata.fetch import MISSING, fetch_metadata, one_peer

NO_AGAIN_SECONDS = 300.0
FAILED_AGAIN_SECONDS = 60.0
UNKNOWN_A_MINUTE = 60
MOST_REMEMBERED = 2000
LONGEST_SECONDS = 30 * 86_400.0  # whatever a validUntil says
WITHOUT_END_SECONDS = 7 * 86_400.0
SHORTEST_CACHE, USUAL_CACHE, LONGEST_CACHE = 300.0, 21_600.0, 86_400.0
MAX_ENTITY_ID = 1024
_log = logging.getLogger("idp.metadata")


class MetadataQuery:
    """Safe to share between threads. policy: asked at each fetch. places: so many threads may wait for such a server."""

    def __init__(self, repo: Repository, clock: Clock, policy: Callable[[], NetPolicy], places: Places) -> None:
        self._repo = repo
        self._clock = clock
        self._policy = policy
        self._places = places
        self._lock = threading.Lock()
        self._not_before: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._minute = self._asked = 0

    def entity(self, source: MetadataSource, entity_id: str, known: FederationEntity | None) -> FederationEntity | None:
        """known: what is kept of it. An answer that is no longer fresh is used until it ends, when there is no newer one.

        Raises Refused(temporarily_unavailable) when nothing is kept and too many wait.
        """
        now = self._clock()
        if known is not None and now < known.fresh_until:
            return known
        if not self._may_ask(source, entity_id, now, unknown=known is None):
            return known
        try:
            with self._places.taken():
                return self._stored(self._asked_for(source, entity_id, now, known), known)
        except Refused as refused:
            if refused.code == "temporarily_unavailable":
                if known is None:
                    raise
                return known
            gone = refused.code == MISSING
            self._remember(source, entity_id, now + (NO_AGAIN_SECONDS if gone else FAILED_AGAIN_SECONDS))
            event(_log, "metadata_query_failed", source=source.id, entity=entity_id[:200], why=refused.reason[:300])
            if gone and known is not None:
                self._repo.delete(FederationEntity, known.id)
            return None if gone else known

    def _asked_for(
        self, source: MetadataSource, entity_id: str, now: float, known: FederationEntity | None
    ) -> FederationEntity:
        from idp.saml.mdq import address, answered
        from idp.saml.metadata_document import Problem

        fetched = fetch_metadata(address(source.url, entity_id), one_peer(self._policy()), signed=True)
        try:
            entry, found = answered(fetched.body or b"", source.certificates, entity_id)
        except Problem as problem:
            raise Refused("metadata_unusable", "The metadata cannot be used.", reason=str(problem)) from None
        ends = min(found.valid_until or now + WITHOUT_END_SECONDS, now + LONGEST_SECONDS)
        if ends <= now:
            raise Refused("metadata_unusable", "The metadata cannot be used.", reason="its validUntil is in the past")
        if known is not None and found.valid_until is not None and found.valid_until < known.expires_at:
            # Somebody's old copy is signed as well, and would bring back keys that were taken out since.
            raise Refused("metadata_unusable", "The metadata cannot be used.", reason="it is older than what is kept")
        fresh = now + min(max(found.cache_seconds or USUAL_CACHE, SHORTEST_CACHE), LONGEST_CACHE)
        return FederationEntity(
            entity_key(source.batch, entity_id),
            entity_id,
            source.id,
            entry.name,
            entry.metadata,
            slice_name(source.batch, 0),
            expires_at=ends,
            fresh_until=min(fresh, ends),
        )

    def _stored(self, made: FederationEntity, known: FederationEntity | None) -> FederationEntity:
        """Of two that ask at the same time either may win: both have what the server says."""
        if known is not None:
            return self._repo.replace_if(replace(made, version=known.version)) or made
        with suppress(Duplicate):
            self._repo.insert(made)
        return made

    def _may_ask(self, source: MetadataSource, entity_id: str, now: float, *, unknown: bool) -> bool:
        if not 0 < len(entity_id) <= MAX_ENTITY_ID or any(not ("!" <= c <= "~") for c in entity_id):
            return False
        with self._lock:
            if now < self._not_before.get((source.batch, entity_id), 0.0) <= now + NO_AGAIN_SECONDS:
                return False
            if int(now // 60) != self._minute:
                self._minute, self._asked = int(now // 60), 0
            self._asked += unknown
            return not unknown or self._asked <= UNKNOWN_A_MINUTE

    def _remember(self, source: MetadataSource, entity_id: str, until: float) -> None:
        with self._lock:
            self._not_before[source.batch, entity_id] = until
            self._not_before.move_to_end((source.batch, entity_id))
            while len(self._not_before) > MOST_REMEMBERED:
                self._not_before.popitem(last=False)


def slice_name(batch: str, number: int) -> str:
    return f"{batch}.{number}"


def entity_key(batch: str, entity_id: str) -> str:
    return ids.digest(f"{batch}|{entity_id}")
