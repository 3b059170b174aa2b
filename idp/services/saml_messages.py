"""The newest SAML messages of each peer, for administrators who look for a fault. A sign-in never waits for this, nor fails by it.

`keep` only puts the message into a short queue; a thread of our own redacts and stores what is in it, together, every moment.
Whatever is too much is left out: idp.domain.message_ring says what. Leaves reading messages to the doors.
"""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from idp.base import ids
from idp.base.clock import Clock
from idp.base.log import event
from idp.domain.message_ring import Allowance, Kept, Pace, share_of, surplus
from idp.domain.relying import ServiceProvider
from idp.domain.saml import FederationEntity, MessageCheck, SamlMessage
from idp.domain.upstream import UpstreamProvider
from idp.ports import Repository, SyncLater

UNKNOWN = "unknown"  # the peer of what comes in nobody's name, or in one that is not registered

TOGETHER_SECONDS = 0.5
IDLE_SECONDS = 5.0  # so long the thread waits for more before it ends
MOST_WAITING, MOST_WAITING_BYTES = 500, 4_000_000
MOST_PEERS = 10_000  # whose names are remembered as known
MOST_READ, MOST_RINGS, REMEMBERED_SECONDS = 1_000, 1_000, 60.0
# After a burst: of one peer a success of one kind, a failure of one kind every so many seconds.
SUCCESS_SECONDS, FAILURE_SECONDS = 0.5, 10.0
# Of all peers together: successes; failures in a name that anybody could have used; failures of whoever had signed.
SUCCESSES, STRANGERS, VOUCHED = Pace(400, 0.05), Pace(200, 5.0), Pace(200, 2.0)

_log = logging.getLogger("idp.saml")


@dataclass(frozen=True, slots=True)
class _Waiting:
    at: float
    peer: str
    direction: Literal["in", "out"]
    kind: str
    binding: str
    document: bytes = field(repr=False)
    checks: tuple[MessageCheck, ...]
    ok: bool
    trace: str


