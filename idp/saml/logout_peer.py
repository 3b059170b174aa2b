"""One logout with one peer: our messages ready to be sent by the binding that it takes, and its messages read.

The same for a service provider and for an upstream identity provider; what differs stands in `Peer`. Leaves HTTP, sessions and
who the peer is to the doors.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from idp.base.errors import Refused
from idp.domain.checks import Checks
from idp.saml import bindings, logout, names, soap
from idp.saml.logout_writing import PARTIAL_LOGOUT, Kind, Signing, write_request, write_response
from idp.saml.signatures import Algorithm, PublicKey
from idp.saml.views import Binding, Endpoint

BOTH: tuple[bindings.Kind, ...] = ("request", "response")


@dataclass(frozen=True, slots=True)
class Peer:
    """name: `sp:ENTITYID` or `upstream:ID`; label: for people. ours: our entityID towards it; here: our address for its messages
    from browsers, soap_here: for those by SOAP. keys: its own; algorithms: the only ones that it may sign with, None for all
    that we know. endpoints: where it takes logout messages. decrypting: gives our keys, for encrypted names; cbc: it was set so.
    skew: seconds."""

    name: str
    label: str
    entity_id: str
    ours: str
    here: str
    soap_here: str
    keys: tuple[PublicKey, ...]
    endpoints: tuple[Endpoint, ...]
    signing: Signing
    decrypting: logout.OurKeys = tuple
    cbc: bool = False
    skew: float = 300.0
    algorithms: tuple[Algorithm, ...] | None = None

    def endpoint(self, *wanted: Binding) -> Endpoint | None:
        """The first that there is, in the order of `wanted`."""
        by_binding = {one.binding: one for one in reversed(self.endpoints)}
        return next((by_binding[one] for one in wanted if one in by_binding), None)

    def takes_answers(self, binding: str) -> bool:
        return self._for_answers(binding) is not None

    def _for_answers(self, binding: str) -> Endpoint | None:
        """By the binding of its request if it can be, else by the other one for browsers."""
        return self.endpoint("post", "redirect") if binding == "post" else self.endpoint("redirect", "post")

    def request(self, facts: Mapping[str, str], id: str, now: float) -> "Sent | None":
        """A LogoutRequest for the browser to carry; None when it takes none. facts: NameID and session_index."""
        endpoint = self.endpoint("redirect", "post")
        if endpoint is None:
            return None
        signing = self.signing if endpoint.binding == "post" else None
        index = facts.get("session_index", "")
        document = write_request(self.ours, endpoint.url, facts, index, id=id, now=now, signing=signing)
        return self._sent("LogoutRequest", id, endpoint, endpoint.url, document, None)

    def soap_request(self, facts: Mapping[str, str], id: str, now: float) -> "Sent | None":
        endpoint = self.endpoint("soap")
        if endpoint is None:
            return None
        index = facts.get("session_index", "")
        document = write_request(self.ours, endpoint.url, facts, index, id=id, now=now, signing=self.signing)
        return Sent("LogoutRequest", id, "soap", endpoint.url, document)

    def answer(
        self, in_response_to: str, binding: str, relay_state: str | None, now: float, outcome: "Outcome"
    ) -> "Sent | None":
        """A LogoutResponse for the browser to carry; None when there is no address for it."""
        endpoint = self._for_answers(binding)
        if endpoint is None:
            return None
        signing = self.signing if endpoint.binding == "post" else None
        top, second = STATUS[outcome]
        document = write_response(
            self.ours, endpoint.for_answers, in_response_to, now=now, top=top, second=second, signing=signing
        )
        return self._sent("LogoutResponse", "", endpoint, endpoint.for_answers, document, relay_state)

    def soap_answer(self, in_response_to: str, now: float, outcome: "Outcome") -> bytes:
        """The LogoutResponse alone, without its envelope."""
        top, second = STATUS[outcome]
        return write_response(self.ours, "", in_response_to, now=now, top=top, second=second, signing=self.signing)

    def _sent(
        self, kind: Kind, id: str, endpoint: Endpoint, url: str, document: bytes, relay_state: str | None
    ) -> "Sent":
        field: bindings.Kind = "request" if kind == "LogoutRequest" else "response"
        if endpoint.binding == "post":
            return Sent(kind, id, "post", url, document, bindings.to_form(document, relay_state, kind=field))
        query = bindings.to_query(document, relay_state, self.signing.key, self.signing.algorithm, kind=field)
        return Sent(kind, id, "redirect", f"{url}{'&' if '?' in url else '?'}{query}", document)


Outcome = Literal["done", "partial", "unknown"]
STATUS: Mapping[Outcome, tuple[str, str]] = {
    "done": (names.SUCCESS, ""),
    # Core 3.7.3.2: the top code says how it went with us, the second one that somebody else was not reached.
    "partial": (names.SUCCESS, PARTIAL_LOGOUT),
    "unknown": (names.REQUESTER, names.UNKNOWN_PRINCIPAL),
}


@dataclass(frozen=True, slots=True)
class Sent:
    """A message on its way. id: its own. url: complete, for Redirect; fields: of the form, for POST."""

    kind: Kind
    id: str
    binding: Binding
    url: str
    document: bytes = field(repr=False)
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)


FindPeer = Callable[[str, Kind], Peer]


@dataclass(slots=True)
class Heard:
    """A message as far as it was read; the message inspector shows it even when it was refused. peer: whom it names."""

    binding: str
    peer: str = ""
    document: bytes = field(default=b"", repr=False)
    checks: Checks = field(default_factory=Checks)
    kind: str = ""
    in_response_to: str = ""


def from_query(query: bytes, heard: Heard) -> bindings.Arrived:
    """Raises Refused(slo_unreadable)."""
    return _arrived(lambda: bindings.from_query(query, BOTH), heard)


def from_form(form: Mapping[str, Sequence[str]], heard: Heard) -> bindings.Arrived:
    return _arrived(lambda: bindings.from_form(form, BOTH), heard)


def from_soap(body: bytes, heard: Heard) -> bindings.Arrived:
    return _arrived(lambda: soap.arrived(body), heard)


def from_soap_answer(body: bytes, heard: Heard) -> bindings.Arrived:
    return _arrived(lambda: bindings.Arrived("soap", soap.message_in(body), None, kind="response"), heard)


def _arrived(read: Callable[[], bindings.Arrived], heard: Heard) -> bindings.Arrived:
    try:
        arrived = read()
    except bindings.BadMessage as error:
        heard.checks.failed("schema", str(error))
        raise logout.refuse("slo_unreadable", str(error)) from None
    heard.document = arrived.document
    return arrived


def open_message(arrived: bindings.Arrived, find: FindPeer, heard: Heard) -> tuple[logout.Opened, Peer]:
    """Whose message it says it is; nothing in it is believed yet. Raises Refused."""
    message = logout.opened(arrived.document, heard.checks)
    heard.kind, heard.in_response_to = message.kind, message.in_response_to
    heard.peer = heard.peer or f"sp:{message.issuer}"
    if (arrived.kind == "request") != (message.kind == "LogoutRequest"):
        raise logout.refuse("slo_unreadable", f"a {message.kind} came in the place of the other one")
    try:
        peer = find(message.issuer, message.kind)
    except Refused as refused:
        heard.checks.failed("issuer_known", refused.reason)
        raise
    heard.checks.passed("issuer_known")
    return message, peer


def read_request(
    arrived: bindings.Arrived, message: logout.Opened, peer: Peer, heard: Heard, now: float
) -> logout.LogoutRequest:
    """Raises Refused."""
    root = logout.verified(message, peer.keys, arrived.signature, peer.algorithms, heard.checks)
    return logout.read_request(root, _rules(peer, arrived.binding, now), heard.checks)


def read_response(
    arrived: bindings.Arrived, message: logout.Opened, peer: Peer, heard: Heard, now: float, *, vouched: bool = False
) -> logout.LogoutResponse:
    """vouched: it came over a connection that we opened to the peer; a signature that we have no use for is then as good as
    none, one that is wrong is not. Raises Refused."""
    root = None
    if not vouched or logout.usable_signature(message):
        root = logout.verified(message, peer.keys, arrived.signature, peer.algorithms, heard.checks)
    rules = _rules(peer, arrived.binding, now)
    return logout.read_response(message, root, rules, heard.checks, channel_vouches=vouched)


def _rules(peer: Peer, binding: str, now: float) -> logout.Rules:
    by_soap = binding == "soap"
    here = peer.soap_here if by_soap else peer.here
    return logout.Rules(here, now, peer.skew, not by_soap, peer.decrypting, peer.cbc)
