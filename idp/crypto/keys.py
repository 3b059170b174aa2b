"""The key ring: which key signs now, which public keys are published, and the parsed keys of this process.

Several processes share one store: each reads it again after a second at most. Leaves making keys to
idp.crypto.new_keys and external_keys, and moving them through their life to idp.services.rotate_keys.
"""

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.waiting import about_to_wait
from idp.crypto.algs import ALG_NAMES, ID_TOKEN_ALGS, key_alg, names_of
from idp.crypto.external_keys import ExternalSource
from idp.crypto.key_set import ORDER, RETIRING_SECONDS, Published, Snapshot, is_published, snapshot
from idp.crypto.new_keys import make_key
from idp.crypto.seal import Seal
from idp.crypto.signers import KeySigner, NotYet, Verifier, no_such_alg, open_key, verifier
from idp.domain.signing_key import DEFAULT_ALGS, TOKEN_USES, KeyState, KeyUse, SigningKey, slot_name
from idp.ports import Duplicate, Repository, Signer

__all__ = ["ALG_NAMES", "ID_TOKEN_ALGS", "PUBLISH_SECONDS", "RETIRING_SECONDS", "TOKEN_USES", "KeyRing", "Published"]

READ_AGAIN_SECONDS = 1.0
# A new key signs only once every process has had time to publish it.
PUBLISH_SECONDS = 3 * READ_AGAIN_SECONDS
TURNED_BACK_SECONDS = 60.0  # and so far the clocks of two nodes may be apart
MOST_KEYS = 100_000  # of all states: one that is not read would be made again


