"""The key ring: which key signs now, which public keys are published, and the parsed keys of this process.

Several processes share one store: each reads it again after a second at most. Leaves making keys to
idp.crypto.new_keys and moving them through their life to idp.services.rotate_keys.
"""

import hashlib
import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from idp.base.clock import Clock
from idp.crypto.new_keys import FIELD, PrivateKey, make_key
from idp.crypto.seal import Seal
from idp.domain.signing_key import KeyUse, SigningKey
from idp.ports import Duplicate, Repository, Signer

if TYPE_CHECKING:
    from joserfc.jwk import Key

READ_AGAIN_SECONDS = 1.0
# A new key signs only once every process has had time to publish it.
PUBLISH_SECONDS = 3 * READ_AGAIN_SECONDS
# Retired keys stay published: longer than any token or any session whose ID token may come back as a logout hint.
RETIRING_SECONDS = 172_800.0
TOKEN_USES: tuple[KeyUse, ...] = ("id_token", "access_token")
_ES256, _RS256 = ec.ECDSA(SHA256()), SHA256()


class KeySigner:
    """A private key in this process, as a Signer."""

    def __init__(self, kid: str, alg: str, private: PrivateKey) -> None:
        self.kid = kid
        self.alg = alg
        self._private = private

    def sign(self, message: bytes) -> bytes:
        if isinstance(self._private, rsa.RSAPrivateKey):
            return self._private.sign(message, padding.PKCS1v15(), _RS256)
        r, s = decode_dss_signature(self._private.sign(message, _ES256))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")  # RFC 7518 3.4

    @property
    def private(self) -> PrivateKey:
        """For signatures that are not JWS (XML signatures)."""
        return self._private

    def __repr__(self) -> str:
        return f"KeySigner({self.kid}, {self.alg})"


@dataclass(frozen=True, slots=True)
class Published:
    """The key set as bytes. etag: changes with them."""

    body: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class _Snapshot:
    keys: tuple[SigningKey, ...] = ()
    read_at: float | None = None
    published: Published = field(default=Published(b'{"keys":[]}', ""))
    by_kid: Mapping[str, SigningKey] = field(default_factory=dict)

    def slot(self, name: str) -> SigningKey | None:
        return next((key for key in self.keys if key.slot == name), None)


