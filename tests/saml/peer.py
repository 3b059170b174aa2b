"""A service provider of our own for tests: keys, metadata, AuthnRequests. Reads answers with xmlsec1, not with our code."""

import base64
import secrets
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree

from idp.saml import bindings, names
from idp.saml.signatures import PrivateKey, bare, sign_element

NS = {
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "md": "urn:oasis:names:tc:SAML:2.0:metadata",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "xenc": "http://www.w3.org/2001/04/xmlenc#",
}
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"


@dataclass(frozen=True)
class Pair:
    """A private key and its self-signed certificate (PEM)."""

    private: PrivateKey = field(repr=False)
    certificate: str

    @property
    def pem(self) -> str:
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def pair(kind: str = "rsa-2048", which: int = 0) -> Pair:
    """rsa-2048, rsa-3072, rsa-1024, p-256, p-384; `which` tells several apart. The same one all along a test run."""
    return _pair(kind, which)


@cache
def _pair(kind: str, which: int) -> Pair:
    key: PrivateKey
    if kind.startswith("rsa"):
        key = rsa.generate_private_key(65537, int(kind.removeprefix("rsa-")))
    else:
        key = ec.generate_private_key({"p-256": ec.SECP256R1(), "p-384": ec.SECP384R1()}[kind])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{kind} {which}")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), which + 1, start, start + timedelta(days=36500))
        .sign(key, SHA256())
        .public_bytes(Encoding.PEM)
        .decode()
    )
    return Pair(key, certificate)


def instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Sp:
    """entity_id, keys and endpoints of a service provider. signs: its metadata promises signed requests."""

    entity_id: str = "https://sp.example/metadata"
    acs: tuple[str, ...] = ("https://sp.example/acs", "https://sp.example/acs-2")
    signs: bool = False
    signing: Pair | None = field(default_factory=pair)
    encryption: Pair | None = None
    extra: str = ""
    formats: tuple[str, ...] = ()

    def metadata(self) -> bytes:
        keys = "".join(
            self._key(use, key) for use, key in (("signing", self.signing), ("encryption", self.encryption)) if key
        )
        acs = "".join(
            f'<md:AssertionConsumerService index="{i}" Binding="{POST}" Location="{url}"/>'
            for i, url in enumerate(self.acs)
        )
        formats = "".join(f"<md:NameIDFormat>{f}</md:NameIDFormat>" for f in self.formats)
        return (
            f'<md:EntityDescriptor xmlns:md="{NS["md"]}" xmlns:ds="{NS["ds"]}" entityID="{self.entity_id}" {self.extra}>'
            f'<md:SPSSODescriptor AuthnRequestsSigned="{str(self.signs).lower()}" protocolSupportEnumeration="{NS["samlp"]}">'
            f"{keys}{formats}{acs}</md:SPSSODescriptor></md:EntityDescriptor>"
        ).encode()

    def _key(self, use: str, key: Pair) -> str:
        return (
            f'<md:KeyDescriptor use="{use}"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{bare(key.certificate)}'
            "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        )

    def authn_request(
        self, now: float, destination: str | None, *, id: str | None = None, attributes: str = "", body: str = ""
    ) -> bytes:
        """attributes: further XML attributes; body: what follows the Issuer."""
        to = f'Destination="{destination}"' if destination else ""
        return (
            f'<samlp:AuthnRequest xmlns:samlp="{NS["samlp"]}" xmlns:saml="{NS["saml"]}" ID="{id or new_id()}" Version="2.0" '
            f'IssueInstant="{instant(now)}" {to} {attributes}><saml:Issuer>{self.entity_id}</saml:Issuer>{body}'
            "</samlp:AuthnRequest>"
        ).encode()

    def query(self, request: bytes, relay_state: str | None = None, *, sign: bool | None = None) -> str:
        """The query string of the Redirect binding."""
        assert self.signing is not None or not sign
        key = self.signing.private if self.signing and (self.signs if sign is None else sign) else None
        return bindings.to_query(request, relay_state, key)

    def signed_form(self, request: bytes) -> dict[str, str]:
        """The form of the POST binding, with an enveloped signature."""
        assert self.signing is not None
        signed = sign_element(etree.fromstring(request), self.signing.private, self.signing.certificate)
        return form(signed)


def form(request: bytes, relay_state: str | None = None) -> dict[str, str]:
    fields = {"SAMLRequest": base64.b64encode(request).decode()}
    return fields if relay_state is None else {**fields, "RelayState": relay_state}


def new_id() -> str:
    return f"_{secrets.token_hex(16)}"


def name_id_policy(format: str = names.PERSISTENT, qualifier: str | None = None) -> str:
    spnq = f'SPNameQualifier="{qualifier}"' if qualifier else ""
    return f'<samlp:NameIDPolicy Format="{format}" AllowCreate="true" {spnq}/>'


def contexts(*classes: str, comparison: str = "exact") -> str:
    refs = "".join(f"<saml:AuthnContextClassRef>{c}</saml:AuthnContextClassRef>" for c in classes)
    return f'<samlp:RequestedAuthnContext Comparison="{comparison}">{refs}</samlp:RequestedAuthnContext>'


class Xmlsec:
    """The xmlsec1 program as an independent oracle, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _file(self, content: bytes | str, suffix: str) -> Path:
        path = self._folder / f"{secrets.token_hex(6)}{suffix}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def verifies(self, document: bytes, certificate: str, element: str, namespace: str) -> bool:
        """Is the signature over the one `element` of `namespace` (first in the document) good?"""
        done = self._run(
            "--verify", "--pubkey-cert-pem", str(self._file(certificate, ".crt")), "--id-attr:ID", f"{namespace}:{element}",
            "--node-xpath", f"//*[local-name()='{element}']/*[local-name()='Signature']",
            str(self._file(document, ".xml")),
        )  # fmt: skip
        return done.returncode == 0

    def sign(self, template: bytes, key: str, element: str, namespace: str) -> bytes:
        done = self._run(
            "--sign", "--privkey-pem", str(self._file(key, ".key")), "--id-attr:ID", f"{namespace}:{element}",
            str(self._file(template, ".xml")),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def decrypt(self, document: bytes, key: str) -> bytes:
        done = self._run("--decrypt", "--privkey-pem", str(self._file(key, ".key")), str(self._file(document, ".xml")))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def encrypt(self, template: bytes, document: bytes, certificate: str, session_key: str, xpath: str) -> bytes:
        done = self._run(
            "--encrypt", "--pubkey-cert-pem", str(self._file(certificate, ".crt")), "--session-key", session_key,
            "--xml-data", str(self._file(document, ".xml")), "--node-xpath", xpath, str(self._file(template, ".xml")),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run(self, *words: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(["xmlsec1", *words], capture_output=True, timeout=30, check=False)


def one(root: Any, path: str) -> Any:
    found = root.xpath(path, namespaces=NS)
    assert len(found) == 1, f"{path}: {len(found)}"
    return found[0]
