"""Moves signing keys through their life: next -> current -> retiring -> gone. Leaves making and using them to idp.crypto,
and the hour at which it happens by itself to whoever calls `keep`.

A key is published before it signs, and stays published until every token that it signed has expired.
"""

import logging
import random
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace

from idp.base import log
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.crypto.key_set import ORDER, RETIRING_SECONDS, is_published
from idp.crypto.keys import PUBLISH_SECONDS, TOKEN_USES, KeyRing
from idp.domain.signing_key import DEFAULT_ALGS, KeyState, KeyUse, SigningKey, slot_name
from idp.ports import Duplicate, Repository, StoreUnavailable
from idp.services.record_audit import Audit

DAY = 86_400.0
CHECK_SECONDS = 3600.0
FIRST_CHECK_SECONDS = 60.0
SCHEDULE = "schedule"  # who did it, in the audit
# Public halves of keys that are published no longer, for whoever asks what that kid was. The audit remembers it longer.
RECORD_SECONDS = 30 * DAY
_log = logging.getLogger("idp.keys")


@dataclass(frozen=True, slots=True)
class KeyAge:
    """One line of `idp keys list`. age: seconds since the key was made; activated_at: it signs from then on; rotation_due:
    when it is replaced by itself; published_until: when a retiring key leaves the JWK set."""

    kid: str
    use: KeyUse
    alg: str
    state: KeyState
    created_at: float
    activated_at: float | None
    retired_at: float | None
    age: float
    external: bool = False
    rotation_due: float | None = None
    published_until: float | None = None

    @property
    def stood(self) -> float:
        """Seconds for which it was published before it signed; until now for one that does not sign yet."""
        return self.age if self.activated_at is None else self.activated_at - self.created_at

    @property
    def hasty(self) -> bool:
        """Does it sign although SAML peers, which read our metadata once a day, may not know it?"""
        return self.use == "saml" and self.state == "current" and self.stood < DAY


