"""Owns the sample SAML app: asks Sheaf who is there (Redirect out, POST in) and shows what the assertion says.

Small enough to read in one go. Real apps use a service provider such as mod_auth_mellon, Shibboleth or pysaml2.
"""

import base64
import secrets
import time
from calendar import timegm
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

from flask import Flask, redirect, request, session
from lxml import etree
from werkzeug.wrappers import Response

from demo.pages import page
from idp.saml import bindings, xml
from idp.saml.signatures import public_key, verify_element

NS = {"saml": xml.SAML, "samlp": xml.SAMLP, "md": xml.MD, "ds": xml.DS}
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
SKEW = 60

WELCOME = """<h1>SAML app</h1><p>A small app that knows nobody by itself. It asks Sheaf, in SAML.</p>
<p><a class="button main" href="/sign-in">Sign in with Sheaf</a></p>
<p class="quiet"><a href="{{ landing }}">Back to the demo page</a></p>"""
SIGNED_IN = """<h1>SAML app</h1><p>You are signed in as <b>{{ who.name_id }}</b>.</p>
<dl><dt>Name ID format</dt><dd>{{ who.format }}</dd><dt>How you signed in</dt><dd>{{ who.context }}</dd>
{% for name, values in who.attributes.items() %}<dt>{{ name }}</dt><dd>{{ values | join(", ") }}</dd>{% endfor %}</dl>
<form method="post" action="/sign-out"><button>Leave this app</button></form>
<p class="quiet"><a href="{{ landing }}">Back to the demo page</a></p>
<section><h2>The assertion</h2><pre>{{ who.assertion }}</pre></section>"""


@dataclass(frozen=True)
class Sp:
    """This app as Sheaf sees it. base: http://host:port"""

    base: str

    @property
    def entity_id(self) -> str:
        return f"{self.base}/metadata"

    @property
    def acs(self) -> str:
        return f"{self.base}/acs"

    def metadata(self) -> str:
        return (
            f'<md:EntityDescriptor xmlns:md="{xml.MD}" entityID="{self.entity_id}"><md:SPSSODescriptor '
            f'AuthnRequestsSigned="false" WantAssertionsSigned="true" protocolSupportEnumeration="{xml.SAMLP}">'
            f'<md:AssertionConsumerService index="0" isDefault="true" Binding="{POST}" Location="{self.acs}"/>'
            "</md:SPSSODescriptor></md:EntityDescriptor>"
        )


class IdentityProvider:
    """What Sheaf's metadata says; read at the first use."""

    def __init__(self, metadata_url: str) -> None:
        with build_opener(ProxyHandler({})).open(metadata_url, timeout=10) as answer:
            root = xml.parse(answer.read(), xml.METADATA)
        self.entity_id = root.get("entityID")
        self.sso_url = root.xpath("//md:SingleSignOnService[contains(@Binding, 'Redirect')]/@Location", namespaces=NS)[
            0
        ]
        certificates = root.xpath("//md:IDPSSODescriptor//ds:X509Certificate/text()", namespaces=NS)
        self.keys = [public_key(certificate) for certificate in certificates]


