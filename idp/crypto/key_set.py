"""The signing keys as one process has read them, and the JWK set (RFC 7517 5) that is published.

Leaves reading and choosing to idp.crypto.keys.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from idp.domain.signing_key import TOKEN_USES, KeyState, SigningKey

# Retired keys stay published: longer than any token or any session whose ID token may come back as a logout hint.
RETIRING_SECONDS = 172_800.0
ORDER: dict[KeyState, int] = {"current": 0, "next": 1, "retiring": 2, "gone": 3}


@dataclass(frozen=True, slots=True)
class Published:
    """The key set as bytes. etag: changes with them."""

    body: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """by_kid: the published ones. by_slot: those that are next or current."""

    keys: tuple[SigningKey, ...] = ()
    read_at: float | None = None
    published: Published = field(default=Published(b'{"keys":[]}', ""))
    by_kid: Mapping[str, SigningKey] = field(default_factory=dict)
    by_slot: Mapping[str, SigningKey] = field(default_factory=dict)


def snapshot(keys: tuple[SigningKey, ...], now: float) -> Snapshot:
    by_kid = {key.id: key for key in keys if is_published(key, now)}
    by_slot = {key.slot: key for key in keys if key.slot}
    return Snapshot(keys, now, _publish([*by_kid.values()]), by_kid, by_slot)


def is_published(key: SigningKey, now: float) -> bool:
    if key.state == "retiring":
        return now < (key.retired_at or 0.0) + RETIRING_SECONDS
    return key.state != "gone"


def _publish(keys: list[SigningKey]) -> Published:
    # Current ones first: a client that does not look at kids takes the first key of its kind.
    shown = sorted((key for key in keys if key.use in TOKEN_USES), key=lambda key: (ORDER[key.state], key.use, key.alg))
    body = json.dumps({"keys": [dict(key.public_jwk) for key in shown]}, separators=(",", ":")).encode()
    return Published(body, hashlib.sha256(body).hexdigest()[:32])
