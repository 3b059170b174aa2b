"""The only reader of foreign Responses: from the bytes that arrived to a Login that every rule has passed.

Order: bounds and schema, shape, signature of the response, its rules, decryption, signature of the assertion, its rules. What
is read is read from the canonical bytes that a signature covers, parsed anew; nothing else of the document counts. Leaves
replay to the caller, who must ask last, and what an attribute means to idp.upstream.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from idp.domain.checks import Checks
from idp.saml import attributes, xml
from idp.saml.algorithms import BadSignature
from idp.saml.encryption import DecryptionFailed, decrypt
from idp.saml.response_checks import (
    ASSERTION_CHECKS,
    FRESH_SECONDS,
    RESPONSE_CHECKS,
    BadResponse,
    Check,
    Expected,
    StatusNotSuccess,
    context_classes,
    instant,
    issuer,
    text,
)
from idp.saml.signatures import signature_of, verify_element
from idp.saml.xml import DS, SAML, SAMLP, Element

__all__ = ["BadResponse", "Expected", "Login", "StatusNotSuccess", "read"]

MAX_RESPONSE_BYTES = 262_144  # somebody with 2,000 groups, encrypted
ASSERTION, ENCRYPTED = f"{{{SAML}}}Assertion", f"{{{SAML}}}EncryptedAssertion"

OurKeys = Callable[[], Sequence[rsa.RSAPrivateKey]]


@dataclass(frozen=True, slots=True)
class Login:
    """What the upstream vouches for. name_id: `value` and the XML attributes of the NameID; None when there is none.
    attributes: Name -> values. accepted_until: epoch seconds from when it would be refused as too old."""

    assertion_id: str
    name_id: Mapping[str, str] | None
    attributes: Mapping[str, tuple[str, ...]] = field(repr=False)
    session_index: str
    auth_time: float
    context: str
    accepted_until: float


def read(document: bytes, expected: Expected, our_keys: OurKeys, checks: Checks | None = None) -> Login:
    """our_keys: asked for only when something is encrypted. Raises BadResponse, StatusNotSuccess."""
    reader = _Reader(expected, our_keys, checks or Checks())
    try:
        return reader.login(document)
    except BadResponse as refused:
        reader.checks.failed(refused.code, refused.reason)
        raise
    except StatusNotSuccess as refused:
        reader.checks.failed("status", " ".join(refused.codes))
        raise


class _Reader:
    def __init__(self, expected: Expected, our_keys: OurKeys, checks: Checks) -> None:
        self.expected = expected
        self.our_keys = our_keys
        self.checks = checks

    def login(self, document: bytes) -> Login:
        root = self._parsed(document)
        response = self._verified(root)
        if response is not None:
            self.checks.passed("signature", "Response")
            issuer(response, self.expected)
        self._run(RESPONSE_CHECKS, root if response is None else response)
        assertion = self._assertion(root, response)
        self._run(ASSERTION_CHECKS, assertion)
        return self._login(assertion)

    def _run(self, listed: tuple[tuple[str, Check], ...], element: Element) -> None:
        for code, check in listed:
            check(element, self.expected)
            self.checks.passed(code)

    def _parsed(self, document: bytes) -> Element:
        try:
            root = xml.parse(document, xml.PROTOCOL, MAX_RESPONSE_BYTES)
        except xml.BadXml as error:
            raise BadResponse("schema", str(error)) from None
        if root.tag != f"{{{SAMLP}}}Response":
            raise BadResponse("schema", f"the message is not a Response but {str(root.tag)[:100]!r}")
        self.checks.passed("schema")
        _check_shape(root)
        self.checks.passed("structure")
        return root

    # ---------------------------------------------------------------- what is signed

    def _assertion(self, root: Element, response: Element | None) -> Element:
        """response: what the signature of `root` covers, None when it has none."""
        found = self._only_assertion(root)
        asked = self.expected.signed
        if asked in ("response", "both") and response is None:
            raise BadResponse("signature", "the response is not signed, and this upstream's `signed` asks for that")
        opened = self._opened(found, ASSERTION) if found.tag == ENCRYPTED else None
        if opened is not None:
            _check_shape(opened)
        elif self.expected.encrypted:
            raise BadResponse(
                "decryption", "the assertion is not encrypted, and this upstream's `encrypted` asks for that"
            )
        # Where it was signed: the response's canonical form may lack a prefix that the assertion's signature names.
        content = self._verified(found if opened is None else opened)
        if content is not None:
            self.checks.passed("signature", "Assertion")
            return content
        if asked in ("assertion", "both"):
            raise BadResponse("signature", "the assertion is not signed, and this upstream's `signed` asks for that")
        if response is None:
            raise BadResponse("signature", "neither the response nor the assertion is signed")
        return self._only_assertion(response) if opened is None else opened

    def _only_assertion(self, response: Element) -> Element:
        found = [one for one in response if one.tag in (ASSERTION, ENCRYPTED)]
        if len(found) != 1:
            raise BadResponse("structure", f"the response holds {len(found)} assertions, not one")
        return found[0]

    def _verified(self, element: Element) -> Element | None:
        """What the signature of `element` covers, parsed anew from these bytes; None when there is none."""
        try:
            if signature_of(element) is None:
                return None
            # Not checked against the schema again: a prefix that stands only in an xsi:type is not part of the canonical form.
            return xml.bounded(
                verify_element(element, list(self.expected.keys), self.expected.algorithms), 2 * MAX_RESPONSE_BYTES
            )
        except (BadSignature, xml.BadXml) as error:
            raise BadResponse("signature", str(error)) from None

    def _opened(self, encrypted: Element, tag: str) -> Element:
        """The element inside of an EncryptedAssertion or EncryptedID. However it fails, it is the same failure."""
        failed = BadResponse(
            "decryption", "it could not be decrypted with our keys and the methods that this upstream may use"
        )
        try:
            content = decrypt(encrypted, list(self.our_keys()), cbc=self.expected.cbc, limit=MAX_RESPONSE_BYTES)
            element = _in_scope(content, encrypted)
            xml.validate(element, xml.PROTOCOL)
        except (DecryptionFailed, xml.BadXml):
            raise failed from None
        if element.tag != tag:
            raise failed
        self.checks.passed("decryption", tag.rpartition("}")[2])
        return element

    # ---------------------------------------------------------------- what is said

    def _login(self, assertion: Element) -> Login:
        statement = assertion.find(f"{{{SAML}}}AuthnStatement")
        issued = instant(assertion.get("IssueInstant", ""), "issue_instant")
        classes = context_classes(assertion)
        return Login(
            assertion_id=assertion.get("ID"),
            name_id=self._name_id(assertion),
            attributes=attributes.read(assertion),
            session_index=statement.get("SessionIndex", "")[:256],
            auth_time=instant(statement.get("AuthnInstant", ""), "authn_instant"),
            context=classes[0] if classes else "",
            accepted_until=issued + FRESH_SECONDS + 2 * self.expected.skew,
        )

    def _name_id(self, assertion: Element) -> Mapping[str, str] | None:
        subject = assertion.find(f"{{{SAML}}}Subject")
        name = subject.find(f"{{{SAML}}}NameID")
        encrypted = subject.find(f"{{{SAML}}}EncryptedID")
        if subject.find(f"{{{SAML}}}BaseID") is not None:
            raise BadResponse("name_id", "the subject is named by a BaseID, which we do not know")
        if encrypted is not None:
            name = self._opened(encrypted, f"{{{SAML}}}NameID")
        if name is None:
            return None
        said = {"value": text(name), **{key: name.get(key) for key in ("Format", "NameQualifier", "SPNameQualifier")}}
        if (self.expected.name_id_format or said["Format"]) != said["Format"]:
            raise BadResponse(
                "name_id_policy", f"the NameID has another format than was asked for: {said['Format']!r:.200}"
            )
        if said["SPNameQualifier"] not in (None, "", self.expected.audience):
            raise BadResponse(
                "name_id", f"the NameID belongs to another service provider: {said['SPNameQualifier']!r:.200}"
            )
        self.checks.passed("name_id")
        return {key: value for key, value in said.items() if value is not None}


def _check_shape(root: Element) -> None:
    """One assertion where it belongs, and no signature but those of the root and of the assertion: an element that is moved
    elsewhere, so that one is verified and another one read (XML signature wrapping), has no place to be."""
    for one in root.iter(ASSERTION, ENCRYPTED):
        if one is not root and (one.getparent() is not root or root.tag == ASSERTION):
            raise BadResponse("structure", "an assertion stands where none belongs")
    for one in root.iter(f"{{{DS}}}Signature"):
        parent = one.getparent()
        if parent is not root and not (parent.tag == ASSERTION and parent.getparent() is root):
            raise BadResponse("structure", "a signature stands where none belongs")


def _in_scope(content: bytes, encrypted: Element) -> Element:
    """Parsed with the namespaces around it: values such as xsi:type="xs:string" may need one that only they declare."""
    own = etree.tostring(xml.bounded(content, MAX_RESPONSE_BYTES), encoding="utf-8", with_tail=False)
    scope = etree.tostring(etree.Element("scope", nsmap=dict(encrypted.nsmap)), encoding="utf-8")
    wrapped = xml.bounded(scope.removesuffix(b"/>") + b">" + own + b"</scope>", 2 * MAX_RESPONSE_BYTES)
    if len(wrapped) != 1:
        raise xml.BadXml("not one element")
    return wrapped[0]
