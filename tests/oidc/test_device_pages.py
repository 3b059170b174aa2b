"""Owns the claims about connecting a device (RFC 8628 3.3): the person, the question, guessing and forging.

The pages in a real browser are left to test_device_browser.
"""

import re
from urllib.parse import urlsplit

import pytest

from idp.domain.audit_event import AuditEvent
from idp.domain.device_code import canonical, shown
from idp.domain.grant import Consent
from idp.domain.session import ACR_MFA
from tests.oidc.devices import answered, asked, begin, form_of, poll, told, tv, typed
from tests.oidc.house import House

# ------------------------------------------------------------------ the whole way


def test_a_device_gets_its_tokens_when_the_person_has_allowed_it(house: House) -> None:
    app, person = tv(house), house.person()
    begun = begin(house, app)
    told(poll(house, app, begun), "authorization_pending")
    done = answered(person.browser, begun["user_code"])
    assert "Your device is connected" in done.text
    house.clock.advance(5)
    answer = poll(house, app, begun).get_json()
    claims = house.read(answer["id_token"], "RS256").claims
    assert (claims["sub"], claims["acr"], claims["amr"]) == (person.user.id, ACR_MFA, ["pwd", "otp"])
    assert "nonce" not in claims
    assert house.userinfo(answer["access_token"]).get_json()["sub"] == person.user.id
    assert house.refresh(app, answer["refresh_token"]).status_code == 200


def test_the_approval_is_remembered_as_consent_and_in_the_audit(house: House) -> None:
    app, person = tv(house, consent="ask"), house.person()
    begun = begin(house, app)
    answered(person.browser, begun["user_code"])
    (consent,) = house.parts.repo.find(Consent, user_id=person.user.id)
    assert consent.scopes == ("openid", "profile")
    (event,) = house.parts.repo.find(AuditEvent, name="device.approved")
    assert (event.actor, event.detail["app"]) == (person.user.id, "tv")
    assert poll(house, app, begun).status_code == 200
    found = house.parts.sessions.by_sid(person.session.sid)
    assert found is not None
    assert found.apps == ("tv",)


def test_the_question_shows_app_code_and_scopes_and_is_asked_each_time(house: House) -> None:
    app, person = tv(house), house.person()
    for _ in range(2):
        begun = begin(house, app)
        where, page = asked(person.browser, begun["user_code"])
        assert where.endswith("/consent")
        for shown_there in (begun["user_code"], "Allow Tv?", "your name", "Ada"):
            assert shown_there in page.text
        answered(person.browser, begun["user_code"])


def test_the_complete_address_only_fills_in_the_form(house: House) -> None:
    app, person = tv(house), house.person()
    begun = begin(house, app)
    page = person.browser.get(begun["verification_uri_complete"].removeprefix("http://localhost"))
    assert form_of(page, "/device")["user_code"] == begun["user_code"]
    told(poll(house, app, begun), "authorization_pending")


@pytest.mark.parametrize("junk", ["<script>", "WDJB", "x" * 5000, "\x00"])
def test_an_address_with_no_code_in_it_shows_an_empty_form(house: House, junk: str) -> None:
    page = house.browser().get("/device", query_string={"user_code": junk})
    assert page.status_code == 200
    assert form_of(page, "/device")["user_code"] == ""
    assert "<script>" not in page.text


def test_who_is_not_signed_in_signs_in_first(house: House) -> None:
    begun = begin(house, tv(house))
    where, page = asked(house.browser(), begun["user_code"])
    assert re.fullmatch(r"/flow/[\w-]{43}", where)
    assert "to continue to <strong>Tv</strong>" in page.text


def test_the_app_may_demand_a_second_step(house: House) -> None:
    app = tv(house, second_factor_required=True)
    person = house.person(factor=False)
    where, _ = asked(person.browser, begin(house, app)["user_code"])
    assert where.endswith("/enrol")


def test_the_code_may_be_typed_as_people_type(house: House) -> None:
    app, person = tv(house), house.person()
    begun = begin(house, app)
    code = begun["user_code"].replace("-", "")
    assert typed(person.browser, f" {code[:4].lower()} - {code[4:]} ").status_code == 303


@pytest.mark.parametrize("code", ["BCDF-GHJ", "BCDF-GHJKL", "AEIO-UAEI", "1234-5678", "BCDF-GHJÄ", "%00"])
def test_what_can_be_no_code_is_refused(code: str) -> None:
    assert canonical(code) is None


