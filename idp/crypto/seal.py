"""Secrets at rest: AES-256-GCM, bound to their owner and field, so that a moved or truncated value does not open.

Text form: `s1.<key id>.<base64url(nonce || ciphertext || tag)>`. Leaves storage of the key to idp.base.embedded.
"""

import base64
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from idp.base.errors import Misconfigured

NONCE_BYTES = 12
KEY_BYTES = 32


class SealBroken(Exception):  # noqa: N818
    """A sealed value does not open: another key, another owner or field, or it was changed."""


class Seal:
    """Seals with one key. key: 32 bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise Misconfigured("seal_key", "The key is not 32 bytes long.", "Give 32 random bytes in base64.")
        self._aead = AESGCM(key)
        self._key = key
        self.key_id = hashlib.sha256(b"sheaf key id" + key).hexdigest()[:8]

    def __repr__(self) -> str:
        return f"Seal(key {self.key_id})"

    def close(self, value: str, *, owner: str, field: str) -> str:
        nonce = os.urandom(NONCE_BYTES)
        boxed = nonce + self._aead.encrypt(nonce, value.encode(), _binding(owner, field))
        return f"s1.{self.key_id}.{base64.urlsafe_b64encode(boxed).decode()}"

    def open(self, sealed: str, *, owner: str, field: str) -> str:
        """Raises SealBroken."""
        scheme, _, rest = sealed.partition(".")
        key_id, _, body = rest.partition(".")
        if scheme != "s1" or key_id != self.key_id:
            raise SealBroken(f"sealed under key {key_id[:8]!r}, but the seal key is {self.key_id}")
        try:
            boxed = base64.urlsafe_b64decode(body)
            return self._aead.decrypt(boxed[:NONCE_BYTES], boxed[NONCE_BYTES:], _binding(owner, field)).decode()
        except (InvalidTag, ValueError):
            raise SealBroken("the value was changed, moved or cut") from None

    def derive(self, purpose: str) -> bytes:
        """32 bytes for another use (CSRF tokens, cursors); knowing one tells nothing of the others."""
        return HKDF(SHA256(), 32, salt=None, info=f"sheaf {purpose}".encode()).derive(self._key)


def _binding(owner: str, field: str) -> bytes:
    return f"{len(owner)}:{owner}|{field}".encode()
