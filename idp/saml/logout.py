"""Reads LogoutRequest and LogoutResponse (SAML Core 3.7, Profiles 4.4) with every rule, from the very bytes that were verified.

Leaves whose session is meant, and telling others, to the services; the bindings to `bindings` and `soap`, writing to
`logout_writing`. Every refusal is a Refused with the precise reason.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import rsa

from idp.base.errors import Refused
from idp.domain.checks import Checks
from idp.saml import names, xml
from idp.saml.algorithms import ALGORITHMS, DIGESTS
from idp.saml.bindings import QuerySignature
from idp.saml.encryption import DecryptionFailed, decrypt
from idp.saml.logout_writing import NAME_ID_ATTRIBUTES, Kind
from idp.saml.signatures import Algorithm, BadSignature, PublicKey, signature_of, verify_element

OurKeys = Callable[[], Sequence[rsa.RSAPrivateKey]]

MAX_ID = 256
MAX_URI = 1024
MAX_INDEXES = 50
_KINDS: Mapping[str, Kind] = {
    f"{{{xml.SAMLP}}}LogoutRequest": "LogoutRequest",
    f"{{{xml.SAMLP}}}LogoutResponse": "LogoutResponse",
}
_ASYNCHRONOUS = "{urn:oasis:names:tc:SAML:2.0:protocol:ext:async-slo}Asynchronous"
_SENTENCE = (
    "The app sent a sign-out message that we cannot accept, so nothing was done. Sign out here as well; if this page comes "
    "again, give the code below to whoever runs the app."
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A message that keeps the rules of XML and the schema. Nothing in it is believed yet: `issuer` says whose keys to try."""

    kind: Kind
    issuer: str
    in_response_to: str
    root: xml.Element = field(repr=False)


@dataclass(frozen=True, slots=True)
class LogoutRequest:
    """Whom a peer wants signed out. name_id: XML attributes and `value`. indexes: none means every session of that name.
    asynchronous: the peer does not want an answer (SAML V2.0 Asynchronous Single Logout Profile Extension)."""

    id: str
    issuer: str
    name_id: Mapping[str, str]
    indexes: tuple[str, ...]
    ends_at: float
    asynchronous: bool = False


@dataclass(frozen=True, slots=True)
class LogoutResponse:
    """status: the top-level code; second: the one below it, empty when there is none."""

    in_response_to: str
    issuer: str
    status: str
    second: str
    signed: bool

    @property
    def done(self) -> bool:
        """The peer has no session of that name any more. One that knew none says so, and that is as good."""
        return self.status == names.SUCCESS or self.second == names.UNKNOWN_PRINCIPAL


@dataclass(frozen=True, slots=True)
class Rules:
    """here: our address that the message came to; destination_required: not for SOAP, where the connection says whom it is
    for. skew: seconds that a message may be old or early. keys: gives ours, to decrypt a name with; cbc: the peer was set so."""

    here: str
    now: float
    skew: float
    destination_required: bool = True
    keys: OurKeys = tuple
    cbc: bool = False


def refuse(code: str, reason: str, *, status: int = 400) -> Refused:
    return Refused(code, _SENTENCE, status=status, reason=reason)


# ---------------------------------------------------------------- reading


def opened(document: bytes, checks: Checks) -> Opened:
    """Raises Refused(slo_unreadable)."""
    try:
        root = xml.parse(document, xml.PROTOCOL)
        kind = _KINDS.get(root.tag)
        if kind is None:
            raise xml.BadXml(f"the message is no LogoutRequest and no LogoutResponse but {root.tag[:100]!r}")
        if root.get("Version") != "2.0" or len(root.get("ID", "")) > MAX_ID:
            raise xml.BadXml(f"the message is not SAML 2.0, or its ID is longer than {MAX_ID} characters")
    except xml.BadXml as error:
        checks.failed("schema", str(error))
        raise refuse("slo_unreadable", str(error)) from None
    checks.passed("schema")
    issuers = root.findall(f"{{{xml.SAML}}}Issuer")
    issuer = _text(issuers[0]) if len(issuers) == 1 else ""
    if not 0 < len(issuer) <= MAX_URI or issuers[0].get("Format", names.ENTITY) != names.ENTITY:
        checks.failed("issuer_known", "no Issuer")
        raise refuse("slo_unreadable", "the message does not name its issuer as an entity")
    return Opened(kind, issuer, root.get("InResponseTo", "")[:MAX_ID], root)


