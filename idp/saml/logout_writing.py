"""Writes LogoutRequest and LogoutResponse (SAML Core 3.7) as canonical text, signed or not.

Leaves reading to `logout`, the bindings to `bindings` and `soap`, and what a peer is to be told to the services.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from idp.saml import names, writing
from idp.saml.signatures import Algorithm, PrivateKey, signature_for

Kind = Literal["LogoutRequest", "LogoutResponse"]

REQUEST_SECONDS = 300.0
USER = "urn:oasis:names:tc:SAML:2.0:logout:user"
PARTIAL_LOGOUT = f"{names.STATUS}PartialLogout"
NAME_ID_ATTRIBUTES = ("Format", "NameQualifier", "SPNameQualifier", "SPProvidedID")


@dataclass(frozen=True, slots=True)
class Signing:
    """Our key towards one peer, and the method that is set for it. certificate: PEM."""

    key: PrivateKey = field(repr=False)
    certificate: str
    algorithm: Algorithm | None = None


def write_request(
    issuer: str,
    destination: str,
    name_id: Mapping[str, str],
    session_index: str,
    *,
    id: str,
    now: float,
    signing: Signing | None = None,
) -> bytes:
    """A LogoutRequest. signing: None where the binding signs (Redirect)."""
    about = {name: name_id[name] for name in NAME_ID_ATTRIBUTES if name_id.get(name)}
    body = writing.element("saml:NameID", about, writing.text(name_id.get("value", "")), declares=True)
    if session_index:
        body += writing.element("samlp:SessionIndex", {}, writing.text(session_index))
    more = {"NotOnOrAfter": writing.instant(int(now + REQUEST_SECONDS)), "Reason": USER}
    return _message("LogoutRequest", id, issuer, destination, now, more, body, signing)


def write_response(
    issuer: str,
    destination: str,
    in_response_to: str,
    *,
    now: float,
    top: str = names.SUCCESS,
    second: str = "",
    signing: Signing | None = None,
) -> bytes:
    """A LogoutResponse. destination: empty for SOAP. signing: None where the binding signs (Redirect)."""
    inner = writing.element("samlp:StatusCode", {"Value": second}) if second else ""
    body = writing.element("samlp:Status", {}, writing.element("samlp:StatusCode", {"Value": top}, inner))
    id = f"_{secrets.token_hex(20)}"
    return _message(
        "LogoutResponse", id, issuer, destination, now, {"InResponseTo": in_response_to or None}, body, signing
    )


def _message(
    kind: Kind,
    id: str,
    issuer: str,
    destination: str,
    now: float,
    more: Mapping[str, str | None],
    body: str,
    signing: Signing | None,
) -> bytes:
    head = {"ID": id, "Version": "2.0", "IssueInstant": writing.instant(int(now)), "Destination": destination or None}

    def sign(canonical: bytes) -> str:
        assert signing is not None
        return signature_for(canonical, id, signing.key, signing.certificate, signing.algorithm)

    text = writing.message(f"samlp:{kind}", {**head, **more}, issuer, body, sign if signing is not None else None)
    return text.encode()
