"""Owns a small but true SAML identity provider on loopback that can lie in every way we know of.

It reads our requests as a strict one does, so that a service provider which is wrong fails here, too. What it answers is an
`Answer`: each field of it is one thing that an answer says, and a test changes the one that it is about.
"""

import base64
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.server import ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lxml import etree

from idp.ports import Departure
from idp.saml import names
from idp.saml.algorithms import bare, public_key
from idp.saml.signatures import sign_element, verify_element
from tests.saml.peer import NS, POST, REDIRECT, Pair, pair
from tests.support.ports import free_port
from tests.upstream.openid_double import Handler
from tests.upstream.saml_answer import Answer, posted, xml_attribute
from tests.upstream.trouble import Trouble, Troubled

WS_FEDERATION = (
    '<md:RoleDescriptor xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xmlns:fed="http://docs.oasis-open.org/wsfed/federation/200706" xsi:type="fed:SecurityTokenServiceType" '
    'protocolSupportEnumeration="http://docs.oasis-open.org/wsfed/federation/200706"><fed:ClaimTypesOffered/>'
    "</md:RoleDescriptor>"
)


@dataclass(frozen=True)
class Asked:
    """An AuthnRequest as the double understood it."""

    id: str
    issuer: str
    acs_url: str
    relay_state: str
    root: Any
    signed: bool