def verified(
    message: Opened,
    keys: Sequence[PublicKey],
    query: QuerySignature | None,
    algorithms: Collection[Algorithm] | None,
    checks: Checks,
) -> xml.Element | None:
    """The message once more, from the bytes that a key of the peer has signed; None when nobody has signed it. Any signature
    that is there must hold. query: the signature of the query, when there is one. algorithms: None for all that we know.

    Raises Refused(slo_signature).
    """
    root = message.root
    try:
        embedded = signature_of(root)
        if sum(1 for _ in root.iter(f"{{{xml.DS}}}Signature")) != (embedded is not None):
            raise BadSignature("there is a signature inside of the message that does not belong to it")
        if embedded is None and query is None:
            return None
        if not keys:
            raise BadSignature("the metadata of the sender names no key to check a signature with")
        if query is not None:
            query.verify(keys, algorithms)
        content = verify_element(root, keys, algorithms) if embedded is not None else xml.canonical(root)
        again = xml.bounded(content, 2 * xml.MAX_MESSAGE_BYTES)
    except (BadSignature, xml.BadXml) as error:
        checks.failed("signature", str(error))
        raise refuse("slo_signature", str(error), status=403) from None
    checks.passed("signature")
    return again


def usable_signature(message: Opened) -> bool:
    """Is it signed by methods that we accept from anybody? Some peers still sign answers with SHA-1."""
    signature = message.root.find(f"{{{xml.DS}}}Signature")
    if signature is None:
        return False
    methods = (signature.find(f".//{{{xml.DS}}}{name}") for name in ("SignatureMethod", "DigestMethod"))
    signed_with, digested_with = (one.get("Algorithm", "") if one is not None else "" for one in methods)
    return signed_with in ALGORITHMS and digested_with in DIGESTS


def read_request(root: xml.Element | None, rules: Rules, checks: Checks) -> LogoutRequest:
    """root: as `verified` gives it. Asked last by the caller: was it seen before?

    Raises Refused(slo_signature | slo_destination | slo_stale | slo_unreadable).
    """
    if root is None:
        checks.failed("signature", "not signed")
        # Else anybody could sign people out, by a link on any page.
        raise refuse("slo_signature", "the LogoutRequest is not signed", status=403)
    _check_destination(root, rules, checks)
    _check_fresh(root, rules, checks)
    ends_at = rules.now + 2 * rules.skew + 1  # one of a clock that is ahead stays fresh for so long
    until = root.get("NotOnOrAfter")
    if until is not None:
        ends = _instant(until, "NotOnOrAfter")
        if ends <= rules.now:
            checks.failed("not_on_or_after", f"ended {rules.now - ends:.0f} s ago")
            raise refuse("slo_stale", f"NotOnOrAfter passed {rules.now - ends:.0f} s ago")
        checks.passed("not_on_or_after")
        ends_at = min(max(ends, ends_at), rules.now + 86_400)
    indexes = tuple(_text(one) for one in root.findall(f"{{{xml.SAMLP}}}SessionIndex"))
    if len(indexes) > MAX_INDEXES:
        raise refuse("slo_unreadable", f"the LogoutRequest names more than {MAX_INDEXES} sessions")
    asynchronous = root.find(f"{{{xml.SAMLP}}}Extensions/{_ASYNCHRONOUS}") is not None
    issuer = _text(root.find(f"{{{xml.SAML}}}Issuer"))
    return LogoutRequest(root.get("ID", ""), issuer, _name_id(root, rules, checks), indexes, ends_at, asynchronous)