class KeyRing:
    """external: keys that live elsewhere; they sign for the uses that they serve, instead of keys of the store. wait:
    how a thread waits until its key may sign."""

    def __init__(
        self,
        repo: Repository,
        seal: Seal,
        clock: Clock,
        *,
        external: ExternalSource | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._repo = repo
        self._seal = seal
        self._clock = clock
        self._external = external
        self._wait = wait
        self._lock = threading.RLock()
        self._snapshot = Snapshot()
        self._signers: dict[tuple[str, str], Signer] = {}
        self._verifiers: dict[str, Verifier] = {}

    # ---------------------------------------------------------------- at start

    def ensure(self) -> None:
        """Make the keys that are needed to sign tokens, if absent; safely when several processes start together."""
        for use in TOKEN_USES:
            self.ensure_current(use)

    def ensure_saml(self, alg: str | None = None) -> None:
        """Make the SAML keys at their first use: the one that signs, and the next one for the metadata. Cheap afterwards."""
        self.ensure_current("saml", alg)
        self.ensure_next("saml", alg)

    def ensure_current(self, use: KeyUse, alg: str | None = None) -> SigningKey:
        """The current key; made if absent, or a rotation finished that was cut off. Cheap when there is one."""
        return self._with_current(use, alg or DEFAULT_ALGS[use])[1]

    def _with_current(self, use: KeyUse, alg: str) -> tuple[Snapshot, SigningKey]:
        read, slot = self._fresh(), slot_name(use, alg, "current")
        found = read.by_slot.get(slot)
        while found is None:
            with self._lock, suppress(Duplicate):  # another process was faster; its key is as good
                self._fill(use, alg)
            read = self.reload()
            found = read.by_slot.get(slot)
        return read, found

    def _fill(self, use: KeyUse, alg: str) -> None:
        slots = self.reload().by_slot
        waiting = slots.get(slot_name(use, alg, "next"))
        if slot_name(use, alg, "current") in slots:
            return
        if waiting is not None:  # a rotation was cut off half-way
            self._repo.replace_if(self.promoted(waiting))
            return
        about_to_wait()  # an RSA key takes a while
        made = self._make(use, alg, "current")
        if made is None:
            raise Refused("unauthorized_client", "This signature algorithm is not available.", reason=f"no {alg} key")
        # The first key of the usual algorithm is there before any process answers. Those of others come later, and wait.
        if alg != DEFAULT_ALGS[use]:
            made = replace(made, activated_at=made.created_at + PUBLISH_SECONDS)
        self._repo.insert(made)

    def _make(self, use: KeyUse, alg: str, state: KeyState) -> SigningKey | None:
        if self._external is None or not self._external.serves(use):
            return make_key(use, state, self._seal, self._clock(), alg)
        return self._external.offer(use, alg, state, self._clock(), {key.id for key in self._snapshot.keys})

    def ensure_next(self, use: KeyUse, alg: str | None = None) -> SigningKey | None:
        """The key that will sign after the next rotation; made if absent. It is published from now on. None: the keys live
        elsewhere, and there is no new one."""
        alg = alg or DEFAULT_ALGS[use]
        slot = slot_name(use, alg, "next")
        with self._lock:
            found = self._fresh().by_slot.get(slot) or self.reload().by_slot.get(slot)
            while found is None or not self.belongs(found):
                if found is not None:  # it never signed anything
                    gone = replace(found, state="gone", slot=None, sealed_private="", retired_at=self._clock())
                    self._repo.replace_if(gone)
                made = self._make(use, alg, "next")
                if made is None:
                    return None
                with suppress(Duplicate):  # another process was faster
                    self._repo.insert(made)
                found = self.reload().by_slot.get(slot)
            return found

    def belongs(self, key: SigningKey) -> bool:
        """Its private half is where the settings say that keys of this use are."""
        return key.external == (self._external is not None and self._external.serves(key.use))

    def promoted(self, key: SigningKey) -> SigningKey:
        """`next` as `current`. activated_at: the moment from which it signs, when every process has published it."""
        at = max(self._clock(), key.created_at + PUBLISH_SECONDS)
        return replace(key, state="current", slot=slot_name(key.use, key.alg, "current"), activated_at=at)

    # ---------------------------------------------------------------- signing

    def algs(self, use: KeyUse = "id_token") -> tuple[str, ...]:
        """The names of the algorithms with which tokens of this use can be signed."""
        if self._external is None or not self._external.serves(use):
            return ALG_NAMES
        return tuple(name for alg in self._external.algs(use) for name in names_of(alg))

    def prepare(self, *algs: str | None) -> None:
        """Have the keys made with which an app's answers are to be signed (None: not signed), when it is registered, and
        before anything is used up that must be answered with a signature. Waits once in the life of an algorithm, as
        `signer` does; ever after it is cheap. Raises Refused(invalid_client_metadata) for what cannot be had here."""
        for name in algs:
            if name not in (None, DEFAULT_ALGS["id_token"]):
                try:
                    self.signer("id_token", name)
                except NotYet:
                    pass
                except Refused as error:
                    if error.status != 400:
                        raise
                    said = f"{str(name)[:40]} is no signature algorithm of this server."
                    raise Refused("invalid_client_metadata", said, reason=error.reason) from None

    def signer(self, use: KeyUse, alg: str | None = None) -> Signer:
        """The key that signs now. alg: a name of ALG_NAMES, which becomes that of the signer; None for the usual one.

        The very first key of an algorithm must not sign before every process publishes it: that is waited for, at most
        PUBLISH_SECONDS, in a thread that may wait (see idp.base.waiting).
        Raises Refused: temporarily_unavailable (503, Retry-After), unauthorized_client for what is no algorithm of ours.
        """
        name = DEFAULT_ALGS[use] if alg is None else alg
        try:
            key = self._signing(use, key_alg(name))
        except ValueError:
            raise no_such_alg(name) from None
        return self._signers.get((key.id, name)) or self._open(key, name)

    def _signing(self, use: KeyUse, alg: str) -> SigningKey:
        read, current = self._with_current(use, alg)
        now = self._clock()
        at = current.activated_at or 0.0
        if at <= now:
            return current
        # Until every process publishes the new key, the last one that was known to all signs.
        known = [
            key
            for key in read.by_kid.values()
            if (key.use, key.alg) == (use, alg) and key.state != "next" and (key.activated_at or 0.0) <= now
        ]
        # Nothing is promised further ahead than PUBLISH_SECONDS: then it is the clock that was turned back.
        if not known and use != "saml" and at <= now + TURNED_BACK_SECONDS:
            self._await(at)
        return max(known, key=lambda key: key.retired_at or now, default=current)

    def _await(self, at: float) -> None:
        about_to_wait()
        self._wait(max(0.0, min(at - self._clock(), PUBLISH_SECONDS)))
        if self._clock() < at:
            raise NotYet(PUBLISH_SECONDS)

    def _open(self, key: SigningKey, name: str) -> Signer:
        if not key.external:
            opened: Signer = open_key(key, self._seal, name)
        elif self._external is not None:
            opened = self._external.open(key, name)
        else:
            raise Refused(
                "temporarily_unavailable",
                "Signing is not possible at the moment.",
                status=503,
                reason=f"key {key.id} lives elsewhere, and oidc.external_keys is not set",
            )
        self._signers[key.id, name] = opened
        return opened

    # ---------------------------------------------------------------- public keys

    def published(self) -> Published:
        """The JWK set (RFC 7517 5): next, current and retiring keys of tokens."""
        read = self._fresh()
        for key in tuple(read.by_slot.values()):
            # The next ones are made when somebody first asks for the set: start should be quick.
            ours = key.state == "current" and key.use in TOKEN_USES and not key.external
            if ours and slot_name(key.use, key.alg, "next") not in read.by_slot:
                about_to_wait()
                self.ensure_next(key.use, key.alg)
        return self._fresh().published

    def jwks(self) -> dict[str, Any]:
        return cast(dict[str, Any], json.loads(self.published().body))

    def verifier(self, kid: str, use: KeyUse) -> Verifier | None:
        """The public key with which to check a token of ours that claims to be signed by `kid`; None when not published."""
        key = self._fresh().by_kid.get(kid)
        if key is None or key.use != use:
            return None
        found = self._verifiers.get(kid)
        if found is None:
            found = self._verifiers[kid] = verifier(kid, key.alg, key.public_jwk)
        return found

    # ---------------------------------------------------------------- SAML

    def saml_current(self, alg: str = "RS256") -> tuple[str, Any, str]:
        """(kid, private key, certificate in PEM) that signs SAML messages now. alg: RS256, ES256 or ES384; the key of each is
        made at its first use."""
        self.ensure_saml(alg)
        return self._saml_key(self._signing("saml", alg))

    def saml_published(self) -> list[str]:
        """Certificates (PEM) for our metadata: the one that signs first, then the next, then retired ones; of every algorithm
        that is in use."""
        self.ensure_saml()
        signing = self._signing("saml", DEFAULT_ALGS["saml"])
        return self._certificates("saml", signing.id)

    def saml_decrypting(self) -> list[tuple[Any, str]]:
        """(RSA private key, certificate in PEM) of every key with which somebody may still encrypt for us, the current one,
        which is the one to publish, first."""
        current = self.ensure_current("saml_encryption")
        self.ensure_next("saml_encryption")
        keys = [key for key in self._fresh().by_kid.values() if key.use == "saml_encryption"]
        keys.sort(key=lambda key: (key.id != current.id, ORDER[key.state]))
        return [self._saml_key(key)[1:] for key in keys]

    def _saml_key(self, key: SigningKey) -> tuple[str, Any, str]:
        assert key.certificate is not None
        opened = cast(KeySigner, self._signers.get((key.id, key.alg)) or self._open(key, key.alg))
        return key.id, opened.private, key.certificate

    def _certificates(self, use: KeyUse, first: str) -> list[str]:
        keys = [key for key in self._fresh().by_kid.values() if key.use == use]
        keys.sort(key=lambda key: (key.id != first, ORDER[key.state], key.created_at))
        return [key.certificate for key in keys if key.certificate]

    # ---------------------------------------------------------------- the store

    def all(self) -> tuple[SigningKey, ...]:
        """Every key as the store has it now."""
        return self.reload().keys

    def _fresh(self) -> Snapshot:
        found = self._snapshot
        if found.read_at is not None and 0 <= self._clock() - found.read_at < READ_AGAIN_SECONDS:
            return found
        with self._lock:
            if self._snapshot is not found:
                return self._snapshot  # another thread has just read it
            return self.reload()

    def reload(self) -> Snapshot:
        """Read the store now."""
        with self._lock:
            now = self._clock()
            keys = tuple(self._repo.find(SigningKey, limit=MOST_KEYS))
            before = self._snapshot
            if keys == before.keys and sum(is_published(key, now) for key in keys) == len(before.by_kid):
                self._snapshot = replace(before, read_at=now)
            else:
                found = self._snapshot = snapshot(keys, now)
                self._signers = {known: one for known, one in self._signers.items() if known[0] in found.by_kid}
                self._verifiers = {kid: one for kid, one in self._verifiers.items() if kid in found.by_kid}
            return self._snapshot
