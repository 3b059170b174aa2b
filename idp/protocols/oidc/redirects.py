"""Redirect URIs: compared byte for byte, and the authorization answer that is sent to them (query, form_post, or signed).

Leaves which one is asked for to checks, what is in the answer to whoever answers, and its signature to jarm.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote_plus, urlsplit

from flask import make_response
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response

from idp.base.net import is_loopback_url
from idp.domain.relying import Client
from idp.http.machine import Told
from idp.http.parts import Parts, parts
from idp.http.render import page
from idp.http.security import allow_form_target
from idp.protocols.oidc import jarm

# `jwt` is what `query.jwt` is for response_type=code (JARM 2.3.4).
RESPONSE_MODES = ("query", "form_post", "jwt", "query.jwt", "form_post.jwt")
_LOOPBACK = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]))(?::[0-9]{1,5})?([/?].*|)\Z")
_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*\Z")
_PLAIN = re.compile(r"[!-~]+\Z")
_UNCACHED = (("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"))
_ORIGIN = re.compile(r"https?://[a-z0-9.\[\]:-]+\Z")


@dataclass(frozen=True, slots=True)
class Reply:
    """Where an authorization answer goes, and what goes with it. signing_alg: for the modes that end in `jwt`."""

    client_id: str
    redirect_uri: str
    response_mode: str = "query"
    state: str | None = None
    signing_alg: str | None = None

    @property
    def by_form(self) -> bool:
        """Is it a page with a form, and no address?"""
        return self.response_mode.startswith("form_post")


def is_registered(client: Client, uri: str) -> bool:
    """Byte for byte; the port of a loopback address may differ for native public clients only (RFC 8252 7.3)."""
    if uri in client.redirect_uris:
        return True
    return is_native(client) and any(_same_but_port(known, uri) for known in client.redirect_uris)


def is_native(client: Client) -> bool:
    """A public client that is registered as native, or that has loopback addresses only: what else could it be?"""
    if not client.is_public:
        return False
    return client.application_type == "native" or all(map(is_loopback_url, client.redirect_uris))


def is_loopback_redirect(client: Client, uri: str) -> bool:
    return is_native(client) and _LOOPBACK.match(uri) is not None


def _same_but_port(known: str, uri: str) -> bool:
    one, other = _LOOPBACK.match(known), _LOOPBACK.match(uri)
    return one is not None and other is not None and one.groups() == other.groups()


def send(reply: Reply, answer: Mapping[str, str], *, app_name: str = "") -> Response:
    """To the app, with state and iss (RFC 9207). Raises Refused(temporarily_unavailable) when it cannot be signed."""
    if reply.by_form:
        return _form(reply, signed(parts(), reply, answer), app_name)
    told = by_address(parts(), reply, answer)
    response = Response(status=told.status, headers=told.headers)
    del response.headers["Content-Type"]
    return response


def by_address(parts: Parts, reply: Reply, answer: Mapping[str, str]) -> Told:
    """The same for every way but a form, without Flask."""
    # 303: a browser must not send the form again that it may just have sent us (RFC 9700 4.12).
    location = with_query(reply.redirect_uri, signed(parts, reply, answer))
    if not _PLAIN.match(location):
        location = iri_to_uri(location)
    return Told(303, b"", [("Location", location), *_UNCACHED])


def signed(parts: Parts, reply: Reply, answer: Mapping[str, str]) -> Mapping[str, str]:
    """The fields that go to the app: with state and issuer, and in one signed field where the mode says so."""
    fields, issuer = dict(answer), parts.installation.issuer
    if reply.state is not None:
        fields["state"] = reply.state
    if not reply.response_mode.endswith("jwt"):
        return fields | {"iss": issuer}
    alg, now = reply.signing_alg, parts.clock()
    return {"response": jarm.signed(parts.keys, alg, fields, issuer=issuer, client_id=reply.client_id, now=now)}


def _form(reply: Reply, fields: Mapping[str, str], app_name: str) -> Response:
    origin = form_target(reply.redirect_uri)
    if origin:
        allow_form_target(origin)
    response = make_response(page("form_post.html", action=reply.redirect_uri, fields=fields, app_name=app_name))
    response.headers.update(_UNCACHED)
    return response


def with_query(uri: str, fields: Mapping[str, str]) -> str:
    glue = "" if uri.endswith(("?", "&")) else "&" if "?" in uri else "?"
    return uri + glue + "&".join([f"{name}={_quoted(value)}" for name, value in fields.items()])


def _quoted(value: str) -> str:
    """As urlencode has it, which costs more than all the rest of an answer."""
    return value if _UNRESERVED.match(value) else quote_plus(value)


def form_target(uri: str) -> str:
    """What a Content-Security-Policy calls the place that `uri` leads to; empty when it cannot be said safely."""
    split = urlsplit(uri)
    if split.scheme in ("http", "https"):
        origin = f"{split.scheme}://{split.netloc}".lower()
        return origin if _ORIGIN.match(origin) else ""
    return f"{split.scheme}:" if split.scheme else ""
