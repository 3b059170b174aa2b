"""The rules that a Response and its Assertion must pass one by one, by name (SAML Profiles 4.1.4, Core 2.3 to 2.7).

They look at elements that `response` has parsed, and the assertion's ones at nothing but bytes whose signature was verified.
Whatever is optional in the standard, and stands between us and somebody else's assertion, is required here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from idp.saml import names
from idp.saml.algorithms import Algorithm, PublicKey
from idp.saml.xml import BLANKS, SAML, SAMLP, Element

BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
FRESH_SECONDS = 300.0  # from the making of an answer to its arrival: a page that posts itself
MAX_ID = 256

Signed = Literal["assertion", "response", "both", "either"]


class BadResponse(Exception):  # noqa: N818
    """The answer proves nothing. code: of the check that it failed; the text is for administrators."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class StatusNotSuccess(Exception):  # noqa: N818
    """The upstream says no. codes: its status codes from the outer to the inner; message: what it says besides, unbounded
    and foreign."""

    def __init__(self, codes: tuple[str, ...], message: str) -> None:
        super().__init__(" ".join(codes))
        self.codes = codes
        self.message = message


@dataclass(frozen=True, slots=True)
class Expected:
    """What this answer must say. issuer, keys: of the upstream that was asked. audience: our entityID there; acs_url: where it
    came in. request_id: of our AuthnRequest, None for an answer that nobody asked for.

    signed: which parts must be; algorithms: None for all that we know. encrypted: refuse one in clear. skew: seconds that
    clocks may differ. not_before: the oldest AuthnInstant that will do, None for any. contexts: one of them, if there are any.
    name_id_format: the one that was set; empty for any.
    """

    issuer: str
    keys: tuple[PublicKey, ...] = field(repr=False)
    audience: str
    acs_url: str
    request_id: str | None
    now: float
    signed: Signed = "either"
    algorithms: tuple[Algorithm, ...] | None = None
    encrypted: bool = False
    cbc: bool = False
    skew: float = 60.0
    not_before: float | None = None
    contexts: tuple[str, ...] = ()
    name_id_format: str = ""


Check = Callable[[Element, Expected], None]

# ---------------------------------------------------------------- the response


def destination(response: Element, expected: Expected) -> None:
    """Else an answer for another service provider, or for another upstream of ours, would do here."""
    found = response.get("Destination")
    if found != expected.acs_url:
        raise BadResponse("destination", f"Destination is {_said(found)}, we are {expected.acs_url!r}")


def issuer(element: Element, expected: Expected) -> None:
    """The metadata of one upstream vouches for that one only (SAML Profiles 4.1.4.2)."""
    found = element.findall(f"{{{SAML}}}Issuer")
    if len(found) != 1 or text(found[0]) != expected.issuer or found[0].get("Format", names.ENTITY) != names.ENTITY:
        said = text(found[0]) if found else None
        raise BadResponse("issuer", f"{_local(element)}: the issuer is {_said(said)}, asked was {expected.issuer!r}")


def issuer_if_named(response: Element, expected: Expected) -> None:
    """It may be missing only where nothing hangs on it: around an assertion in clear that is signed itself."""
    encrypted = response.find(f"{{{SAML}}}EncryptedAssertion") is not None
    if encrypted or response.find(f"{{{SAML}}}Issuer") is not None:
        issuer(response, expected)


def in_response_to(response: Element, expected: Expected) -> None:
    """Ties the answer to this very departure. One that nobody asked for must not name a request either."""
    found = response.get("InResponseTo")
    if found != expected.request_id:
        raise BadResponse("in_response_to", f"InResponseTo is {_said(found)}, not the ID of our request")


def issue_instant(element: Element, expected: Expected) -> None:
    at = instant(element.get("IssueInstant", ""), "issue_instant")
    age = expected.now - at
    if not -expected.skew <= age <= FRESH_SECONDS + expected.skew:
        raise BadResponse("issue_instant", f"{_local(element)}: IssueInstant is {age:.0f} s ago; do the clocks agree?")


def version(element: Element, _expected: Expected) -> None:
    ident = element.get("ID", "")
    if element.get("Version") != "2.0" or not 0 < len(ident) <= MAX_ID:
        raise BadResponse("version", f"{_local(element)}: not SAML 2.0, or its ID is longer than {MAX_ID} characters")


def status(response: Element, _expected: Expected) -> None:
    """Raises StatusNotSuccess."""
    codes = [code.get("Value", "") for code in response.iterfind(f"{{{SAMLP}}}Status//{{{SAMLP}}}StatusCode")]
    if codes != [names.SUCCESS]:
        message = response.find(f"{{{SAMLP}}}Status/{{{SAMLP}}}StatusMessage")
        raise StatusNotSuccess(tuple(codes[:5]), text(message) if message is not None else "")


# ---------------------------------------------------------------- the assertion


def conditions(assertion: Element, expected: Expected) -> None:
    found = assertion.findall(f"{{{SAML}}}Conditions")
    if len(found) != 1:
        raise BadResponse("conditions", "the assertion has no Conditions")
    if found[0].find(f"{{{SAML}}}Condition") is not None:  # Core 2.5.1: one that is not understood makes it worthless
        raise BadResponse("conditions", "the assertion has a Condition that we do not know")
    _in_time(found[0], expected, "conditions")


