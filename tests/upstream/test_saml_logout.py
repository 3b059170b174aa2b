"""Owns the claims about logout with an upstream that speaks SAML: from here to there, from there to here, and through to our apps.

What is believed of a LogoutRequest in general is in tests/saml/test_slo; here it is who may name whose sessions.
"""

import base64
from dataclasses import replace
from typing import Any

import pytest

from idp.domain.grant import LogoutDelivery
from idp.domain.saml import UpstreamSession
from idp.domain.user import User
from idp.saml import names, soap
from tests.saml.leaving import PARTIAL, SUCCESS, App, House, Known, known_by
from tests.saml.peer import NS, REDIRECT, pair
from tests.support.html import parse
from tests.support.receiver import Receiver
from tests.upstream.browser import BASE, Browser
from tests.upstream.saml_browser import Way

SLO = f"{BASE}/upstream/corp/slo"
OUR_ENTITY = f"{BASE}/upstream/corp/metadata"


class AtHome:
    """A test client that asks our address."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.set_cookie, self.get_cookie, self.delete_cookie = (
            client.set_cookie,
            client.get_cookie,
            client.delete_cookie,
        )

    def get(self, path: str, **how: Any) -> Any:
        return self._client.get(path, base_url=BASE, **how)

    def post(self, path: str, **how: Any) -> Any:
        return self._client.post(path, base_url=BASE, headers={"Origin": BASE}, **how)


@pytest.fixture
def corp(idp: Any) -> App:
    """The upstream as somebody who sends and reads messages of single logout."""
    return App(idp.entity_id, signing=idp.keys[0])


@pytest.fixture
def house(app: Any, way: Way, clock: Any) -> House:
    """A person who is signed in by the upstream."""
    way.sign_in()
    parts = app.extensions["sheaf"]
    (user,) = parts.repo.find(User)
    browser: Any = AtHome(way.browser.client)
    return House(app, parts, clock, browser, user.id)


def known(subject: str = "user-1", index: str = "_session") -> Known:
    said = f'<saml:NameID xmlns:saml="{NS["saml"]}" Format="{names.PERSISTENT}">{subject}</saml:NameID>'
    return Known(said, index)


def ask(house: House, corp: App, person: Known, **how: Any) -> Any:
    document = corp.logout_request(person, house.clock(), destination=SLO, **how)
    return house.follow(house.browser.get(f"/upstream/corp/slo?{corp.by_query(document, 'state')}"))


def come_back(house: House, corp: App, page: Any, **how: Any) -> Any:
    answer = corp.logout_response(house.read(page).id, house.clock(), destination=SLO, **how)
    return house.follow(house.browser.get(f"/upstream/corp/slo?{corp.by_query(answer, kind='response')}"))


def open_app(house: House, app: App) -> Known:
    house.clock.advance(1)
    query = app.query(app.authn_request(house.clock(), f"{BASE}/saml/sso"))
    page = house.browser.get(f"/saml/sso?{query}")
    return known_by(base64.b64decode(parse(page.text).forms[0].values["SAMLResponse"]))


# ---------------------------------------------------------------- from here to there


def test_who_signs_out_here_is_signed_out_at_the_upstream(house: House, corp: App) -> None:
    page = house.follow(house.sign_out())
    asked = house.read(page)
    assert (asked.kind, asked.url) == ("LogoutRequest", f"{corp.entity_id.removesuffix('/idp')}/slo")
    assert asked.text("./saml:Issuer") == OUR_ENTITY
    assert asked.text("./saml:NameID") == "user-1"
    assert asked.root.find("saml:NameID", NS).get("Format") == names.PERSISTENT
    assert asked.text("./samlp:SessionIndex") == "_session"
    assert "Corporate login being told" in parse(page.text).text
    page = come_back(house, corp, page)
    assert "Corporate login signed out" in parse(page.text).text
    assert house.sessions() == []


def test_the_upstream_comes_after_the_apps(house: House, corp: App) -> None:
    wiki = house.add("Wiki", ("redirect", "https://wiki.example/slo"))
    open_app(house, wiki)
    page = house.follow(house.sign_out())
    assert house.read(page).url == "https://wiki.example/slo"
    answer = wiki.logout_response(house.read(page).id, house.clock(), destination=f"{BASE}/saml/slo")
    page = house.follow(house.browser.get(f"/saml/slo?{wiki.by_query(answer, kind='response')}"))
    assert house.read(page).text("./saml:Issuer") == OUR_ENTITY


def test_an_app_that_begins_it_signs_out_at_the_upstream_too(house: House, corp: App) -> None:
    wiki = house.add("Wiki", ("redirect", "https://wiki.example/slo"))
    ada = open_app(house, wiki)
    request = wiki.logout_request(ada, house.clock(), destination=f"{BASE}/saml/slo")
    page = house.follow(house.browser.get(f"/saml/slo?{wiki.by_query(request)}"))
    assert house.read(page).text("./saml:Issuer") == OUR_ENTITY
    page = come_back(house, corp, page, status=names.RESPONDER)
    page = house.browser.get(page.headers["Refresh"].partition("url=")[2])
    answer = house.read(page)
    assert (answer.url, answer.statuses) == ("https://wiki.example/slo", [SUCCESS, PARTIAL])


def test_an_upstream_where_logout_is_switched_off_hears_nothing(house: House) -> None:
    provider = house.parts.upstreams.get("corp")
    assert provider is not None
    house.parts.upstreams.change(provider, {"logout": False}, secrets=(), actor="test")
    page = house.follow(house.sign_out())
    assert "Refresh" not in page.headers
    assert house.refusal(house.browser.get("/upstream/corp/slo?SAMLRequest=x")).code == "slo_unreadable"


def test_an_upstream_without_an_address_for_it_is_told_to_nobody(
    app: Any, browser: Any, idp: Any, add_saml: Any
) -> None:
    metadata = idp.metadata().decode()
    start, end = metadata.index("<md:SingleLogoutService"), metadata.index("/slo")
    add_saml(metadata=metadata[:start] + metadata[end + len('/slo"/>') :])
    Way(app, browser, idp).sign_in()
    client = AtHome(browser.client)
    token = parse(client.get("/sign-out").text).forms
    (form,) = [one for one in token if "csrf" in one.values]
    page = client.post("/sign-out", data={"csrf": form.values["csrf"]})
    assert page.location.startswith("/signed-out/")
    assert "Corporate login cannot be told" in parse(client.get(page.location).text).text


def test_a_session_that_ends_elsewhere_is_told_by_soap_where_the_upstream_takes_it(
    app: Any, browser: Any, idp: Any, add_saml: Any, clock: Any
) -> None:
    with Receiver() as receiver:
        metadata = (
            idp.metadata()
            .decode()
            .replace(
                f'Binding="{REDIRECT}" Location="{idp.base}/slo"',
                f'Binding="urn:oasis:names:tc:SAML:2.0:bindings:SOAP" Location="{receiver.url("/slo")}"',
            )
        )
        add_saml(metadata=metadata)
        Way(app, browser, idp).sign_in()
        parts = app.extensions["sheaf"]
        (user,) = parts.repo.find(User)
        house = House(app, parts, clock, AtHome(browser.client), user.id)  # type: ignore[arg-type]
        corp = App(idp.entity_id, signing=idp.keys[0])
        receiver.pages["/slo"] = lambda got: soap.envelope(
            corp.signed(corp.logout_response(house.read_soap(got.body).id, clock(), destination=None))
        ).decode()
        parts.sessions.end_all(user.id, actor="admin")
        assert house.queue.run_due() == 1
        assert house.read_soap(receiver.received[0].body).text("./saml:NameID") == "user-1"
        (delivery,) = parts.repo.find(LogoutDelivery, state="reached")
        assert (delivery.protocol, delivery.client_id) == ("upstream", "corp")


def test_a_password_sign_in_has_no_upstream_to_tell(app: Any, browser: Any, way: Way, make_user: Any) -> None:
    make_user("ada")
    browser.sign_in()
    assert app.extensions["sheaf"].repo.find(UpstreamSession, name_key="x") == []
    client = AtHome(browser.client)
    (form,) = [one for one in parse(client.get("/sign-out").text).forms if "csrf" in one.values]
    assert client.post("/sign-out", data={"csrf": form.values["csrf"]}).location == "/sign-out"


# ---------------------------------------------------------------- from there to here


def test_an_upstream_ends_the_sessions_that_hang_on_its_own(house: House, corp: App) -> None:
    answer = house.read(ask(house, corp, known(), id="_asked"))
    assert house.sessions() == []
    assert (answer.kind, answer.statuses, answer.relay_state) == ("LogoutResponse", [SUCCESS], "state")
    assert answer.root.get("InResponseTo") == "_asked"
    assert answer.text("./saml:Issuer") == OUR_ENTITY
    assert house.browser.get_cookie("sheaf_session") is None


def test_the_apps_of_the_session_hear_of_it_before_the_upstream_gets_its_answer(house: House, corp: App) -> None:
    wiki = house.add("Wiki", ("redirect", "https://wiki.example/slo"))
    ada = open_app(house, wiki)
    page = ask(house, corp, known())
    assert house.read(page).text("./saml:NameID") == ada.value
    answer = wiki.logout_response(house.read(page).id, house.clock(), destination=f"{BASE}/saml/slo")
    page = house.follow(house.browser.get(f"/saml/slo?{wiki.by_query(answer, kind='response')}"))
    assert house.read(page).statuses == [SUCCESS]


def test_an_upstream_may_post_its_request(app: Any, idp: Any, way: Way, house: House, corp: App) -> None:
    document = corp.logout_request(known(), house.clock(), destination=SLO)
    page = app.test_client().post("/upstream/corp/slo", data=corp.by_form(document), base_url=BASE)
    assert page.status_code == 303
    assert house.sessions() == []
    assert house.read(house.follow(page)).statuses == [SUCCESS]


def test_an_upstream_may_ask_by_soap(app: Any, house: House, corp: App) -> None:
    body = soap.envelope(corp.signed(corp.logout_request(known(), house.clock(), destination=SLO)))
    page = app.test_client().post(
        "/upstream/corp/slo", data=body, content_type="text/xml; charset=utf-8", base_url=BASE
    )
    assert house.read_soap(page.data).statuses == [SUCCESS]
    assert house.sessions() == []
    again = app.test_client().post("/upstream/corp/slo", data=body, content_type="text/xml", base_url=BASE)
    assert b"soap:Fault" in again.data


@pytest.mark.parametrize("index", ["_another", ""])
def test_another_session_or_person_of_the_upstream_ends_nothing(house: House, corp: App, index: str) -> None:
    person = known(index=index) if index else known("user-2")
    assert house.read(ask(house, corp, person)).statuses == [names.REQUESTER, names.UNKNOWN_PRINCIPAL]
    assert len(house.sessions()) == 1


def test_a_request_without_an_index_means_every_session_of_that_name(
    app: Any, house: House, corp: App, idp: Any
) -> None:
    Way(app, Browser(app), idp).sign_in(session_index="_elsewhere")
    assert len(house.sessions()) == 2
    stranger = House(app, house.parts, house.clock, AtHome(app.test_client()), house.user_id)  # type: ignore[arg-type]
    ask(stranger, corp, known(), indexes=())
    assert house.sessions() == []


def test_only_the_upstream_itself_may_ask(house: House, corp: App, add_saml: Any, idp: Any) -> None:
    forged = corp.by_query(corp.logout_request(known(), house.clock(), destination=SLO), key=pair("rsa-2048", 90))
    assert house.refusal(house.browser.get(f"/upstream/corp/slo?{forged}")).code == "slo_signature"
    mallory = App("https://mallory.example", signing=corp.signing)
    assert house.refusal(ask(house, mallory, known())).code == "unknown_upstream"
    add_saml("other")
    elsewhere = corp.logout_request(known(), house.clock(), destination=f"{BASE}/upstream/other/slo")
    page = house.browser.get(f"/upstream/other/slo?{corp.by_query(elsewhere)}")
    assert house.read(page).statuses[-1] == names.UNKNOWN_PRINCIPAL  # the same entity, but another upstream of ours
    wiki = house.add("Wiki", ("redirect", "https://wiki.example/slo"))
    as_app = wiki.logout_request(known(), house.clock(), destination=SLO)
    assert house.refusal(house.browser.get(f"/upstream/corp/slo?{wiki.by_query(as_app)}")).code == "unknown_upstream"
    assert len(house.sessions()) == 1


def test_an_upstream_that_is_switched_off_or_unknown_ends_nothing(house: House, corp: App) -> None:
    for path in ("/upstream/nobody/slo", "/upstream/%00/slo", "/upstream/" + "x" * 2000 + "/slo"):
        query = corp.by_query(corp.logout_request(known(), house.clock(), destination=SLO))
        assert house.refusal(house.browser.get(f"{path}?{query}")).code == "unknown_upstream"
    provider = house.parts.upstreams.get("corp")
    assert provider is not None
    house.parts.upstreams.change(replace(provider, enabled=False), {}, secrets=(), actor="test")
    assert house.refusal(ask(house, corp, known())).code == "unknown_upstream"
    assert len(house.sessions()) == 1


def test_an_upstream_of_another_kind_has_no_such_address_to_speak_of(
    app: Any, add_upstream: Any, corp: App, house: House
) -> None:
    add_upstream("plain")
    query = corp.by_query(corp.logout_request(known(), house.clock(), destination=SLO))
    assert house.refusal(house.browser.get(f"/upstream/plain/slo?{query}")).code == "unknown_upstream"


def test_the_algorithms_of_the_upstream_are_those_that_were_set(house: House, corp: App) -> None:
    provider = house.parts.upstreams.get("corp")
    assert provider is not None
    house.parts.upstreams.change(provider, {"accepted_algorithms": "ecdsa-sha256"}, secrets=(), actor="test")
    assert house.refusal(ask(house, corp, known())).code == "slo_signature"
    assert len(house.sessions()) == 1


def test_a_session_remembers_whose_it_is_at_the_upstream(house: House) -> None:
    (session,) = house.sessions()
    found = house.parts.repo.get(UpstreamSession, session.sid)
    assert found is not None
    assert found.facts["session_index"] == "_session"
