"""Random identifiers, one maker per use, so that no two kinds share a key space.

Sizes: every secret has 256 bits, every public identifier at least 128.
"""

import hashlib
import secrets
import time

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def secret() -> str:
    """43 URL-safe characters, 256 bits: codes, handles, tokens, client secrets."""
    return secrets.token_urlsafe(32)


def public_id(prefix: str) -> str:
    """`prefix_` and 128 random bits in hex. Says nothing about when or in what order it was made."""
    return f"{prefix}_{secrets.token_hex(16)}"


def timed_id(prefix: str, at: float) -> str:
    """`prefix_` and 128 bits in hex: milliseconds since 1970, then 80 random ones. For what is made all day long: neighbours
    in time are neighbours in every index, so that storing one touches few pages. Never as a secret."""
    return f"{prefix}_{int(at * 1000) & 0xFFFFFFFFFFFF:012x}{secrets.token_hex(10)}"


def ordered_id(prefix: str, at: float | None = None) -> str:
    """Sorts by time of creation (milliseconds), then 80 random bits. For logs and lists, never as a secret."""
    millis = int((time.time() if at is None else at) * 1000)
    value = (millis << 80) | secrets.randbits(80)
    text = "".join(_CROCKFORD[(value >> shift) & 31] for shift in range(125, -1, -5))
    return f"{prefix}_{text}"


def trace_code() -> str:
    """Eight characters that a person can read out over the telephone (40 bits)."""
    return "".join(secrets.choice(_CROCKFORD) for _ in range(8)).upper()


def derived_code(value: str) -> str:
    """The same eight characters for the same value. It tells nothing of the value, and is no secret."""
    number = int.from_bytes(hashlib.sha256(f"code:{value}".encode()).digest()[:5])
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(35, -1, -5)).upper()


def digest(value: str) -> str:
    """SHA-256 in hex: what is stored instead of a random secret of at least 128 bits. Never for passwords."""
    return hashlib.sha256(value.encode()).hexdigest()