def audience(assertion: Element, expected: Expected) -> None:
    """Every restriction must name us (Core 2.5.1.4), and there must be one."""
    restrictions = assertion.findall(f"{{{SAML}}}Conditions/{{{SAML}}}AudienceRestriction")
    if not restrictions:
        raise BadResponse("audience", "the assertion has no AudienceRestriction")
    for restriction in restrictions:
        found = [text(one) for one in restriction.findall(f"{{{SAML}}}Audience")]
        if expected.audience not in found:
            raise BadResponse(
                "audience", f"the assertion is for {_said(' '.join(found))}, we are {expected.audience!r}"
            )


def subject_confirmation(assertion: Element, expected: Expected) -> None:
    """One bearer confirmation that was made for us, now, and for this request (Profiles 4.1.4.3)."""
    found = assertion.findall(f"{{{SAML}}}Subject/{{{SAML}}}SubjectConfirmation")
    bearers = [one for one in found if one.get("Method") == BEARER]
    if not bearers:
        raise BadResponse("subject_confirmation", "the subject has no confirmation of the method bearer")
    problems: list[BadResponse] = []
    for one in bearers:
        try:
            _confirms(one.find(f"{{{SAML}}}SubjectConfirmationData"), expected)
        except BadResponse as problem:
            problems.append(problem)
    if len(problems) == len(bearers):
        raise problems[0]


def _confirms(data: Element | None, expected: Expected) -> None:
    if data is None:
        raise BadResponse("subject_confirmation", "the confirmation has no SubjectConfirmationData")
    if data.get("Recipient") != expected.acs_url:
        raise BadResponse("recipient", f"Recipient is {_said(data.get('Recipient'))}, we are {expected.acs_url!r}")
    if data.get("NotOnOrAfter") is None:
        raise BadResponse("subject_confirmation", "SubjectConfirmationData has no NotOnOrAfter")
    _in_time(data, expected, "subject_confirmation")
    found = data.get("InResponseTo")
    if found != expected.request_id:
        raise BadResponse(
            "in_response_to", f"the confirmation's InResponseTo is {_said(found)}, not the ID of our request"
        )


def authn_statement(assertion: Element, expected: Expected) -> None:
    """That somebody signed in at all; when, and whether that still counts there."""
    found = assertion.findall(f"{{{SAML}}}AuthnStatement")
    if not found:
        raise BadResponse("authn_statement", "the assertion does not say that anybody signed in (AuthnStatement)")
    for one in found:
        if instant(one.get("AuthnInstant", ""), "authn_instant") > expected.now + expected.skew:
            raise BadResponse("authn_instant", "AuthnInstant is in the future; do the clocks agree?")
        end = one.get("SessionNotOnOrAfter")
        if end is not None and instant(end, "authn_statement") <= expected.now - expected.skew:
            raise BadResponse("authn_statement", "the session at the upstream is over (SessionNotOnOrAfter)")


def authn_instant(assertion: Element, expected: Expected) -> None:
    if expected.not_before is None:
        return
    at = max(
        instant(one.get("AuthnInstant", ""), "authn_instant") for one in assertion.iterfind(f"{{{SAML}}}AuthnStatement")
    )
    if at < expected.not_before - expected.skew:
        late = expected.not_before - at
        raise BadResponse("authn_instant", f"a fresh sign-in was asked for, but AuthnInstant is {late:.0f} s too old")


def authn_context(assertion: Element, expected: Expected) -> None:
    found = context_classes(assertion)
    if expected.contexts and not set(expected.contexts).intersection(found):
        raise BadResponse("authn_context", f"the context is {_said(' '.join(found))}, asked was {expected.contexts}")


def context_classes(assertion: Element) -> tuple[str, ...]:
    path = f"{{{SAML}}}AuthnStatement/{{{SAML}}}AuthnContext/{{{SAML}}}AuthnContextClassRef"
    return tuple(text(one)[:MAX_ID] for one in assertion.findall(path))


RESPONSE_CHECKS: tuple[tuple[str, Check], ...] = (
    ("version", version),
    ("issuer", issuer_if_named),
    ("destination", destination),
    ("in_response_to", in_response_to),
    ("issue_instant", issue_instant),
    ("status", status),
)
ASSERTION_CHECKS: tuple[tuple[str, Check], ...] = (
    ("version", version),
    ("issuer", issuer),
    ("issue_instant", issue_instant),
    ("conditions", conditions),
    ("audience", audience),
    ("subject_confirmation", subject_confirmation),
    ("authn_statement", authn_statement),
    ("authn_instant", authn_instant),
    ("authn_context", authn_context),
)

# ---------------------------------------------------------------- small things


def text(element: Element) -> str:
    """All of it: `.text` alone would end at a comment. Without the blanks of XML around it and no others: Python's strip()
    also takes U+00A0 and its like away, and where people choose their names, `ada` and `ada\u00a0` are two."""
    return "".join(element.itertext()).strip(BLANKS)


def instant(value: str, code: str) -> float:
    """xs:dateTime in seconds since the epoch; without a zone it is UTC (Core 1.3.3). Raises BadResponse."""
    try:
        at = datetime.fromisoformat(value.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):  # the schema also allows the year 10000 and 24:00
        raise BadResponse(code, f"{value[:40]!r} is not a time that we can read") from None


def _in_time(element: Element, expected: Expected, code: str) -> None:
    start, end = element.get("NotBefore"), element.get("NotOnOrAfter")
    if start is not None and (ahead := instant(start, code) - expected.now) > expected.skew:
        raise BadResponse(code, f"{_local(element)}: not valid for another {ahead:.0f} s; do the clocks agree?")
    if end is not None and (over := expected.now - instant(end, code)) >= expected.skew:
        raise BadResponse(code, f"{_local(element)}: over since {over:.0f} s; do the clocks agree?")


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _said(value: str | None) -> str:
    return "missing" if value is None else ascii(value[:200])