def make_app(base: str, metadata_url: str, landing: str) -> Flask:
    app = Flask("demo_saml_app")
    app.secret_key = secrets.token_bytes(32)
    app.config.update(SESSION_COOKIE_NAME="demo_saml_app", SESSION_COOKIE_SAMESITE="Lax")
    sp = Sp(base)
    signed_in: dict[str, dict[str, Any]] = {}

    @app.get("/")
    def home() -> str:
        who = signed_in.get(session.get("handle", ""))
        return page("SAML app", SIGNED_IN if who else WELCOME, who=who, landing=landing)

    @app.get("/metadata")
    def metadata() -> Any:
        return sp.metadata(), {"Content-Type": "application/samlmetadata+xml"}

    @app.get("/sign-in")
    def sign_in() -> Response:
        idp = IdentityProvider(metadata_url)
        session["request_id"] = f"_{secrets.token_hex(16)}"
        wanted = authn_request(sp, idp, session["request_id"])
        return redirect(f"{idp.sso_url}?{bindings.to_query(wanted, None, None)}")

    @app.post("/acs")
    def acs() -> Response:
        who = read_response(
            base64.b64decode(request.form["SAMLResponse"]),
            sp,
            IdentityProvider(metadata_url),
            session.pop("request_id", ""),
        )
        session["handle"] = secrets.token_urlsafe(16)
        signed_in[session["handle"]] = who
        return redirect("/", 303)

    @app.post("/sign-out")
    def sign_out() -> Response:
        signed_in.pop(session.pop("handle", ""), None)
        return redirect("/", 303)

    @app.errorhandler(ValueError)
    def refused(error: ValueError) -> Any:
        return page(
            "SAML app", '<h1>SAML app</h1><p>{{ why }}</p><p><a href="/">Start again</a></p>', why=str(error)
        ), 403

    return app


def authn_request(sp: Sp, idp: IdentityProvider, request_id: str) -> bytes:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return (
        f'<samlp:AuthnRequest xmlns:samlp="{xml.SAMLP}" xmlns:saml="{xml.SAML}" ID="{request_id}" Version="2.0" '
        f'IssueInstant="{now}" Destination="{idp.sso_url}" AssertionConsumerServiceURL="{sp.acs}" ProtocolBinding="{POST}">'
        f"<saml:Issuer>{sp.entity_id}</saml:Issuer></samlp:AuthnRequest>"
    ).encode()


def read_response(document: bytes, sp: Sp, idp: IdentityProvider, request_id: str) -> dict[str, Any]:
    """Who is there. Raises ValueError when the answer is not for us, not fresh, or not signed by Sheaf."""
    root = xml.parse(document, xml.PROTOCOL)
    status = root.xpath("samlp:Status/samlp:StatusCode/@Value", namespaces=NS)
    if status != [SUCCESS]:
        raise ValueError("Sheaf did not sign you in.")
    found = root.findall("saml:Assertion", NS)
    if len(found) != 1:
        raise ValueError("The answer does not hold exactly one assertion.")
    # From here on only what was signed is read.
    signed = etree.fromstring(verify_element(found[0], idp.keys))
    confirmation = signed.find("saml:Subject/saml:SubjectConfirmation/saml:SubjectConfirmationData", NS)
    audiences = [one.text for one in signed.iterfind(".//saml:Audience", NS)]
    facts = {
        "issuer": signed.findtext("saml:Issuer", namespaces=NS) == idp.entity_id,
        "audience": audiences == [sp.entity_id],
        "recipient": confirmation.get("Recipient") == sp.acs,
        "request": bool(request_id) and confirmation.get("InResponseTo") == request_id,
        "time": _seconds(confirmation.get("NotOnOrAfter")) > time.time() - SKEW,
    }
    wrong = [name for name, good in facts.items() if not good]
    if wrong:
        raise ValueError(f"The assertion is not for this sign-in ({', '.join(wrong)}).")
    return _person(signed)


def _person(signed: Any) -> dict[str, Any]:
    name_id = signed.find("saml:Subject/saml:NameID", NS)
    etree.indent(signed)
    return {
        "name_id": name_id.text,
        "format": name_id.get("Format"),
        "context": signed.findtext(".//saml:AuthnContextClassRef", namespaces=NS),
        "attributes": {
            one.get("FriendlyName") or one.get("Name"): [
                value.text for value in one.iterfind("saml:AttributeValue", NS)
            ]
            for one in signed.iterfind(".//saml:Attribute", NS)
        },
        "assertion": etree.tostring(signed, encoding="unicode"),
    }


def _seconds(instant: str) -> float:
    return float(timegm(time.strptime(instant[:19], "%Y-%m-%dT%H:%M:%S")))


def write_metadata(sp: Sp, path: Path) -> Path:
    path.write_text(sp.metadata())
    return path