class SamlMessages:
    """kept: so many of each peer; 0 keeps none. hours: how long."""

    def __init__(self, repo: Repository, clock: Clock, *, kept: int, hours: int) -> None:
        self._repo = repo
        self._clock = clock
        self.kept = kept
        self._seconds = hours * 3600.0
        self._ready = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._bytes = 0
        self._left_out = 0
        self._allowance: Allowance[tuple[str, str]] = Allowance()
        self._known: dict[str, None] = {}
        self._thread: threading.Thread | None = None
        self._writing = threading.Lock()
        self._newest = 0
        self._rings: dict[str, tuple[float, list[Kept]]] = {}

    # ---------------------------------------------------------------- at the doors

    def keep(
        self,
        peer: str,
        direction: Literal["in", "out"],
        kind: str,
        binding: str,
        document: bytes,
        *,
        checks: Sequence[MessageCheck] = (),
        ok: bool = True,
        trace: str = "",
        at: float | None = None,
    ) -> None:
        """Returns at once; what is kept is written a moment later, by another thread.

        peer: `sp:ENTITYID` or `upstream:ID`, whom the message names as its sender or is meant for; empty when it names
        nobody. document: XML as it was on the way, or before it was encrypted; signatures and ciphers are taken out here.
        ok: it was accepted. trace: the code of the refusal. at: when it came, for one that is kept after its answer.
        """
        if not self.kept:
            return
        now, share = self._clock(), share_of(ok, kind, checks)
        with self._ready:
            size = len(document)
            full = len(self._waiting) >= MOST_WAITING or self._bytes + size > MOST_WAITING_BYTES
            if full or not self._may(peer, share, now, ok=ok):
                self._left_out += 1
                return
            self._bytes += size
            self._waiting.append(
                _Waiting(now if at is None else at, peer, direction, kind, binding, document, tuple(checks), ok, trace)
            )
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._write_for_ever, name="saml-messages", daemon=True)
                self._thread.start()
            else:
                self._ready.notify()

    def _may(self, peer: str, share: str, now: float, *, ok: bool) -> bool:
        """Names that anybody can make up share one allowance; otherwise each of them would open a new one."""
        whose = peer if ok or peer in self._known else UNKNOWN
        pace = Pace(self.kept, SUCCESS_SECONDS) if ok else Pace((self.kept + 1) // 2, FAILURE_SECONDS)
        if not self._allowance.take((whose, share), pace, now):
            return False
        if ok:
            return self._allowance.take(("", "successes"), SUCCESSES, now)
        vouched = share.endswith(" signed")
        return self._allowance.take(("", "vouched" if vouched else "strangers"), VOUCHED if vouched else STRANGERS, now)

    # ---------------------------------------------------------------- for readers

    def of(self, peer: str) -> list[SamlMessage]:
        """The newest first."""
        return self._repo.find(SamlMessage, peer=peer, newest=True, limit=self.kept) if self.kept else []

    def newest(self, limit: int = 100) -> list[SamlMessage]:
        """Of every peer."""
        return self._repo.find(SamlMessage, newest=True, limit=limit)

    def get(self, id: str) -> SamlMessage | None:
        return self._repo.get(SamlMessage, id)

    def of_trace(self, trace: str) -> SamlMessage | None:
        """What was refused with this trace code."""
        found = self._repo.find(SamlMessage, trace=trace.strip().upper(), limit=1) if trace.strip() else []
        return found[0] if found else None

    # ---------------------------------------------------------------- the thread that writes

    def _write_for_ever(self) -> None:
        while True:
            with self._ready:
                if not self._ready.wait_for(lambda: bool(self._waiting), IDLE_SECONDS):
                    self._thread = None
                    return
            time.sleep(TOGETHER_SECONDS)
            self.flush()

    def flush(self) -> None:
        """Write what waits, now. Raises nothing: whatever goes wrong here concerns nobody who signs in."""
        with self._writing:
            with self._ready:
                batch, self._waiting, self._bytes = self._waiting, [], 0
                left_out, self._left_out = self._left_out, 0
            if left_out:
                event(_log, "messages_left_out", n=left_out)
            try:
                later: SyncLater | None = getattr(self._repo, "sync_later", None)
                # Nobody is told that these are kept, so a power cut may take them: no sync to disk, which sign-ins wait for.
                (partial(later.run, self._write) if later else self._write)(batch)
            except Exception as error:  # noqa: BLE001
                event(_log, "messages_not_kept", logging.WARNING, n=len(batch), why=f"{type(error).__name__}: {error}")

    def _write(self, batch: list[_Waiting]) -> None:
        by_peer: dict[str, list[_Waiting]] = {}
        for one in sorted(
            batch, key=lambda one: (one.at, one.direction)
        ):  # at the same moment the question comes first
            by_peer.setdefault(one.peer if self._is_known(one.peer) else UNKNOWN, []).append(one)
        for peer, new in by_peer.items():
            self._add(peer, new)

    def _add(self, peer: str, new: list[_Waiting]) -> None:
        """Those that would go again at once are neither redacted nor written."""
        ring = self._ring(peer)
        fresh = {made.id: (made, one) for one in new for made in [self._message(peer, one)]}
        everyone = [*ring, *(Kept(made.id, _share(made)) for made, _ in fresh.values())]
        gone = surplus(everyone, self.kept)
        written = [_with_text(made, one.document) for id, (made, one) in fresh.items() if id not in gone]
        if written:
            self._repo.insert_all(*written)
        for known in ring:
            if known.id in gone:
                self._repo.delete(SamlMessage, known.id)
        self._rings[peer] = (self._clock(), [one for one in everyone if one.id not in gone])

    def _ring(self, peer: str) -> list[Kept]:
        """What is kept of a peer, the oldest first. Remembered, as reading it costs more than a sign-in; other processes
        keep messages as well, so that for a while there are more than there should be."""
        read_at, known = self._rings.pop(peer, (0.0, []))
        if not 0 <= self._clock() - read_at < REMEMBERED_SECONDS:
            found = self._repo.find(SamlMessage, peer=peer, limit=MOST_READ)
            known = [Kept(one.id, _share(one)) for one in found]
        while len(self._rings) >= MOST_RINGS:
            self._rings.pop(next(iter(self._rings)))
        return known

    def _message(self, peer: str, one: _Waiting) -> SamlMessage:
        """Without its text. Ids of one process rise, within a millisecond too."""
        self._newest = max(self._newest + 1, int(one.at * 1000))
        return SamlMessage(
            ids.ordered_id("sm", self._newest / 1000),
            peer,
            one.at,
            one.at + self._seconds,
            one.direction,
            one.kind,
            one.binding,
            "",
            one.checks,
            one.ok,
            one.trace,
        )

    def _is_known(self, peer: str) -> bool:
        if peer in self._known:
            return True
        if not self._is_registered(*peer.partition(":")[::2]):
            return False
        with self._ready:
            if len(self._known) >= MOST_PEERS:
                self._known.clear()
            self._known[peer] = None
        return True

    def _is_registered(self, kind: str, name: str) -> bool:
        if kind == "upstream":
            return self._repo.get(UpstreamProvider, name) is not None
        if kind != "sp":
            return False
        known = self._repo.get(ServiceProvider, name) is not None
        return known or bool(self._repo.find(FederationEntity, entity_id=name, limit=1))


def _share(message: SamlMessage) -> str:
    return share_of(message.ok, message.kind, message.checks)


def _with_text(message: SamlMessage, document: bytes) -> SamlMessage:
    from idp.saml.redact import redacted  # lxml: not before there is a message

    return replace(message, xml=redacted(document, ours=message.direction == "out"))