def test_a_code_is_shown_in_two_groups() -> None:
    assert shown("WDJBMJHT") == "WDJB-MJHT"
    assert canonical(shown("WDJBMJHT")) == "WDJBMJHT"


# ------------------------------------------------------------------ guessing and forging


def test_a_wrong_code_is_said_on_the_form(house: House) -> None:
    page = typed(house.browser(), "bcdf-ghjk")
    assert page.status_code == 400
    assert "No device waits for this code" in page.text
    assert form_of(page, "/device")["user_code"] == "BCDF-GHJK"


def test_guessing_is_slowed_down_for_one_browser(house: House) -> None:
    browser = house.browser()
    answers = [typed(browser, "BCDF-GHJK").status_code for _ in range(12)]
    assert answers == [400] * 10 + [429] * 2


def test_guessing_is_slowed_down_for_one_address_whatever_browser(house: House) -> None:
    answers = []
    for number in range(55):
        browser = house.app.test_client()
        browser.set_cookie("sheaf_browser", f"{number:043d}")
        answers.append(typed(browser, "BCDF-GHJK").status_code)
    assert answers == [400] * 50 + [429] * 5


def test_guessing_is_slowed_down_for_one_person_whatever_browser_and_address(house: House) -> None:
    person = house.person()
    answers = []
    for number in range(12):
        person.browser.set_cookie("sheaf_browser", f"{number:043d}")
        form = form_of(person.browser.get("/device"), "/device")
        answer = person.browser.post(
            "/device",
            data={**form, "user_code": "BCDF-GHJK"},
            environ_base={"REMOTE_ADDR": f"192.0.2.{number}"},
        )
        answers.append(answer.status_code)
    assert answers == [400] * 10 + [429] * 2


def test_a_form_of_another_site_types_no_code(house: House) -> None:
    app, person = tv(house), house.person()
    code = begin(house, app)["user_code"]
    assert person.browser.post("/device", data={"user_code": code}).status_code == 403
    form = form_of(person.browser.get("/device"), "/device")
    crossing = {"Sec-Fetch-Site": "cross-site"}
    assert person.browser.post("/device", data={**form, "user_code": code}, headers=crossing).status_code == 403


def test_an_answer_without_csrf_token_allows_nothing(house: House) -> None:
    app, person = tv(house), house.person()
    begun = begin(house, app)
    where, _ = asked(person.browser, begun["user_code"])
    assert person.browser.post(where, data={"answer": "allow"}).status_code == 403
    assert person.browser.get(where.replace("/consent", "")).headers["Location"].endswith("/consent")
    told(poll(house, app, begun), "authorization_pending")


def test_looking_at_the_end_of_the_way_does_not_go_it(house: House) -> None:
    app, person = tv(house), house.person()
    begun = begin(house, app)
    where, page = asked(person.browser, begun["user_code"])
    sent = person.browser.post(where, data={**form_of(page, "/consent"), "answer": "allow"})
    end = person.browser.get(sent.headers["Location"]).headers["Location"]
    assert urlsplit(end).path == "/device/resume"
    assert person.browser.head(end).status_code == 200
    told(poll(house, app, begun), "authorization_pending")
    stranger = house.app.test_client()
    stranger.set_cookie("sheaf_browser", "c" * 43)
    assert stranger.get(end).status_code == 403
    assert person.browser.get(end).status_code == 200
    assert person.browser.get(end).status_code == 410
    assert poll(house, app, begun).status_code == 200


def test_a_sign_in_for_a_device_is_no_sign_in_for_an_app(house: House) -> None:
    app, person = tv(house), house.person()
    where, page = asked(person.browser, begin(house, app)["user_code"])
    sent = person.browser.post(where, data={**form_of(page, "/consent"), "answer": "allow"})
    end = person.browser.get(sent.headers["Location"]).headers["Location"]
    assert person.browser.get(end.replace("/device/resume", "/authorize/resume")).status_code == 409


def test_a_sign_in_for_an_app_allows_no_device(house: House) -> None:
    app, person = house.client(consent="ask"), house.person()
    flow = house.authorize(person.browser, app).headers["Location"]
    where = person.browser.get(flow).headers["Location"]
    page = person.browser.get(where)
    sent = person.browser.post(where, data={**form_of(page, "/consent"), "answer": "allow"})
    end = person.browser.get(sent.headers["Location"]).headers["Location"]
    assert person.browser.get(end.replace("/authorize/resume", "/device/resume")).status_code == 409
