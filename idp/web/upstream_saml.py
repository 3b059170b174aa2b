"""Owns what upstreams that speak SAML need of the pages besides: answers by POST, our metadata for them, notes for the inspector.

Leaves the way there and back to upstream_pages, the protocol to the upstream kinds, and logout to upstream_logout.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from flask import Blueprint, Response, after_this_request, g, make_response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from idp.base.errors import Refused
from idp.domain.checks import Checks
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from idp.http import seeing
from idp.http.parts import parts
from idp.ports import Departure, UpstreamKind
from idp.services.depart_upstream import unexpected
from idp.web.upstream_trials import provider_for

if TYPE_CHECKING:
    from idp.upstream.saml_kind import SamlKind

bp = Blueprint("upstream_saml", __name__)

FIELDS = ("SAMLResponse", "RelayState")
# What an upstream that works as it should does not lead to.
FAULTS = ("upstream_unreachable", "upstream_misconfigured", "upstream_answer_invalid")


@bp.post("/upstream/<provider_id>/acs")
def acs(provider_id: str) -> AnyResponse:
    """SAML Bindings 3.5. Browsers send no SameSite cookie with a form from another site: the answer waits, and a GET of our
    own finds out whose it is."""
    services = parts()
    provider = provider_for(provider_id, request.form.get("RelayState", ""))
    kind = _saml(services.kinds.open(provider))
    params = _posted()
    state = params.get("RelayState", "")
    if kind.settings.unsolicited and not services.departures.knows(state):
        return _unsolicited(provider, kind, params)
    departure = services.departures.find(state, provider.id)
    _read(params)  # what can be no answer is not kept
    handle = services.departures.keep_arrival(departure, params)
    return redirect(f"/upstream/{provider.id}/callback?arrival={handle}", 303)


@bp.get("/upstream/<provider_id>/metadata")
def metadata(provider_id: str) -> Response:
    services = parts()
    provider = services.upstreams.enabled(provider_id)
    response = make_response(_saml(services.kinds.open(provider)).metadata(provider))
    response.headers["Content-Type"] = "application/samlmetadata+xml"
    response.headers["Content-Disposition"] = f'inline; filename="sheaf-sp-{provider.id}.xml"'
    response.headers["Cache-Control"] = "max-age=300"
    return response


def _unsolicited(provider: UpstreamProvider, kind: "SamlKind", params: Mapping[str, str]) -> AnyResponse:
    """A sign-in that began at the upstream. RelayState names no page of ours: anybody could have written it."""
    services = parts()
    draft = services.sign_in.draft("account", "/account", {})
    services.sign_in.must_accept(draft.attempt, provider)
    with services.kinds.room.place(provider.id):
        identity = arrive(kind, provider, params, {})
    handle = services.sign_in.save(draft)
    attempt = seeing.arrived(draft.attempt, identity)
    attempt = seeing.about(services.sign_in.arrive(attempt, identity, provider))
    if attempt.waiting is not None:
        # Nobody here asked to join anything: a stranger who can choose an address there would get the password of its owner
        # for the asking, on our own page, and with it a key to the account.
        raise Refused(
            "join_not_asked_for",
            "Somebody here has this e-mail address. If it is you: sign in here first, then link this login on your account page.",
            status=403,
            reason="an unsolicited answer with the e-mail of a user to whom this login is not linked",
        )
    return redirect(f"/flow/{handle}", 303)


def arrive(
    kind: UpstreamKind, provider: UpstreamProvider, params: Mapping[str, str], remembered: Mapping[str, str]
) -> UpstreamIdentity:
    """The kind's arrive, with its checks noted, and a note for the inspector where there is something to look at."""
    callback = f"{parts().installation.issuer}/upstream/{provider.id}/callback"
    checks = seeing.checks(provider)
    if arrives_by_post(kind):
        _note_arrival(provider, params, checks)
    if not remembered:  # nobody asked for it: anybody could have written it
        return kind.arrive(provider, callback, params, remembered, checks)
    with watched(provider):
        identity = kind.arrive(provider, callback, params, remembered, checks)
    parts().upstream_health.worked(provider.id)
    return identity


@contextmanager
def watched(provider: UpstreamProvider) -> Iterator[None]:
    """How the upstream answers is written down for those who look after it. Whom it turned away is no fault of its own."""
    try:
        yield
    except Refused as refused:
        if refused.code in FAULTS:
            parts().upstream_health.failed(provider.id, refused.reason)
        raise


def arrives_by_post(kind: UpstreamKind) -> bool:
    return bool(getattr(kind, "arrives_by_post", False))


def note_departure(provider: UpstreamProvider, departure: Departure) -> None:
    if departure.document:
        binding = "redirect" if departure.form is None else "post"
        parts().saml_messages.keep(f"upstream:{provider.id}", "out", "AuthnRequest", binding, departure.document)


def _note_arrival(provider: UpstreamProvider, params: Mapping[str, str], checks: Checks) -> None:
    """Kept when the answer is on its way out, as its trace code is known only then."""
    try:
        read = _read(params)
    except Refused:  # it will be refused by that very name in a moment
        return

    @after_this_request
    def keep(response: Response) -> Response:
        good = bool(checks.made) and all(check.ok for check in checks.made)
        parts().saml_messages.keep(
            f"upstream:{provider.id}",
            "in",
            "Response",
            "post",
            read,
            checks=checks.made,
            ok=good,
            trace=g.get("sheaf_trace", ""),
        )
        return response


def _saml(kind: UpstreamKind) -> "SamlKind":
    """Raises Refused(unknown_upstream) for kinds of another protocol."""
    if not arrives_by_post(kind):
        raise Refused("unknown_upstream", "This way to sign in is not available. Choose another one.", status=404)
    return cast("SamlKind", kind)


def _read(params: Mapping[str, str]) -> bytes:
    from idp.upstream.saml_kind import document

    return document(params)


def _posted() -> dict[str, str]:
    """The fields that count, each once. Raises Refused(repeated_field | upstream_unexpected)."""
    if any(len(request.form.getlist(name)) > 1 for name in FIELDS):
        raise Refused("repeated_field", "The answer of the other side has a field twice. Start again.")
    params = {name: request.form[name] for name in FIELDS if name in request.form}
    if not params.get("SAMLResponse"):
        raise unexpected("the form has no SAMLResponse")
    return params
