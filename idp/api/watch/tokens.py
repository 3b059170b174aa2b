"""Owns the token that says where in the feed a watcher was: sealed, because positions count the writes of everybody."""

import base64
import binascii
import hashlib
import os

from idp.api.problems import bad_request

NONCE_BYTES = 12


class Tokens:
    """key: the store's, the same on every node."""

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # heavy; only where streams are served

        self._cipher = AESGCM(hashlib.sha256(b"position of a watcher" + key).digest())

    def write(self, position: str, of: str) -> str:
        """of: the fingerprint of caller and query, for whom alone it is good."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, position.encode(), of.encode())
        return base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def read(self, text: str, of: str) -> str:
        """Raises Refused 400 bad_cursor."""
        from cryptography.exceptions import InvalidTag

        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            return self._cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], of.encode()).decode()
        except (ValueError, binascii.Error, InvalidTag):
            message = "`after` is not a token that this API gave for this watch of this caller."
            raise bad_request("bad_cursor", message) from None
