"""Owns what an answer of the double says: each field of an Answer is one thing, and a test changes the one that it is about."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from idp.saml import encryption, names
from idp.saml.algorithms import Algorithm, public_key
from idp.saml.signatures import sign_element
from tests.saml.peer import NS, Pair, instant, new_id, pair

NAMESPACES = f'xmlns:samlp="{NS["samlp"]}" xmlns:saml="{NS["saml"]}"'


def _as_it_is(text: str) -> str:
    return text


@dataclass(frozen=True)
class Answer:
    """What a Response says; None leaves it out. Times are seconds from now. sign: the parts that are signed. key: with which.
    encrypt_for: certificate (PEM). before_signing, after_signing: change the XML of the assertion and of the whole."""

    issuer: str | None
    response_issuer: str | None
    destination: str | None
    recipient: str | None
    audience: str | None
    in_response_to: str | None
    confirmed_in_response_to: str | None
    name_id: str | None
    name_format: str | None = names.PERSISTENT
    name_qualifiers: str = ""
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    issued: float = 0.0
    response_issued: float = 0.0
    not_before: float | None = -30.0
    not_on_or_after: float | None = 300.0
    confirmed_until: float | None = 300.0
    method: str = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
    authn_instant: float | None = 0.0
    session_until: float | None = 3600.0
    session_index: str | None = "_session"
    context: str = names.PASSWORD_TRANSPORT
    conditions: bool = True
    more_conditions: str = ""
    status: str = f'<samlp:Status><samlp:StatusCode Value="{names.SUCCESS}"/></samlp:Status>'
    sign: tuple[str, ...] = ("assertion",)
    key: Pair = field(default_factory=pair)
    algorithm: Algorithm | None = None
    encrypt_for: str | None = None
    encrypt_name_for: str | None = None
    method_uri: str = encryption.AES256_GCM
    transport_uri: str = encryption.OAEP
    assertion_id: str = field(default_factory=new_id)
    response_id: str = field(default_factory=new_id)
    before_signing: Callable[[str], str] = _as_it_is
    after_signing: Callable[[str], str] = _as_it_is

    def document(self, now: float) -> bytes:
        """The whole Response."""
        inner = ""
        if names.SUCCESS in self.status:
            assertion = self.before_signing(self._assertion(now))
            inner = self._signed(assertion) if "assertion" in self.sign else assertion
            inner = self._encrypted("EncryptedAssertion", inner, self.encrypt_for)
        response = (
            f'<samlp:Response {NAMESPACES} ID="{self.response_id}" Version="2.0"'
            f"{xml_attribute('InResponseTo', self.in_response_to)}{xml_attribute('Destination', self.destination)} "
            f'IssueInstant="{instant(now + self.response_issued)}">{_issuer(self.response_issuer)}{self.status}{inner}'
            "</samlp:Response>"
        )
        return self.after_signing(self._signed(response) if "response" in self.sign else response).encode()

    def _signed(self, text: str) -> str:
        root = etree.fromstring(text.encode())
        return sign_element(root, self.key.private, self.key.certificate, self.algorithm).decode()

    def _encrypted(self, name: str, text: str, certificate: str | None) -> str:
        if certificate is None:
            return text
        key: Any = public_key(certificate)
        data = encryption.encrypt(text.encode(), key, certificate, self.method_uri, self.transport_uri).decode()
        return f"<saml:{name}>{data}</saml:{name}>"

    def _assertion(self, now: float) -> str:
        def at(offset: float) -> str:
            return instant(now + offset)

        conditions = (
            f"<saml:Conditions{_time('NotBefore', self.not_before, at)}{_time('NotOnOrAfter', self.not_on_or_after, at)}>"
            + (
                f"<saml:AudienceRestriction><saml:Audience>{self.audience}</saml:Audience></saml:AudienceRestriction>"
                if self.audience
                else ""
            )
            + f"{self.more_conditions}</saml:Conditions>"
        )
        statement = (
            f'<saml:AuthnStatement AuthnInstant="{at(self.authn_instant)}"{xml_attribute("SessionIndex", self.session_index)}'
            f"{_time('SessionNotOnOrAfter', self.session_until, at)}><saml:AuthnContext><saml:AuthnContextClassRef>"
            f"{self.context}</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
            if self.authn_instant is not None
            else ""
        )
        return (
            f'<saml:Assertion xmlns:saml="{NS["saml"]}" ID="{self.assertion_id}" Version="2.0" '
            f'IssueInstant="{at(self.issued)}">{_issuer(self.issuer)}{self._subject(at)}'
            f"{conditions if self.conditions else ''}{statement}{self._attributes()}</saml:Assertion>"
        )

    def _subject(self, at: Callable[[float], str]) -> str:
        name = (
            f'<saml:NameID xmlns:saml="{NS["saml"]}"{xml_attribute("Format", self.name_format)} {self.name_qualifiers}>'
            f"{self.name_id}</saml:NameID>"
            if self.name_id is not None
            else ""
        )
        name = self._encrypted("EncryptedID", name, self.encrypt_name_for) if name else ""
        data = (
            f"<saml:SubjectConfirmationData{xml_attribute('Recipient', self.recipient)}"
            f"{_time('NotOnOrAfter', self.confirmed_until, at)}{xml_attribute('InResponseTo', self.confirmed_in_response_to)}/>"
        )
        return (
            f'<saml:Subject>{name}<saml:SubjectConfirmation Method="{self.method}">{data}</saml:SubjectConfirmation>'
            "</saml:Subject>"
        )

    def _attributes(self) -> str:
        told = "".join(
            f'<saml:Attribute Name="{name}" NameFormat="{names.URI_NAME}">'
            + "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in values)
            + "</saml:Attribute>"
            for name, values in self.attributes.items()
        )
        return f"<saml:AttributeStatement>{told}</saml:AttributeStatement>" if told else ""


def posted(document: bytes, relay_state: str | None = None) -> dict[str, str]:
    fields = {"SAMLResponse": base64.b64encode(document).decode()}
    return fields if relay_state is None else {**fields, "RelayState": relay_state}


def status(*codes: str) -> str:
    """A samlp:Status with codes from the outer to the inner one."""
    inner = ""
    for code in reversed(codes):
        inner = f'<samlp:StatusCode Value="{names.STATUS}{code}">{inner}</samlp:StatusCode>'
    return f"<samlp:Status>{inner}</samlp:Status>"


def _issuer(value: str | None) -> str:
    return f"<saml:Issuer>{value}</saml:Issuer>" if value is not None else ""


def xml_attribute(name: str, value: str | None) -> str:
    return f' {name}="{value}"' if value is not None else ""


def _time(name: str, offset: float | None, at: Callable[[float], str]) -> str:
    return f' {name}="{at(offset)}"' if offset is not None else ""