def read_response(
    message: Opened, root: xml.Element | None, rules: Rules, checks: Checks, *, channel_vouches: bool = False
) -> LogoutResponse:
    """root: as `verified` gives it. Without a signature it only says that the browser is back; `signed` tells.
    channel_vouches: it came over a connection that we opened to the peer.

    Raises Refused(slo_destination | slo_stale | slo_unreadable).
    """
    signed = root is not None
    if not signed and channel_vouches:
        checks.passed("signature", "none that we can use; the connection vouches")
    elif not signed:
        checks.failed("signature", "not signed")
    read = root if root is not None else message.root
    _check_destination(read, rules, checks, required=signed and rules.destination_required)
    _check_fresh(read, rules, checks)
    code = read.find(f"{{{xml.SAMLP}}}Status/{{{xml.SAMLP}}}StatusCode")
    inner = code.find(f"{{{xml.SAMLP}}}StatusCode")
    found = LogoutResponse(
        read.get("InResponseTo", "")[:MAX_ID],
        _text(read.find(f"{{{xml.SAML}}}Issuer")),
        code.get("Value", ""),
        inner.get("Value", "") if inner is not None else "",
        signed or channel_vouches,
    )
    said = " / ".join(one.rpartition(":")[2][:60] for one in (found.status, found.second) if one)
    if found.done:
        checks.passed("status", said)
    else:
        checks.failed("status", said)
    return found


def _check_destination(root: xml.Element, rules: Rules, checks: Checks, *, required: bool | None = None) -> None:
    """Bindings 3.4.5.2: a signed message must say for whom it is, or it could be carried to another one."""
    needed = rules.destination_required if required is None else required
    given = root.get("Destination")
    if given != rules.here if given else needed:
        checks.failed("destination", str(given)[:200])
        raise refuse("slo_destination", f"Destination is {str(given)[:200]!r}, we are {rules.here!r}")
    checks.passed("destination")


def _check_fresh(root: xml.Element, rules: Rules, checks: Checks) -> None:
    away = rules.now - _instant(root.get("IssueInstant", ""), "IssueInstant")
    if abs(away) > rules.skew:
        checks.failed("issue_instant", f"{away:.0f} s away")
        raise refuse("slo_stale", f"IssueInstant is {away:.0f} s away from our time, {rules.skew:.0f} s are allowed")
    checks.passed("issue_instant", f"{away:.0f} s away")


def _instant(value: str, what: str) -> float:
    try:
        at = datetime.fromisoformat(value.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):  # the schema also allows the year 10000 and 24:00
        raise refuse("slo_unreadable", f"{what} is not a time that we can read") from None


def _name_id(root: xml.Element, rules: Rules, checks: Checks) -> dict[str, str]:
    found = root.find(f"{{{xml.SAML}}}NameID")
    sealed = root.find(f"{{{xml.SAML}}}EncryptedID")
    if sealed is not None:
        try:
            found = xml.bounded(decrypt(sealed, rules.keys(), cbc=rules.cbc), xml.MAX_MESSAGE_BYTES)
        except (DecryptionFailed, xml.BadXml):
            checks.failed("decryption")
            raise refuse("slo_unreadable", "the encrypted NameID cannot be decrypted with our keys") from None
        checks.passed("decryption")
    if found is None or found.tag != f"{{{xml.SAML}}}NameID":
        checks.failed("name_id", "no NameID")
        raise refuse("slo_unreadable", "the LogoutRequest names nobody by a NameID")
    said = {name: value.strip()[:MAX_URI] for name in NAME_ID_ATTRIBUTES if (value := found.get(name))}
    return {**said, "value": _text(found)[:MAX_URI]}


def _text(element: xml.Element) -> str:
    return "".join(element.itertext()).strip(xml.BLANKS)  # as the sign-in read it: the name must be the same one
