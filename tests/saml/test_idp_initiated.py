"""Sign-ins that begin here: for service providers that were set so, with a RelayState that stays with them."""

from urllib.parse import urlencode

import pytest
from werkzeug.test import TestResponse

from idp.domain.relying import SamlRequestSeen
from idp.domain.saml import SamlParticipant
from idp.saml import names, xml
from idp.saml.sp_metadata import service_provider_from_metadata
from tests.saml.house import PEER, House
from tests.saml.peer import Sp, one
from tests.support.html import parse


def start(house: House, target: str | None = None, sp: str = PEER.entity_id) -> TestResponse:
    return house.browser.get(
        f"/saml/start?{urlencode({'sp': sp} | ({'target': target} if target is not None else {}))}"
    )


@pytest.fixture
def open_(house: House) -> House:
    house.change(idp_initiated=True)
    return house


def test_an_answer_without_a_request_answers_none(open_: House) -> None:
    open_.sign_in()
    root = open_.answer(start(open_))
    assert root.get("InResponseTo") is None
    confirmation = one(root, "//saml:SubjectConfirmationData")
    assert confirmation.get("InResponseTo") is None
    assert confirmation.get("Recipient") == root.get("Destination") == PEER.acs[0]
    assert one(root, "//saml:Audience").text == PEER.entity_id
    assert len(open_.parts.repo.find(SamlParticipant)) == 1
    assert open_.parts.repo.find(SamlRequestSeen) == []


def test_it_is_allowed_only_where_it_was_set(house: House) -> None:
    house.sign_in()
    assert house.refusal(start(house)).code == "saml_not_from_here"
    house.change(idp_initiated=True, enabled=False)
    assert house.refusal(start(house)).code == "sp_disabled"


@pytest.mark.parametrize("sp", ["", "https://stranger.example", "x" * 5000, "\x00", "https://sp.example/metadata "])
def test_an_unknown_service_provider_is_refused(open_: House, sp: str) -> None:
    assert open_.refusal(start(open_, sp=sp)).code == "unknown_service_provider"


def test_a_missing_or_repeated_field_is_refused(open_: House) -> None:
    assert open_.refusal(open_.browser.get("/saml/start")).code == "unknown_service_provider"
    twice = f"/saml/start?sp={PEER.entity_id}&sp={PEER.entity_id}"
    assert open_.refusal(open_.browser.get(twice)).code == "repeated_field"
    assert open_.browser.post(f"/saml/start?sp={PEER.entity_id}").status_code == 405


def test_without_a_session_the_sign_in_comes_first(open_: House) -> None:
    page = start(open_, "/deep")
    assert page.location.startswith("/flow/")
    open_.sign_in()
    page = open_.browser.get(open_.browser.get(page.location).location)
    assert open_.answer(page).get("InResponseTo") is None
    assert parse(page.text).forms[0].values["RelayState"] == "/deep"


def test_who_turns_back_is_at_home_and_no_app_hears_of_it(open_: House) -> None:
    page = open_.browser.get(start(open_).location)
    token = next(f.values["csrf"] for f in parse(page.text).forms if "csrf" in f.values)
    page = open_.browser.post(f"{page.request.path}/cancel", data={"csrf": token})
    while page.status_code == 303 and page.location != "/":
        page = open_.browser.get(page.location)
    assert page.location == "/"


@pytest.mark.parametrize(
    "target",
    ["/deep?a=1#x", "deep", "opaque-1.2_3", "https://sp.example/a?b=c", "//sp.example/a", "HTTPS://SP.EXAMPLE/"],
)
def test_the_target_becomes_the_relay_state(open_: House, target: str) -> None:
    open_.sign_in()
    assert parse(start(open_, target).text).forms[0].values["RelayState"] == target


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "///evil.example",
        "////evil.example/a",
        "javascript://sp.example/%0aalert(1)",
        "vbscript://sp.example/a",
        "/\\evil.example",
        "\\\\evil.example",
        "https://sp.example@evil.example/",
        "https://sp.example.evil.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "https:evil.example",
        " //evil.example",
        "/a\r\nX: y",
        "http://[",
        "https://sp.example:99999/",
        "x" * 2000,
    ],
)
def test_a_target_at_another_place_is_refused(open_: House, target: str) -> None:
    open_.sign_in()
    assert open_.refusal(start(open_, target)).code == "saml_bad_target"


def test_without_a_target_the_relay_state_is_the_one_that_is_set(open_: House) -> None:
    open_.sign_in()
    assert "RelayState" not in parse(start(open_).text).forms[0].values
    open_.change(default_relay_state="https://start.example/home")
    assert parse(start(open_).text).forms[0].values["RelayState"] == "https://start.example/home"
    assert parse(start(open_, "/deep").text).forms[0].values["RelayState"] == "/deep"
    assert (
        parse(start(open_, "https://start.example/x").text).forms[0].values["RelayState"] == "https://start.example/x"
    )


def test_what_cannot_be_answered_is_told_to_the_person_and_not_to_the_app(open_: House) -> None:
    open_.sign_in()
    open_.change(name_id_format=names.EMAIL, name_id_field="claim:nickname")
    refused = open_.refusal(start(open_))
    assert refused.code == "saml_not_possible"
    assert refused.reason.startswith("InvalidNameIDPolicy")


def test_the_app_may_demand_a_second_factor_here_too(open_: House) -> None:
    open_.sign_in(factor=False)
    open_.change(second_factor_required=True)
    assert start(open_).location.startswith("/flow/")


def test_a_page_of_an_administrator_can_show_the_answer_without_sending_it(house: House) -> None:
    house.sign_in()
    peer = Sp("https://shown.example")
    house.parts.repo.insert(service_provider_from_metadata(peer.metadata(), house.clock()))
    user = house.parts.users.get(house.user_id)
    (session,) = house.parts.sessions.of(house.user_id)
    shown = house.app.extensions["sheaf_saml_trial"](peer.entity_id, user, session)
    root = xml.parse(shown, xml.PROTOCOL)
    assert b"Signature" not in shown
    assert one(root, "//saml:Attribute[@FriendlyName='uid']/saml:AttributeValue").text == "ada"
    assert house.parts.repo.find(SamlParticipant) == []
