"""The artifact of SAML 2.0 (Bindings 3.6.4): 44 bytes that stand for a message, made and read. And the messages with which it
is exchanged for that (Core 3.5): ArtifactResolve read, ArtifactResponse written.

Leaves storing what an artifact stands for, and who may have it, to the SAML door.
"""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from idp.saml.names import REQUESTER, SUCCESS
from idp.saml.writing import element, instant, message

TYPE_4 = b"\x00\x04"
HANDLE_BYTES = 20
LENGTH = 44


@dataclass(frozen=True, slots=True)
class Artifact:
    """index: of the endpoint where it is resolved, as our metadata numbers it. source: SHA-1 of the issuer's entityID."""

    index: int
    source: bytes
    handle: bytes


def new_artifact(entity_id: str, index: int = 0) -> str:
    """160 random bits that nobody can guess, in base64."""
    handle = secrets.token_bytes(HANDLE_BYTES)
    return base64.b64encode(TYPE_4 + index.to_bytes(2, "big") + source_id(entity_id) + handle).decode()


def read_artifact(text: str) -> Artifact | None:
    """None for what is not one of type 4."""
    try:
        raw = base64.b64decode("".join(text.split()), validate=True) if len(text) <= 2 * LENGTH else b""
    except (binascii.Error, ValueError):
        return None
    if len(raw) != LENGTH or raw[:2] != TYPE_4:
        return None
    return Artifact(int.from_bytes(raw[2:4], "big"), raw[4:24], raw[24:])


def source_id(entity_id: str) -> bytes:
    """SHA-1 as a short name (Bindings 3.6.4): nothing rests on it."""
    return hashlib.sha1(entity_id.encode(), usedforsecurity=False).digest()


def artifact_response(
    entity_id: str, asked: str, now: float, content: str | None, sign: Callable[[str], Callable[[bytes], str]]
) -> bytes:
    """A signed ArtifactResponse to the ArtifactResolve with the ID `asked`. content: the message, in canonical form; empty
    when there is none, which is a success as well (Core 3.5.3); None for a request that is refused."""
    id = f"_{secrets.token_hex(20)}"
    value = REQUESTER if content is None else SUCCESS
    status = element("samlp:Status", {}, element("samlp:StatusCode", {"Value": value}))
    attributes = {"ID": id, "Version": "2.0", "IssueInstant": instant(int(now)), "InResponseTo": asked}
    inner = (content or "").replace(' xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"', "", 1)
    return message("samlp:ArtifactResponse", attributes, entity_id, status + inner, sign(id)).encode()
