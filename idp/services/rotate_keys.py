"""Moves signing keys through their life: next -> current -> retiring -> gone. Leaves making and using them to idp.crypto.

A key is published before it signs, and stays published until every token that it signed has expired.
"""

from contextlib import suppress
from dataclasses import dataclass, replace

from idp.base.clock import Clock
from idp.crypto.keys import TOKEN_USES, KeyRing, is_published
from idp.domain.signing_key import KeyState, KeyUse, SigningKey
from idp.ports import Duplicate, Repository
from idp.services.record_audit import Audit

ORDER: dict[KeyState, int] = {"current": 0, "next": 1, "retiring": 2, "gone": 3}


@dataclass(frozen=True, slots=True)
class KeyAge:
    """One line of `idp keys list`. age: seconds since the key was made; signs: it signs from now on."""

    kid: str
    use: KeyUse
    alg: str
    state: KeyState
    created_at: float
    activated_at: float | None
    retired_at: float | None
    age: float


class RotateKeys:
    def __init__(self, repo: Repository, keys: KeyRing, clock: Clock, audit: Audit) -> None:
        self._repo = repo
        self._keys = keys
        self._clock = clock
        self._audit = audit

    def listing(self) -> list[KeyAge]:
        """All keys, those in use first."""
        now = self._clock()
        found = [_age(key, now) for key in self._keys.all()]
        return sorted(found, key=lambda key: (key.use, ORDER[key.state], -key.created_at))

    def rotate_tokens(self, *, actor: str) -> list[KeyAge]:
        """Both keys that sign tokens. SAML keys are rotated by name only: service providers must read our metadata first."""
        return [self.rotate(use, actor=actor) for use in TOKEN_USES]

    def rotate(self, use: KeyUse, *, actor: str) -> KeyAge:
        """next signs from now on (or a few seconds later, once every process publishes it); current retires; a fresh next
        is published. Of several rotations at the same time one takes place. Gives the key that signs."""
        self._keys.ensure_next(use)
        slots = {key.slot: key for key in self._keys.all()}
        waiting, current = slots.get(f"{use}:next"), slots.get(f"{use}:current")
        if waiting is not None:
            chosen = self._keys.promoted(waiting)
            if current is None or self._retire(current, chosen.activated_at or self._clock()):
                self._promote(chosen)
                self._audit.record("keys.rotated", actor=actor, subject=use, kid=chosen.id)
        self._bury()
        self._keys.ensure_next(use)
        return _age(self._keys.ensure_current(use), self._clock())

    def _retire(self, key: SigningKey, at: float) -> bool:
        return self._repo.replace_if(replace(key, state="retiring", slot=None, retired_at=at)) is not None

    def _promote(self, key: SigningKey) -> None:
        with suppress(Duplicate):  # a process that needed to sign has closed the gap in the meantime
            self._repo.replace_if(key)

    def _bury(self) -> None:
        """Keys that are published no longer lose their private half; their public half stays for the record."""
        now = self._clock()
        for key in self._keys.all():
            if key.state == "retiring" and not is_published(key, now):
                self._repo.replace_if(replace(key, state="gone", sealed_private=""))


def _age(key: SigningKey, now: float) -> KeyAge:
    return KeyAge(
        key.id, key.use, key.alg, key.state, key.created_at, key.activated_at, key.retired_at, now - key.created_at
    )
