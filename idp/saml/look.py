"""A SAML message out of whatever somebody copied: an address, a query, form fields, base64, a SOAP envelope, XML.

For looking only. Nothing is decided here, nobody is signed in by it, and nothing is used up. Leaves the readers of
real messages to the doors, and whose keys to try to idp.services.decode_saml.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from urllib.parse import parse_qs, unquote, urlsplit

from idp.domain.checks import Checks
from idp.saml import bindings, names, signatures, soap, xml
from idp.saml.algorithms import BadSignature, PublicKey
from idp.saml.bindings import Arrived, BadMessage

MAX_INPUT = 4 * xml.MAX_MESSAGE_BYTES
MAX_SIGNED = 10
BOTH: tuple[bindings.Kind, ...] = ("request", "response")
_ASSERTION = f"{{{xml.SAML}}}Assertion"


def opened(given: bytes) -> Arrived:
    """Raises BadMessage when no SAML message is in it."""
    text = given.strip().removeprefix(b"\xef\xbb\xbf").strip()
    if len(text) > MAX_INPUT:
        raise BadMessage(f"it is larger than {MAX_INPUT} bytes")
    if text[:1] == b"<":
        return soap.arrived(text) if soap.SOAP.encode() in text[:4096] else Arrived("post", text, None)
    if b"SAMLRequest=" in text or b"SAMLResponse=" in text:
        return _from_pairs(text)
    return Arrived("post", _from_base64(text), None)


def _from_pairs(text: bytes) -> Arrived:
    """A query has a deflated message and maybe a signature of its own, a form a plain one."""
    query = urlsplit(text.decode("latin-1")).query.encode("latin-1") if b"?" in text else text
    try:
        return bindings.from_query(query, BOTH)
    except BadMessage:
        try:
            fields = parse_qs(query.decode("ascii", "replace"), max_num_fields=20)
        except ValueError:
            raise BadMessage("there are too many fields") from None
        return bindings.from_form(fields, BOTH)


def _from_base64(text: bytes) -> bytes:
    plain = unquote(text.decode("latin-1")) if b"%" in text else text.decode("latin-1")
    try:
        data = base64.b64decode("".join(plain.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadMessage("it is neither XML, nor base64, nor a query or form with a SAML message") from None
    if data.lstrip()[:1] == b"<":
        return data
    try:
        return xml.inflate(data)
    except xml.BadXml as error:
        raise BadMessage(str(error)) from None


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a message says has sent it, as far as it is known here. keys: of its metadata. places: where messages of it may
    be meant for; audiences: whom its assertions may be for."""

    peer: str
    keys: Sequence[PublicKey]
    places: Sequence[str]
    audiences: Sequence[str] = ()


def root_of(arrived: Arrived, checks: Checks) -> xml.Element | None:
    """None when nothing can be read from it."""
    try:
        root = xml.bounded(arrived.document, xml.MAX_MESSAGE_BYTES)
    except xml.BadXml as error:
        checks.failed("schema", str(error))
        return None
    try:
        xml.validate(root, xml.PROTOCOL)
        checks.passed("schema")
    except xml.BadXml as error:
        checks.failed("schema", str(error))
    return root


def issuer_of(root: xml.Element) -> str:
    """Of the message, else of the assertion in it."""
    found = root.find(f"{{{xml.SAML}}}Issuer")
    found = found if found is not None else root.find(f"{_ASSERTION}/{{{xml.SAML}}}Issuer")
    return "".join(found.itertext()).strip() if found is not None else ""


def look(arrived: Arrived, root: xml.Element, sender: Sender | None, now: float, skew: float, checks: Checks) -> None:
    """Every check that needs neither a request of ours nor the store."""
    _issuer(root, sender, checks)
    _signature(arrived, root, sender, checks)
    _destination(root, sender, checks)
    _instant(root, now, skew, checks)
    for assertion in root.iter(_ASSERTION):
        _conditions(assertion, now, skew, checks)
        _audience(assertion, sender, checks)
    _status(root, checks)


def _issuer(root: xml.Element, sender: Sender | None, checks: Checks) -> None:
    if sender is None:
        checks.failed("issuer_known", f"the issuer is {issuer_of(root)[:200]!a}")
    else:
        checks.passed("issuer_known", sender.peer)


def _signature(arrived: Arrived, root: xml.Element, sender: Sender | None, checks: Checks) -> None:
    """Each that is there: of the query, of the message, of assertions in clear."""
    signed = [one for one in (root, *root.iter(_ASSERTION)) if one.find(f"{{{xml.DS}}}Signature") is not None]
    if not signed and arrived.signature is None:
        checks.passed("unsigned", "nothing here is signed")
        return
    if sender is None or not sender.keys:
        checks.failed("signature", "it is signed, but we have no key of the sender to check it with")
        return
    if arrived.signature is not None:
        _holds(partial(arrived.signature.verify, sender.keys), "the query", checks)
    for one in signed[:MAX_SIGNED]:
        _holds(partial(signatures.verify_element, one, sender.keys), _local(one), checks)


def _holds(verify: Callable[[], object], what: str, checks: Checks) -> None:
    try:
        verify()
    except (BadSignature, xml.BadXml) as error:
        checks.failed("signature", f"{what}: {error}")
    else:
        checks.passed("signature", what)


def _destination(root: xml.Element, sender: Sender | None, checks: Checks) -> None:
    found = root.get("Destination")
    if sender is None or not sender.places or found is None:
        return
    if found in sender.places:
        checks.passed("destination", found)
    else:
        checks.failed("destination", f"Destination is {found[:200]!a}; it could be {', '.join(sender.places)}"[:300])


def _instant(root: xml.Element, now: float, skew: float, checks: Checks) -> None:
    at = _time(root.get("IssueInstant", ""))
    if at is None:
        checks.failed("issue_instant", "IssueInstant is not a time that we can read")
    elif abs(now - at) > skew:
        checks.failed("issue_instant", f"made {now - at:.0f} s ago")
    else:
        checks.passed("issue_instant", f"made {now - at:.0f} s ago")


def _conditions(assertion: xml.Element, now: float, skew: float, checks: Checks) -> None:
    found = assertion.find(f"{{{xml.SAML}}}Conditions")
    if found is None:
        checks.failed("conditions", "the assertion has no Conditions")
        return
    start, end = _time(found.get("NotBefore", "")), _time(found.get("NotOnOrAfter", ""))
    if start is not None and start - skew > now:
        checks.failed("conditions", f"not valid for another {start - now:.0f} s")
    elif end is not None and end + skew <= now:
        checks.failed("conditions", f"over since {now - end:.0f} s")
    else:
        checks.passed("conditions")


def _audience(assertion: xml.Element, sender: Sender | None, checks: Checks) -> None:
    if sender is None or not sender.audiences:
        return
    found = ["".join(one.itertext()).strip() for one in assertion.iter(f"{{{xml.SAML}}}Audience")]
    if set(found) & set(sender.audiences):
        checks.passed("audience", " ".join(found))
    else:
        checks.failed("audience", f"the assertion is for {' '.join(found)[:200]!a}")


def _status(root: xml.Element, checks: Checks) -> None:
    codes = [one.get("Value", "") for one in root.iter(f"{{{xml.SAMLP}}}StatusCode")]
    if not codes:
        return
    said = " ".join(code.rpartition(":")[2] for code in codes[:3])
    (checks.passed if codes == [names.SUCCESS] else checks.failed)("status", said)


def _time(value: str) -> float | None:
    try:
        at = datetime.fromisoformat(value.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _local(element: xml.Element) -> str:
    return str(element.tag).rpartition("}")[2]
