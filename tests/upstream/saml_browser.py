"""Owns a browser's way to the double of a SAML identity provider and back, through the real application."""

from dataclasses import dataclass
from typing import Any

import pytest
from lxml import etree

from idp.domain.upstream import FederatedLogin
from idp.ports import Departure
from idp.saml.algorithms import public_key
from idp.upstream.parse import changed_provider, new_provider
from idp.upstream.registry import secret_fields
from tests.support.html import parse
from tests.upstream.browser import BASE, Browser, code
from tests.upstream.saml_answer import posted
from tests.upstream.saml_double import Asked, SamlDouble


@dataclass
class Way:
    """One browser, one upstream. `leave` goes there; `post` brings an answer back, as another site does: without cookies."""

    app: Any
    browser: Browser
    double: SamlDouble
    provider: str = "corp"

    def leave(self) -> Asked:
        self.flow = self.browser.begin()
        url = self.browser.leave(self.flow, self.provider)
        return self.double.asked(Departure(url, {}))

    def leave_by_post(self) -> Asked:
        self.flow = self.browser.begin()
        response = self.browser.post(f"{self.flow}/upstream/{self.provider}", on=self.flow)
        assert response.status_code == 200
        form = parse(response.text).forms[0]
        return self.double.asked(Departure(form.action, {}, form.values))

    def post(self, fields: dict[str, str], provider: str | None = None) -> Any:
        stranger = self.app.test_client()
        return stranger.post(f"/upstream/{provider or self.provider}/acs", data=fields, base_url=BASE)

    def come_back(self, fields: dict[str, str], provider: str | None = None) -> Any:
        """The answer at the end of the way that counts: of the callback, or of the post when that was refused."""
        response = self.post(fields, provider)
        return self.browser.get(response.location) if response.status_code == 303 else response

    def answer(self, asked: Asked, subject: str = "user-1", **changes: Any) -> dict[str, str]:
        return posted(self.double.answer(asked, subject, **changes).document(self.double.clock()), asked.relay_state)

    def sign_in(self, subject: str = "user-1", **changes: Any) -> Any:
        return self.browser.follow(self.come_back(self.answer(self.leave(), subject, **changes)))


@pytest.fixture
def idp(clock):
    double = SamlDouble(clock)
    yield double
    double.close()


@pytest.fixture
def add_saml(services, idp, clock):
    def add(id="corp", kind="saml", double=idp, **pairs):
        given = {"metadata": double.metadata().decode(), "label": "Corporate login", **pairs}
        wanted = new_provider(kind, id, given, clock())
        return services.upstreams.add(wanted, secrets=secret_fields(kind), actor="test")

    return add


@pytest.fixture
def way(app, browser, idp, add_saml):
    add_saml()
    return Way(app, browser, idp)


@pytest.fixture
def refused_as(services):
    """(name, reason) under which an answer was refused."""

    def found(response):
        assert response.status_code >= 400, (response.status_code, response.headers.get("Location"))
        trace = services.traces.explain(code(response))
        return trace.code, trace.reason

    return found


@pytest.fixture
def refused_for(way, refused_as, repo):
    """An answer that says something else in these fields must be refused: the check that it failed."""

    def go(way=way, subject="user-1", **changes):
        response = way.come_back(way.answer(way.leave(), subject, **changes))
        name, reason = refused_as(response)
        assert name == "upstream_answer_invalid"
        assert "The answer of the other side could not be accepted." in response.text
        assert not way.browser.is_signed_in
        assert repo.find(FederatedLogin) == []
        return reason.partition(":")[0]

    return go


@pytest.fixture
def our_certificate(browser, way):
    """(key, certificate) with which peers encrypt for us."""
    root = etree.fromstring(browser.get("/upstream/corp/metadata").data)
    text = root.findtext(".//{*}KeyDescriptor[@use='encryption']//{*}X509Certificate")
    return public_key(text), f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"


@pytest.fixture
def set_settings(services):
    def change(**settings):
        changed, values = changed_provider(services.upstreams.get("corp"), settings)
        services.upstreams.change(changed, values, secrets=(), actor="test")

    return change
