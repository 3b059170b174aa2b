"""Other names for random identifiers: whoever has the key finds the first name again, nobody else sees that two belong together.

Leaves what is renamed, and for whom, to the services.
"""

import re

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

_SHAPE = re.compile(r"([a-z]{1,16}_)([0-9a-f]{32})")  # ids.public_id: a prefix and 128 random bits


def renamed(key: bytes, name: str) -> str | None:
    """Of the same shape. key: 32 bytes. None for what is no identifier of ours."""
    return _turned(key, name, back=False)


def original(key: bytes, name: str) -> str | None:
    """The inverse of `renamed`."""
    return _turned(key, name, back=True)


def _turned(key: bytes, name: str, *, back: bool) -> str | None:
    found = _SHAPE.fullmatch(name)
    if found is None:
        return None
    # One block, never two: as such AES is a permutation of all identifiers, and needs no mode.
    cipher = Cipher(AES(key), ECB())  # noqa: S305
    turn = cipher.decryptor() if back else cipher.encryptor()
    return found[1] + (turn.update(bytes.fromhex(found[2])) + turn.finalize()).hex()
