"""Watches the metadata of peers where they publish them: looks again on schedule, compares, and takes a new copy over, or
keeps it until somebody has agreed to what it changes.

A copy counts until its own validUntil, whatever the address says meanwhile. Leaves fetching to fetch, what a peer
is to peers, and the hour to jobs.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.net import NetPolicy
from idp.domain.saml import MetadataWatch
from idp.ports import Duplicate, Repository
from idp.services.manage_apps import changed_meanwhile
from idp.services.metadata.compare import Pending, changes, parts, said_by, unusable, verified
from idp.services.metadata.fetch import check_metadata_url, fetch_metadata, one_peer
from idp.services.metadata.peers import SP, UPSTREAM, Peer, Peers, Source, each
from idp.services.metadata.schedule import after_failure, after_success
from idp.services.record_audit import Audit

if TYPE_CHECKING:
    from idp.saml.changes import View

SCHEDULE = "schedule"  # who did it, in the audit
SHORTEST, LONGEST = 300, 30 * 86_400  # seconds between two looks
LEASE_SECONDS = 300.0  # nobody else looks meanwhile
MOST_PINNED = 10
MOST_LINES = 50
MANY = 100_000
Adopt = Literal["ask", "auto"]


class MetadataWatches:
    """policy: asked at each fetch."""

    def __init__(
        self, repo: Repository, clock: Clock, audit: Audit, peers: Peers, policy: Callable[[], NetPolicy]
    ) -> None:
        self._repo = repo
        self._clock = clock
        self._audit = audit
        self._peers = peers
        self._policy = policy

    # ---------------------------------------------------------------- what is watched

    def of(self, peer: str) -> MetadataWatch | None:
        return self._repo.get(MetadataWatch, peer)

    def all(self) -> list[MetadataWatch]:
        return self._repo.find(MetadataWatch, limit=MANY)

    def watch(
        self,
        peer: str,
        url: str,
        *,
        certificates: Sequence[str] = (),
        adopt: Adopt = "ask",
        every_seconds: int = 86_400,
        actor: str,
    ) -> MetadataWatch:
        """Begin, or watch in another way from now on; the next look is due at once. certificates: PEM,
        one or several in each text.

        Raises Refused(unknown_peer | metadata_url | metadata_watch | changed_meanwhile).
        """
        if not peer.startswith(SP):
            raise Refused("metadata_watch", "An upstream is watched as its settings say: set metadata_url there.")
        known = self._peer(peer)
        certificates = each(certificates)
        self.check(url, certificates, adopt, every_seconds)
        now, before = self._clock(), self.of(peer)
        made = MetadataWatch(peer, url, now, now, certificates, adopt, every_seconds)
        stored = self._put(made, before)
        self._audit.record("sp.changed", actor=actor, subject=known.subject, fields="metadata_url")
        return stored

    def unwatch(self, peer: str, *, actor: str) -> None:
        """What it knows now stays. Raises Refused(unknown_watch)."""
        if not peer.startswith(SP) or not self._repo.delete(MetadataWatch, peer):
            raise _unknown_watch()
        self._audit.record("sp.changed", actor=actor, subject=peer.removeprefix(SP), fields="metadata_url")

    def follow_upstreams(self) -> None:
        """Upstreams say in their settings where their metadata is: watch exactly those."""
        wanted = dict(self._peers.upstreams())
        known = {one.id: one for one in self.all() if one.id.startswith(UPSTREAM)}
        for peer, source in wanted.items():
            before = known.get(peer)
            if before is None or _source(before) != source:
                now = self._clock()
                self._put(MetadataWatch(peer, source.url, now, now, source.certificates, source.adopt), before)
        for peer in known.keys() - wanted.keys():
            self._repo.delete(MetadataWatch, peer)

    def _put(self, made: MetadataWatch, before: MetadataWatch | None) -> MetadataWatch:
        if before is not None:
            return self._replaced(replace(made, created_at=before.created_at, version=before.version))
        try:
            self._repo.insert(made)
        except Duplicate:
            raise changed_meanwhile() from None
        return made

    def check(
        self, url: str, certificates: Sequence[str] = (), adopt: str = "ask", every_seconds: int = 86_400
    ) -> None:
        """Could this be watched so? Raises Refused(metadata_url | metadata_watch)."""
        from idp.saml.signed_metadata import BadSignature, pinned

        certificates = each(certificates)
        check_metadata_url(url, signed=bool(certificates))
        if adopt not in ("ask", "auto") or type(every_seconds) is not int or not SHORTEST <= every_seconds <= LONGEST:
            raise Refused("metadata_watch", f"adopt is ask or auto; every_seconds from {SHORTEST} to {LONGEST}.")
        if len(certificates) > MOST_PINNED:
            raise Refused("metadata_watch", f"At most {MOST_PINNED} certificates.")
        try:
            pinned(certificates)
        except BadSignature as error:
            raise Refused("metadata_watch", f"A certificate cannot be used: {error}.") from None

    # ---------------------------------------------------------------- one look

    def fetch(self, url: str, certificates: Sequence[str] = ()) -> bytes:
        """For a peer that is to be added; what one of the certificates has signed, when there are any.

        Raises Refused(metadata_unreachable | metadata_missing | metadata_url | metadata_unusable).
        """
        certificates = each(certificates)
        body = fetch_metadata(url, one_peer(self._policy()), signed=bool(certificates)).body or b""
        return verified(body, certificates, "").encode() if certificates else body

    def look(self, peer: str, *, actor: str = SCHEDULE, only_due: bool = False) -> MetadataWatch:
        """Now. What goes wrong stands in `problem` as well. only_due: not if somebody else has just looked.

        Raises Refused(unknown_watch | changed_meanwhile | metadata_unreachable | …, why the new copy cannot be used).
        """
        if peer.startswith(UPSTREAM):
            self.follow_upstreams()
        watch = self.of(peer)
        if watch is None or self._peers.get(peer) is None:
            self._repo.delete(MetadataWatch, peer)
            raise _unknown_watch()
        if only_due and watch.next_at > self._clock():
            raise changed_meanwhile()
        # Claimed: another process that finds it due at the same moment goes on to the next one.
        watch = self._replaced(replace(watch, next_at=self._clock() + LEASE_SECONDS))
        try:
            return self._looked(watch, self._peer(peer), actor)
        except Refused as refused:
            if refused.code != "changed_meanwhile":
                self._failed(watch, refused)
            raise

    def due(self) -> list[str]:
        """Peers to look at, the longest due first."""
        now = self._clock()
        return [one.id for one in sorted(self.all(), key=lambda one: one.next_at) if one.next_at <= now]

    def _looked(self, watch: MetadataWatch, peer: Peer, actor: str) -> MetadataWatch:
        # Somebody may have brought another copy since: then "as you know it" is no answer.
        conditional = watch.seen == ids.digest(peer.metadata)
        fetched = fetch_metadata(
            watch.url,
            one_peer(self._policy()),
            etag=watch.etag if conditional else "",
            last_modified=watch.last_modified if conditional else "",
            signed=bool(watch.certificates),
        )
        now = self._clock()
        watch = replace(watch, checked_at=now, problem="", failures=0)
        if fetched.body is None:
            return self._replaced(self._scheduled(watch, watch.valid_until, None))
        text = verified(fetched.body, watch.certificates, peer.entity_id)
        view = self._usable(peer, text)
        seen = ids.digest(peer.metadata)
        watch = replace(watch, seen=seen, etag=fetched.etag, last_modified=fetched.last_modified)
        return self._compared(self._scheduled(watch, view.valid_until, view.cache_seconds), peer, text, view, actor)

    def _compared(self, watch: MetadataWatch, peer: Peer, text: str, view: "View", actor: str) -> MetadataWatch:
        old = self._read_now(peer)
        found = changes(old, view)
        said = said_by(view)
        if old is not None and not found:
            if text != peer.metadata and view.valid_until != old.valid_until:
                peer.renew(text)
                watch = replace(watch, seen=ids.digest(text))
            return self._replaced(replace(watch, pending=None, pending_at=None, valid_until=view.valid_until))
        # On the word of TLS alone nobody gets new keys or addresses; and an older copy is as well signed as a newer one.
        older = any(one.part == "valid_until" for one in found)
        trusted = not older if watch.certificates else not any(one.grave for one in found)
        if old is None or (watch.adopt == "auto" and trusted):
            return self._adopted(watch, peer, text, view, actor)
        if said == watch.declined:
            return self._replaced(replace(watch, pending=None, pending_at=None))
        known = watch.pending is not None and said_by(peer.read(watch.pending)) == said
        stored = self._replaced(replace(watch, pending=text, pending_at=watch.pending_at if known else self._clock()))
        if not known:
            self._audit.record(peer.events[1], actor=actor, subject=peer.subject, parts=parts(found))
        return stored

    def _adopted(self, watch: MetadataWatch, peer: Peer, text: str, view: "View", actor: str) -> MetadataWatch:
        found = changes(self._read_now(peer), view)
        lines = [line[:300] for one in found for line in one.lines()][:MOST_LINES]
        peer.adopt(text, actor)
        self._audit.record(peer.events[0], actor=actor, subject=peer.subject, parts=parts(found))
        done = replace(watch, pending=None, pending_at=None, declined="", problem="", adopted_at=self._clock())
        return self._replaced(replace(done, last_change=tuple(lines), valid_until=view.valid_until))

    def _usable(self, peer: Peer, text: str) -> "View":
        view = peer.read(text)
        if view.valid_until is not None and view.valid_until <= self._clock():
            raise unusable("their validUntil is in the past")
        return view

    def _read_now(self, peer: Peer) -> "View | None":
        """None when there is none, or when what is there cannot be used: any copy is better then."""
        try:
            return peer.read(peer.metadata) if peer.metadata else None
        except Refused:
            return None

    def _scheduled(self, watch: MetadataWatch, valid_until: float | None, cache: float | None) -> MetadataWatch:
        return replace(watch, next_at=after_success(self._clock(), watch.every_seconds, valid_until, cache))

    def _failed(self, watch: MetadataWatch, refused: Refused) -> None:
        failures, now, why = watch.failures + 1, self._clock(), refused.reason[:500]
        next_at = after_failure(now, watch.every_seconds, failures)
        again = replace(watch, checked_at=now, problem=why, failures=failures, next_at=next_at)
        peer = self._peers.get(watch.id)
        if self._repo.replace_if(again) is not None and watch.problem == "" and peer is not None:
            self._audit.record(peer.events[2], actor=SCHEDULE, subject=peer.subject, why=why)

    # ---------------------------------------------------------------- what waits

    def pending(self, peer: str) -> Pending | None:
        """What waits for somebody to agree, compared with what counts at this moment."""
        watch, known = self.of(peer), self._peers.get(peer)
        if watch is None or watch.pending is None or known is None:
            return None
        try:
            view = known.read(watch.pending)
        except Refused:  # a rule is stricter than it was when this was fetched
            return None
        found = tuple(changes(self._read_now(known), view))
        ended = view.valid_until is not None and view.valid_until <= self._clock()
        problem = "its validUntil is in the past" if ended else ""
        return Pending(watch.pending, watch.pending_at or 0.0, said_by(view), found, problem)

    def adopt(self, peer: str, *, digest: str | None, actor: str) -> MetadataWatch:
        """Take over what waits. digest: of the Pending that was looked at; None for whatever waits now.

        Raises Refused(nothing_pending | changed_meanwhile | invalid_sp_setting | invalid_sp_metadata | …).
        """
        watch, known = self._waiting(peer, digest)
        assert watch.pending is not None
        view = self._usable(known, watch.pending)
        return self._adopted(watch, known, watch.pending, view, actor)

    def discard(self, peer: str, *, digest: str | None, actor: str) -> MetadataWatch:
        """Not wanted: a copy that says the same is not offered again. Raises Refused(nothing_pending | changed_meanwhile)."""
        watch, known = self._waiting(peer, digest)
        said = said_by(known.read(watch.pending or ""))
        self._audit.record("sp.changed", actor=actor, subject=known.subject, declined="metadata")
        return self._replaced(replace(watch, pending=None, pending_at=None, declined=said))

    def _waiting(self, peer: str, digest: str | None) -> tuple[MetadataWatch, Peer]:
        watch, waiting = self.of(peer), self.pending(peer)
        if watch is None or waiting is None:
            raise Refused("nothing_pending", "No new metadata wait here.", status=404)
        # Read twice: what was compared must be what is taken over.
        if watch.pending != waiting.metadata or (digest is not None and digest != waiting.digest):
            raise changed_meanwhile()
        return watch, self._peer(peer)

    def _peer(self, peer: str) -> Peer:
        known = self._peers.get(peer)
        if known is None:
            why = "There is no app or upstream of this name whose metadata we keep."
            raise Refused("unknown_peer", why, status=404)
        return known

    def _replaced(self, watch: MetadataWatch) -> MetadataWatch:
        stored = self._repo.replace_if(watch)
        if stored is None:
            raise changed_meanwhile()
        return stored


def _source(watch: MetadataWatch) -> Source:
    return Source(watch.url, watch.certificates, watch.adopt)


def _unknown_watch() -> Refused:
    return Refused("unknown_watch", "Its metadata are not watched. Say first where they are published.", status=404)
