"""Owns what tests of single logout share: apps that speak it, a house with a person signed in to them, and their messages.

Answers of ours are read with the signature functions and lxml, never with the readers under test.
"""

import base64
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree
from werkzeug.test import TestResponse

from idp.app import create_app
from idp.base.config import Settings
from idp.domain.attempt import Proof
from idp.domain.audit_event import Trace
from idp.domain.session import Session
from idp.http.parts import Parts
from idp.saml import bindings, soap
from idp.saml.signatures import public_key, sign_element, verify_element
from idp.saml.sp_metadata import service_provider_from_metadata
from idp.services.deliver_logout import DeliverLogout
from idp.storage.sqlite import SqliteRepository
from tests.saml.peer import NS, POST, REDIRECT, Pair, Sp, instant, new_id, one, pair
from tests.support.clock import FakeClock
from tests.support.html import parse
from tests.support.quick import SEAL_KEY_TEXT, quick
from tests.support.receiver import Received, Receiver

ISSUER = "http://localhost"
SLO = f"{ISSUER}/saml/slo"
SOAP_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:SOAP"
_URIS = {"redirect": REDIRECT, "post": POST, "soap": SOAP_BINDING}
PARTIAL = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"


@dataclass
class App(Sp):
    """logout: (binding, address, response address) of its SingleLogoutService, in this order."""

    logout: tuple[tuple[str, ...], ...] = ()
    label: str = "App"

    def metadata(self) -> bytes:
        services = "".join(
            f'<md:SingleLogoutService Binding="{_URIS[how]}" Location="{url}"'
            + "".join(f' ResponseLocation="{one}"' for one in more)
            + "/>"
            for how, url, *more in self.logout
        )
        before, key, after = super().metadata().decode().rpartition("</md:KeyDescriptor>")
        return (before + key + services + after).encode()

    def logout_request(
        self,
        person: "Known",
        now: float,
        *,
        id: str = "",
        destination: str | None = SLO,
        attributes: str = "",
        name_id: str | None = None,
        indexes: tuple[str, ...] | None = None,
        extensions: str = "",
    ) -> bytes:
        to = f' Destination="{destination}"' if destination else ""
        said = "".join(
            f"<samlp:SessionIndex>{one}</samlp:SessionIndex>"
            for one in ((person.index,) if indexes is None else indexes)
        )
        return (
            f'<samlp:LogoutRequest xmlns:samlp="{NS["samlp"]}" xmlns:saml="{NS["saml"]}" ID="{id or new_id()}" Version="2.0" '
            f'IssueInstant="{instant(now)}"{to} {attributes}><saml:Issuer>{self.entity_id}</saml:Issuer>{extensions}'
            f"{person.name_id if name_id is None else name_id}{said}</samlp:LogoutRequest>"
        ).encode()

    def logout_response(
        self, in_response_to: str, now: float, *, status: str = SUCCESS, second: str = "", destination: str | None = SLO
    ) -> bytes:
        inner = f'<samlp:StatusCode Value="{second}"/>' if second else ""
        to = f' Destination="{destination}"' if destination else ""
        return (
            f'<samlp:LogoutResponse xmlns:samlp="{NS["samlp"]}" xmlns:saml="{NS["saml"]}" ID="{new_id()}" Version="2.0" '
            f'IssueInstant="{instant(now)}"{to} InResponseTo="{in_response_to}"><saml:Issuer>{self.entity_id}</saml:Issuer>'
            f'<samlp:Status><samlp:StatusCode Value="{status}">{inner}</samlp:StatusCode></samlp:Status></samlp:LogoutResponse>'
        ).encode()

    def by_query(self, document: bytes, relay_state: str | None = None, *, key: Pair | None = None, **how: Any) -> str:
        signing = key or self.signing
        assert signing is not None
        return bindings.to_query(document, relay_state, signing.private, **how)

    def signed(self, document: bytes, key: Pair | None = None) -> bytes:
        signing = key or self.signing
        assert signing is not None
        return sign_element(etree.fromstring(document), signing.private, signing.certificate)

    def by_form(self, document: bytes, relay_state: str | None = None, kind: str = "SAMLRequest") -> dict[str, str]:
        fields = {kind: base64.b64encode(self.signed(document)).decode()}
        return fields if relay_state is None else {**fields, "RelayState": relay_state}