class KeyRing:
    def __init__(self, repo: Repository, seal: Seal, clock: Clock) -> None:
        self._repo = repo
        self._seal = seal
        self._clock = clock
        self._lock = threading.RLock()
        self._snapshot = _Snapshot()
        self._signers: dict[str, KeySigner] = {}
        self._verifiers: dict[str, Key] = {}

    # ---------------------------------------------------------------- at start

    def ensure(self) -> None:
        """Make the keys that are needed to sign tokens, if absent; safely when several processes start together."""
        for use in TOKEN_USES:
            self.ensure_current(use)

    def ensure_saml(self) -> None:
        """Make the SAML keys at their first use: the one that signs, and the next one for the metadata. Cheap afterwards."""
        self.ensure_current("saml")
        self.ensure_next("saml")

    def ensure_current(self, use: KeyUse) -> SigningKey:
        """The current key; made if absent, or a rotation finished that was cut off. Cheap when there is one."""
        return self._with_current(use)[1]

    def _with_current(self, use: KeyUse) -> tuple[_Snapshot, SigningKey]:
        snapshot = self._fresh()
        found = snapshot.slot(f"{use}:current")
        while found is None:
            with self._lock, suppress(Duplicate):  # another process was faster; its key is as good
                waiting = self.reload().slot(f"{use}:next")
                if self._snapshot.slot(f"{use}:current"):
                    pass
                elif waiting is None:
                    self._repo.insert(make_key(use, "current", self._seal, self._clock()))
                else:  # a rotation was cut off half-way
                    self._repo.replace_if(self.promoted(waiting))
            snapshot = self.reload()
            found = snapshot.slot(f"{use}:current")
        return snapshot, found

    def ensure_next(self, use: KeyUse) -> SigningKey:
        """The key that will sign after the next rotation; made if absent. It is published from now on."""
        slot = f"{use}:next"
        with self._lock:
            found = self._fresh().slot(slot) or self.reload().slot(slot)
            while found is None:
                with suppress(Duplicate):  # another process was faster
                    self._repo.insert(make_key(use, "next", self._seal, self._clock()))
                found = self.reload().slot(slot)
            return found

    def promoted(self, key: SigningKey) -> SigningKey:
        """`next` as `current`. activated_at: the moment from which it signs, when every process has published it."""
        at = max(self._clock(), key.created_at + PUBLISH_SECONDS)
        return replace(key, state="current", slot=f"{key.use}:current", activated_at=at)

    # ---------------------------------------------------------------- signing

    def signer(self, use: KeyUse) -> Signer:
        return self._signer(self._signing(use))

    def _signing(self, use: KeyUse) -> SigningKey:
        snapshot, current = self._with_current(use)
        now = self._clock()
        if (current.activated_at or 0.0) <= now:
            return current
        # Until every process publishes the new key, the last one that was known to all signs.
        retired = [
            key
            for key in snapshot.by_kid.values()
            if key.use == use and key.state == "retiring" and (key.activated_at or 0.0) <= now
        ]
        return max(retired, key=lambda key: key.retired_at or 0.0, default=current)

    def _signer(self, key: SigningKey) -> KeySigner:
        signer = self._signers.get(key.id)
        if signer is None:
            pem = self._seal.open(key.sealed_private, owner=key.id, field=FIELD)
            private = cast(PrivateKey, load_pem_private_key(pem.encode(), None))
            signer = self._signers[key.id] = KeySigner(key.id, key.alg, private)
        return signer

    # ---------------------------------------------------------------- public keys

    def published(self) -> Published:
        """The JWK set (RFC 7517 5): next, current and retiring keys of tokens."""
        self._complete()
        return self._fresh().published

    def jwks(self) -> dict[str, Any]:
        return cast(dict[str, Any], json.loads(self.published().body))

    def jwks_bytes(self) -> bytes:
        return self.published().body

    def _complete(self) -> None:
        # An RSA key takes a while: the next ones are made when somebody first asks for the set, not at start.
        for use in TOKEN_USES:
            if self._fresh().slot(f"{use}:next") is None:
                self.ensure_next(use)

    def verifier(self, kid: str, use: KeyUse) -> "Key | None":
        """The public key with which to check a token of ours that claims to be signed by `kid`; None when not published."""
        key = self._fresh().by_kid.get(kid)
        if key is None or key.use != use:
            return None
        found = self._verifiers.get(kid)
        if found is None:
            from joserfc.jwk import import_key

            found = self._verifiers[kid] = import_key(dict(key.public_jwk))
        return found

    # ---------------------------------------------------------------- SAML

    def saml_current(self) -> tuple[str, rsa.RSAPrivateKey, str]:
        """(kid, private key, certificate in PEM) that signs assertions now."""
        self.ensure_saml()
        key = self._signing("saml")
        assert key.certificate is not None
        return key.id, cast(rsa.RSAPrivateKey, self._signer(key).private), key.certificate

    def saml_published(self) -> list[str]:
        """Certificates (PEM) for our metadata: the one that signs first, then the next, then retired ones."""
        self.ensure_saml()
        signing = self._signing("saml")
        order = {"current": 0, "next": 1, "retiring": 2}
        keys = sorted(
            (key for key in self._fresh().by_kid.values() if key.use == "saml"),
            key=lambda key: (key.id != signing.id, order[key.state], key.created_at),
        )
        return [key.certificate for key in keys if key.certificate]

    # ---------------------------------------------------------------- the store

    def all(self) -> tuple[SigningKey, ...]:
        """Every key as the store has it now."""
        return self.reload().keys

    def _fresh(self) -> _Snapshot:
        found = self._snapshot
        if found.read_at is not None and 0 <= self._clock() - found.read_at < READ_AGAIN_SECONDS:
            return found
        with self._lock:
            if self._snapshot is not found:
                return self._snapshot  # another thread has just read it
            return self.reload()

    def reload(self) -> _Snapshot:
        """Read the store now."""
        with self._lock:
            now = self._clock()
            keys = tuple(self._repo.find(SigningKey))
            alive = [key for key in keys if is_published(key, now)]
            before = self._snapshot
            if keys == before.keys and len(alive) == len(before.by_kid):
                self._snapshot = replace(before, read_at=now)
            else:
                self._snapshot = _Snapshot(keys, now, _publish(alive), {key.id: key for key in alive})
                self._signers = {kid: s for kid, s in self._signers.items() if kid in self._snapshot.by_kid}
                self._verifiers = {kid: v for kid, v in self._verifiers.items() if kid in self._snapshot.by_kid}
            return self._snapshot


def is_published(key: SigningKey, now: float) -> bool:
    if key.state == "retiring":
        return now < (key.retired_at or 0.0) + RETIRING_SECONDS
    return key.state != "gone"


def _publish(keys: list[SigningKey]) -> Published:
    order = {"current": 0, "next": 1, "retiring": 2}
    shown = sorted((key for key in keys if key.use in TOKEN_USES), key=lambda key: (order[key.state], key.use))
    body = json.dumps({"keys": [dict(key.public_jwk) for key in shown]}, separators=(",", ":")).encode()
    return Published(body, hashlib.sha256(body).hexdigest()[:32])