class RotateKeys:
    """days: so old a key may become before `keep` rotates it; 0 for never."""

    def __init__(self, repo: Repository, keys: KeyRing, clock: Clock, audit: Audit, days: int = 0) -> None:
        self._repo = repo
        self._keys = keys
        self._clock = clock
        self._audit = audit
        self._seconds = days * DAY

    def listing(self) -> list[KeyAge]:
        """All keys, those in use first."""
        found = [self._age(key) for key in self._keys.all()]
        return sorted(found, key=lambda key: (key.use, key.alg, ORDER[key.state], -key.created_at))

    def rotate_tokens(
        self, *, actor: str, uses: Collection[KeyUse] = TOKEN_USES, algs: Collection[str] = ()
    ) -> list[KeyAge]:
        """Every key that signs tokens, or those of these uses and algorithms. SAML keys are rotated by name only: service
        providers must read our metadata first. Raises Refused(no_such_key) when there is none of these."""
        self._keys.ensure()
        chosen = [(use, alg) for use, alg in self._pairs() if use in uses and (not algs or alg in algs)]
        if not chosen:
            raise Refused("no_such_key", "There is no such key: it is made when the first app needs it.", status=404)
        return [self.rotate(use, alg, actor=actor) for use, alg in chosen]

    def rotate(self, use: KeyUse, alg: str | None = None, *, actor: str) -> KeyAge:
        """next signs from now on (or a few seconds later, once every process publishes it); current retires; a fresh next
        is published. Of several rotations at the same time one takes place. Gives the key that signs.

        Raises Refused(no_next_key) when the keys live elsewhere, and there is no new one.
        """
        return self._rotate(use, alg or DEFAULT_ALGS[use], actor, lambda key: True)

    def revoke(self, kid: str, *, actor: str, wait: Callable[[float], None] = time.sleep) -> KeyAge:
        """A key that has leaked: nothing that it signed is good from now on. One that signs is replaced first, and every
        process has a few seconds to follow. Raises Refused(no_such_key | no_next_key)."""
        key = next((key for key in self._keys.all() if key.id == kid and key.state != "gone"), None)
        if key is None:
            raise Refused("no_such_key", "There is no such key, or it is gone already.", status=404)
        if key.state == "current":
            self.rotate(key.use, key.alg, actor=actor)
            wait(PUBLISH_SECONDS)
        while key is not None and key.state != "gone":
            gone = replace(key, state="gone", slot=None, sealed_private="", retired_at=self._clock())
            if self._repo.replace_if(gone) is not None:
                self._audit.record("keys.revoked", actor=actor, subject=key.use, kid=kid, alg=key.alg)
            key = self._repo.get(SigningKey, kid)
        self._keys.reload()
        self._keys.ensure_next(gone.use, gone.alg)
        return self._age(gone)

    def settle(self) -> None:
        """At start: what the settings no longer want signing (keys of the store, or keys that live elsewhere) retires at once.

        Raises Refused(no_next_key).
        """
        for use, alg in self._pairs():
            current = self._slots().get(slot_name(use, alg, "current"))
            if current is None or self._keys.belongs(current):
                continue
            if alg in self._keys.algs(use):
                self._rotate(use, alg, SCHEDULE, lambda key: not self._keys.belongs(key))
            elif self._retire(current, self._clock()):
                self._keys.ensure_next(use, alg)  # discards the one that waited
                self._audit.record("keys.rotated", actor=SCHEDULE, subject=use, alg=alg, kid=None)

    def keep(self) -> list[KeyAge]:
        """What time brings about; to be called once in a while by every process. Rotates what is too old, once, however many
        processes do this and however long nobody did; clears away what is published no longer. Gives the new keys."""
        rotated = []
        for use, alg in self._pairs():
            current = self._slots().get(slot_name(use, alg, "current"))
            if current is not None and self._is_due(current):
                try:
                    rotated.append(self._rotate(use, alg, SCHEDULE, self._is_due))
                except Refused as error:
                    log.event(_log, "not_rotated", logging.WARNING, use=use, alg=alg, why=error.code)
            self._keys.ensure_next(use, alg)
        self._bury()
        return rotated

    def keep_for_ever(
        self, wait: Callable[[float], None] = time.sleep, chance: Callable[[], float] = random.random
    ) -> None:
        """In a thread of its own. Soon after the start, in case it was due meanwhile, then about once an hour; not all
        processes at the same moment."""
        wait(FIRST_CHECK_SECONDS * (0.5 + chance()))
        while True:
            try:
                self.keep()
            except (StoreUnavailable, Refused) as error:
                log.event(_log, "keep_failed", logging.WARNING, why=str(error))
            wait(CHECK_SECONDS * (0.9 + 0.2 * chance()))

    def _is_due(self, key: SigningKey) -> bool:
        due = self._due_at(key)
        return (due is not None and due <= self._clock()) or not self._keys.belongs(key)

    def _due_at(self, key: SigningKey) -> float | None:
        if not self._seconds or key.state != "current" or key.use not in TOKEN_USES:
            return None
        return (key.activated_at or key.created_at) + self._seconds

    def _rotate(self, use: KeyUse, alg: str, actor: str, may: Callable[[SigningKey], bool]) -> KeyAge:
        """may: asked about the very record that is then replaced, so that a process that is late does not rotate the key
        that another one has just put there."""
        if self._keys.ensure_next(use, alg) is None:
            raise Refused("no_next_key", "There is no new key to rotate to. Make one where your keys live.", status=409)
        slots = self._slots()
        waiting, current = slots.get(slot_name(use, alg, "next")), slots.get(slot_name(use, alg, "current"))
        if waiting is not None:
            chosen = self._keys.promoted(waiting)
            if current is None:  # somebody else is rotating, or was cut off
                self._promote(chosen)
            elif may(current) and self._retire(current, chosen.activated_at or self._clock()):
                self._promote(chosen)
                self._audit.record("keys.rotated", actor=actor, subject=use, kid=chosen.id, alg=alg)
        self._bury()
        self._keys.ensure_next(use, alg)
        return self._age(self._keys.ensure_current(use, alg))

    def _pairs(self) -> list[tuple[KeyUse, str]]:
        """What tokens are signed with. An algorithm that no app uses any more keeps its key, and is rotated like the others:
        an app that comes back to it finds a key that every process publishes."""
        current = [key for key in self._keys.all() if key.state == "current" and key.use in TOKEN_USES]
        return [(key.use, key.alg) for key in sorted(current, key=lambda key: (key.use, key.alg))]

    def _slots(self) -> dict[str, SigningKey]:
        return {key.slot: key for key in self._keys.all() if key.slot}

    def _retire(self, key: SigningKey, at: float) -> bool:
        return self._repo.replace_if(replace(key, state="retiring", slot=None, retired_at=at)) is not None

    def _promote(self, key: SigningKey) -> None:
        with suppress(Duplicate):  # a process that needed to sign has closed the gap in the meantime
            self._repo.replace_if(key)

    def _bury(self) -> None:
        """Keys that are published no longer lose their private half; their public half stays for the record, for a while.
        That of a key that lives elsewhere stays: it would seem to be a new one."""
        now = self._clock()
        for key in self._keys.all():
            if key.state == "retiring" and not is_published(key, now):
                self._repo.replace_if(replace(key, state="gone", sealed_private=""))
            elif key.state == "gone" and not key.external and now > _gone_at(key) + RECORD_SECONDS:
                self._repo.delete(SigningKey, key.id)

    def _age(self, key: SigningKey) -> KeyAge:
        return KeyAge(
            kid=key.id,
            use=key.use,
            alg=key.alg,
            state=key.state,
            created_at=key.created_at,
            activated_at=key.activated_at,
            retired_at=key.retired_at,
            age=self._clock() - key.created_at,
            external=key.external,
            rotation_due=self._due_at(key),
            published_until=_gone_at(key) if key.state == "retiring" else None,
        )


def _gone_at(key: SigningKey) -> float:
    return (key.retired_at or key.created_at) + RETIRING_SECONDS