@dataclass(frozen=True)
class Known:
    """How an app knows a person: the NameID element of its assertion and the SessionIndex."""

    name_id: str
    index: str

    @property
    def value(self) -> str:
        return "".join(etree.fromstring(self.name_id).itertext())


@dataclass
class Message:
    """A message of ours, read and its signature verified."""

    root: Any
    relay_state: str | None
    url: str

    @property
    def id(self) -> str:
        return str(self.root.get("ID"))

    @property
    def kind(self) -> str:
        return str(etree.QName(self.root).localname)

    @property
    def statuses(self) -> list[str]:
        return [str(v) for v in self.root.xpath("//samlp:StatusCode/@Value", namespaces=NS)]

    def text(self, path: str) -> str:
        return str(one(self.root, path).text)


def read_query(url: str) -> Message:
    """A message by Redirect, its signature not looked at."""
    raw = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    field = raw.get("SAMLRequest") or raw["SAMLResponse"]
    root = etree.fromstring(zlib.decompress(base64.b64decode(field), -15))
    return Message(root, raw.get("RelayState"), re.split("[?&]SAMLRe", url)[0])


def read_form_fields(form: Mapping[str, Sequence[str]]) -> Message:
    """The same by POST."""
    (field,) = form.get("SAMLRequest") or form["SAMLResponse"]
    return Message(etree.fromstring(base64.b64decode(field)), next(iter(form.get("RelayState", ())), None), "")


def known_by(document: bytes) -> Known:
    """What an app gets to know by a Response."""
    root = etree.fromstring(document)
    name_id = etree.tostring(one(root, "//saml:Subject/saml:NameID"), with_tail=False).decode()
    return Known(name_id, one(root, "//saml:AuthnStatement").get("SessionIndex"))