class SamlDouble(Troubled):
    """keys: those in its metadata. wants_signed, bindings, scopes, extra: of its metadata. lies: fields of the next Answer.
    host: `localhost` is another site than 127.0.0.1 to a browser, whose cookies then stay away from its forms."""

    def __init__(self, clock: Callable[[], float], host: str = "127.0.0.1") -> None:
        super().__init__()
        self.clock = clock
        self.port = free_port()
        self.base = f"http://{host}:{self.port}"
        self.entity_id = f"{self.base}/idp"
        self.keys = [pair()]
        self.key_use = 'use="signing"'
        self.wants_signed = False
        self.bindings: tuple[str, ...] = (REDIRECT, POST)
        self.formats: tuple[str, ...] = (names.PERSISTENT,)
        self.scopes: tuple[str, ...] = ()
        self.extra = ""
        self.valid_until = ""
        self.sign_metadata: Pair | None = None
        self.lies: dict[str, Any] = {}
        self.fetched = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), type("Bound", (_Handler,), {"double": self}))
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def metadata_url(self) -> str:
        return f"{self.base}/metadata"

    @property
    def sso_url(self) -> str:
        return f"{self.base}/sso"

    def metadata(self) -> bytes:
        keys = "".join(
            f"<md:KeyDescriptor {self.key_use}><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{bare(key.certificate)}"
            "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
            for key in self.keys
        )
        scopes = "".join(f'<shibmd:Scope regexp="false">{scope}</shibmd:Scope>' for scope in self.scopes)
        sign_on = "".join(
            f'<md:SingleSignOnService Binding="{binding}" Location="{self.sso_url}"/>' for binding in self.bindings
        )
        logout = f'<md:SingleLogoutService Binding="{REDIRECT}" Location="{self.base}/slo"/>'
        text = (
            f'<md:EntityDescriptor xmlns:md="{NS["md"]}" xmlns:ds="{NS["ds"]}" '
            f'xmlns:shibmd="urn:mace:shibboleth:metadata:1.0" ID="_metadata" entityID="{self.entity_id}"'
            f"{xml_attribute('validUntil', self.valid_until or None)}>{self.extra}<md:IDPSSODescriptor "
            f'WantAuthnRequestsSigned="{str(self.wants_signed).lower()}" protocolSupportEnumeration="{NS["samlp"]}">'
            f"{f'<md:Extensions>{scopes}</md:Extensions>' if scopes else ''}{keys}{logout}"
            f"{''.join(f'<md:NameIDFormat>{one}</md:NameIDFormat>' for one in self.formats)}{sign_on}"
            "</md:IDPSSODescriptor></md:EntityDescriptor>"
        )
        if self.sign_metadata is None:
            return text.encode()
        return sign_element(etree.fromstring(text), self.sign_metadata.private, self.sign_metadata.certificate)

    # -- what the person does

    def asked(self, departure: Departure, sp_certificate: str | None = None) -> Asked:
        """Read the request as a strict identity provider does. sp_certificate: then it must be signed with that key."""
        form = departure.form
        if form is None:
            assert departure.url.startswith(f"{self.sso_url}?"), departure.url
            query = urlsplit(departure.url).query
            given = {name: values[0] for name, values in parse_qs(query, strict_parsing=True).items()}
            document = zlib.decompress(base64.b64decode(given["SAMLRequest"]), -15)
        else:
            assert departure.url == self.sso_url
            given, document = dict(form), base64.b64decode(form["SAMLRequest"])
        root = etree.fromstring(document)
        assert departure.document in (b"", document)
        assert root.tag == f"{{{NS['samlp']}}}AuthnRequest"
        assert (root.get("Version"), root.get("Destination")) == ("2.0", self.sso_url)
        assert root.get("ProtocolBinding") == POST
        assert root.get("IsPassive") in (None, "false")
        assert len(given["RelayState"].encode()) <= 80
        signed = "Signature" in given or root.find(f"{{{NS['ds']}}}Signature") is not None
        if sp_certificate is not None:
            self._check_signature(root, departure, sp_certificate)
        issuer, acs = root.findtext(f"{{{NS['saml']}}}Issuer"), root.get("AssertionConsumerServiceURL")
        return Asked(root.get("ID"), issuer, acs, given["RelayState"], root, signed)

    def _check_signature(self, root: Any, departure: Departure, certificate: str) -> None:
        from idp.saml import bindings

        if departure.form is not None:
            verify_element(root, [public_key(certificate)])
            return
        arrived = bindings.from_query(urlsplit(departure.url).query.encode())
        assert arrived.signature is not None
        arrived.signature.verify([public_key(certificate)])

    def answer(self, asked: Asked, subject: str = "user-1", **changes: Any) -> Answer:
        """What a true answer says, with what `lies` and `changes` make of it."""
        answer = Answer(
            issuer=self.entity_id,
            response_issuer=self.entity_id,
            destination=asked.acs_url,
            recipient=asked.acs_url,
            audience=asked.issuer,
            in_response_to=asked.id,
            confirmed_in_response_to=asked.id,
            name_id=subject,
            key=self.keys[0],
        )
        return replace(answer, **{**self.lies, **changes})

    def respond(self, departure: Departure, subject: str = "user-1", **changes: Any) -> dict[str, str]:
        """The person signs in there: what their browser posts to us."""
        asked = self.asked(departure)
        return posted(self.answer(asked, subject, **changes).document(self.clock()), asked.relay_state)


class _Handler(Handler):
    double: SamlDouble

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/sso":
            self._sign_in(Departure(f"{self.double.base}{self.path}", {}))
            return
        self.double.fetched += 1
        trouble = self.double.trouble.get("/metadata", Trouble())
        if self.kept_waiting(trouble, "/metadata"):
            return
        body = b" " * trouble.size or trouble.body or self.double.metadata()
        self.send(trouble.status or 200, body, "application/samlmetadata+xml", trouble, "/metadata")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self._sign_in(Departure(self.double.sso_url, {}, form))

    def _sign_in(self, departure: Departure) -> None:
        """For a real browser: one button, and the form that leads back."""
        asked = self.double.asked(departure)
        inputs = "".join(
            f'<input type="hidden" name="{name}" value="{value}">'
            for name, value in self.double.respond(departure).items()
        )
        page = f'<form method="post" action="{asked.acs_url}">{inputs}<button>I am user-1</button></form>'
        self.send(200, page.encode(), "text/html", Trouble(), "/sso")
