"""/register: dynamic client registration (RFC 7591, OIDC Registration 1.0) and its management (RFC 7592).

Leaves who may register what to idp.services.register_client, the names of metadata to client_metadata.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import quote

from idp.base import ids
from idp.base.errors import Refused
from idp.domain.metadata import bad
from idp.domain.relying import Client
from idp.http.json_body import json_body
from idp.http.machine import NO_STORE, Asked, Told, told_json
from idp.protocols.oidc import client_metadata
from idp.protocols.oidc.door import Door
from idp.protocols.oidc.software_statement import approved
from idp.services.register_client import Registered

MAX_BODY = 131_072
MAX_TOKEN = 512
# What the server says, and an app must not send back (RFC 7592 2.2).
_OURS = ("registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at")


def register(door: Door, asked: Asked) -> Told:
    """POST /register (RFC 7591 section 3)."""
    registration = door.parts.registration
    initial = registration.admitted(_bearer(asked), asked.address)
    document, statement = _document(door, asked)
    try:
        with _waiting(door, document):
            made = registration.add(client_metadata.read(document), initial, software=statement)
    except Refused as refused:
        raise client_metadata.in_their_words(refused) from None
    token = made.token.reveal() if made.token else ""
    return told_json({**_information(door, made, token), **_echoed(document)}, 201)


def manage(door: Door, asked: Asked) -> Told:
    """GET, PUT and DELETE /register/CLIENT_ID (RFC 7592 section 2)."""
    token = _bearer(asked)
    client = door.parts.registration.opened(asked.path.removeprefix("/register/"), token, asked.address)
    if asked.method == "DELETE":
        door.parts.registration.remove(client)
        return Told(204, headers=[*NO_STORE])
    if asked.method == "PUT":
        return _update(door, asked, client, token or "")
    return told_json(_information(door, Registered(client), token or ""))


def _update(door: Door, asked: Asked, client: Client, token: str) -> Told:
    """RFC 7592 2.2: the whole of the metadata anew. The registration access token stays the same, so that an app that
    loses our answer is not locked out."""
    document, _ = _document(door, asked)
    for name in _OURS:
        if name in document:
            raise Refused("invalid_request", f"Leave {name} out; it is for the server to say (RFC 7592 2.2).")
    if document.get("client_id") != client.id:
        raise Refused("invalid_request", "client_id must be there and be that of this registration (RFC 7592 2.2).")
    _check_secret(client, document.get("client_secret"))
    try:
        with _waiting(door, document):
            changed = door.parts.registration.change(client, client_metadata.read(document), asked.address)
    except Refused as refused:
        raise client_metadata.in_their_words(refused) from None
    return told_json({**_information(door, changed, token), **_echoed(document)})


def _waiting(door: Door, document: dict[str, Any]) -> AbstractContextManager[None]:
    """Around what may ask the server of the app's sector. Raises Refused(temporarily_unavailable)."""
    return door.places.taken() if document.get("sector_identifier_uri") is not None else nullcontext()


def _check_secret(client: Client, given: object) -> None:
    """An app may say its secret, but never choose it (RFC 7592 2.2)."""
    if given is None:
        return
    if not isinstance(given, str) or client.secret_digest is None or ids.digest(given) != client.secret_digest:
        raise bad("client_secret", "it is not the present one; leave it out")


def _document(door: Door, asked: Asked) -> tuple[dict[str, Any], str | None]:
    """The metadata that count, and who vouches for them. The software statement wins (RFC 7591 2.3)."""
    if len(asked.body) > MAX_BODY:
        raise Refused("invalid_client_metadata", "That is more than 128 KiB.", status=413)
    if asked.query:
        raise Refused("invalid_request", "Send the metadata in the body of the request, none in its address.")
    document = json_body(asked)
    statement = document.get("software_statement")
    if statement is None:
        return document, None
    issuer, claims = approved(door, statement)
    return {**document, **claims}, issuer


def _echoed(document: dict[str, Any]) -> dict[str, Any]:
    """RFC 7591 3.2.1: the statement as it was sent."""
    return {name: document[name] for name in ("software_statement",) if document.get(name) is not None}


def _information(door: Door, made: Registered, token: str) -> dict[str, Any]:
    """RFC 7591 3.2.1, RFC 7592 section 3. The secret is shown when it is new: of older ones only a digest is kept."""
    client = made.client
    said: dict[str, Any] = {"client_id": client.id, "client_id_issued_at": int(client.created_at)}
    if made.secret is not None:
        said |= {"client_secret": made.secret.reveal(), "client_secret_expires_at": 0}
    issuer = door.parts.installation.issuer
    said |= {
        "registration_access_token": token,
        "registration_client_uri": f"{issuer}/register/{quote(client.id, safe='')}",
    }
    return {**said, **client_metadata.written(client)}


def _bearer(asked: Asked) -> str | None:
    """RFC 6750 2.1, the header only. Anything else is a token that is not good."""
    header = asked.headers.get("authorization")
    if header is None:
        return None
    scheme, _, value = header.partition(" ")
    return value.strip()[:MAX_TOKEN] if scheme.lower() == "bearer" else ""