@dataclass
class House:
    app: Flask
    parts: Parts
    clock: FakeClock
    browser: FlaskClient
    user_id: str
    apps: dict[str, App] = field(default_factory=dict)

    def add(self, label: str, *services: tuple[str, ...], **settings: Any) -> App:
        """An app with a key of its own."""
        at = f"https://{label.lower()}.example"
        made = App(f"{at}/metadata", (f"{at}/acs",), signing=pair("rsa-2048", 20 + len(self.apps)), logout=services)
        made.label = label
        sp = service_provider_from_metadata(made.metadata(), self.clock(), name=label)
        self.parts.repo.insert(replace(sp, **settings))
        self.apps[label] = made
        return made

    # ------------------------------------------------------------ the person

    def sign_in(self, browser: FlaskClient | None = None) -> Session:
        """Give the browser a session, as a completed sign-in does."""
        now = self.clock()
        session, handle = self.parts.sessions.establish(Proof(self.user_id, now, ("pwd", "otp"), now), None, "test")
        (browser or self.browser).set_cookie("sheaf_session", handle)
        return session

    def open(self, app: App, browser: FlaskClient | None = None, body: str = "") -> Known:
        """The browser, which is signed in, goes to the app; gives what the app gets to know."""
        self.clock.advance(1)
        request = app.authn_request(self.clock(), f"{ISSUER}/saml/sso", body=body)
        page = (browser or self.browser).get(f"/saml/sso?{app.query(request)}")
        assert page.status_code == 200, page.text
        return known_by(base64.b64decode(parse(page.text).forms[0].values["SAMLResponse"]))

    def sessions(self) -> list[Session]:
        return self.parts.sessions.of(self.user_id)

    def sign_out(self) -> TestResponse:
        (posting,) = [one for one in parse(self.browser.get("/sign-out").text).forms if "csrf" in one.values]
        return self.browser.post("/sign-out", data={"csrf": posting.values["csrf"]})

    # ------------------------------------------------------------ what we send

    def verify(self, root: Any) -> Any:
        verify_element(root, self.keys())
        return root

    def keys(self) -> list[Any]:
        return [public_key(c) for c in self.parts.keys.saml_published()]

    def read_url(self, url: str) -> Message:
        """A signed message by Redirect."""
        query = urlsplit(url).query
        raw = {name: values[0] for name, values in parse_qs(query).items()}
        name = "SAMLRequest" if "SAMLRequest" in raw else "SAMLResponse"
        signed = query[query.index(name) :].partition("&Signature=")[0]
        bindings.QuerySignature(signed.encode(), raw["SigAlg"], base64.b64decode(raw["Signature"])).verify(self.keys())
        return read_query(url)

    def read_form(self, page: TestResponse) -> Message:
        (posting,) = parse(page.text).forms
        name = "SAMLRequest" if "SAMLRequest" in posting.values else "SAMLResponse"
        root = self.verify(etree.fromstring(base64.b64decode(posting.values[name])))
        return Message(root, posting.values.get("RelayState"), posting.action)

    def read(self, page: TestResponse) -> Message:
        """What the browser is sent on with, in whichever way."""
        if page.status_code == 303:
            return self.read_url(page.location)
        if "Refresh" in page.headers:
            return self.read_url(page.headers["Refresh"].partition("url=")[2])
        return self.read_form(page)

    def read_soap(self, body: bytes) -> Message:
        return Message(self.verify(etree.fromstring(soap.message_in(body))), None, "")

    def follow(self, page: TestResponse, browser: FlaskClient | None = None) -> TestResponse:
        """Our own redirects, up to a page or an address of somebody else."""
        while page.status_code == 303 and page.location.startswith("/"):
            page = (browser or self.browser).get(page.location)
        return page

    def ask(self, app: App, document: bytes, relay_state: str | None = None) -> TestResponse:
        """An app's request by Redirect; gives where that leads."""
        return self.follow(self.browser.get(f"/saml/slo?{app.by_query(document, relay_state)}"))

    def come_back(self, app: App, page: TestResponse, **how: Any) -> TestResponse:
        """The app has heard it and sends the browser back; gives where that leads."""
        answer = app.logout_response(self.read(page).id, self.clock(), **how)
        return self.follow(self.browser.get(f"/saml/slo?{app.by_query(answer, kind='response')}"))

    @property
    def queue(self) -> DeliverLogout:
        queue: DeliverLogout = self.app.extensions["sheaf_deliveries"]
        return queue

    def refusal(self, page: TestResponse) -> Trace:
        assert page.status_code >= 400, page.text
        codes = re.findall(r"\b[0-9A-Z]{8}\b", parse(page.text).text if "<html" in page.text else page.text)
        found = [trace for code in codes if (trace := self.parts.traces.explain(code))]
        assert len(found) == 1, page.text
        return found[0]


def taking_soap(house: House, receiver: Receiver, label: str = "Shop", *more: tuple[str, ...], **answer: Any) -> App:
    """An app that is told by SOAP and answers as it is said here (the arguments of App.logout_response, and `sign`)."""
    app = house.add(label, ("soap", receiver.url(f"/{label}/slo")), *more)
    sign = answer.pop("sign", True)

    def answered(got: Received) -> str:
        request = house.read_soap(got.body)
        said = app.logout_response(answer.get("to") or request.id, house.clock(), destination=None, **_status(answer))
        return soap.envelope(app.signed(said) if sign else said).decode()

    receiver.pages[f"/{label}/slo"] = answered
    return app


def _status(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "to"}


@pytest.fixture(name="house")
def leaving_house(repo: SqliteRepository, tmp_path: Path, clock: FakeClock) -> House:
    settings = Settings(data=str(tmp_path / "data"), issuer=ISSUER, seal_key=SEAL_KEY_TEXT)
    app = quick(create_app(settings, repo=repo, clock=clock))
    parts: Parts = app.extensions["sheaf"]
    user = parts.users.add("ada", email="ada@example.org", name="Ada", email_verified=True, actor="test")
    return House(app, parts, clock, app.test_client(), user.id)
