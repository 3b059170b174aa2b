"""Owns the claims about RP-Initiated Logout: at once with a good hint, after a question without, never to a foreign place."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from werkzeug.test import TestResponse

from idp.crypto import tokens
from idp.domain.attempt import Proof
from idp.domain.audit_event import AuditEvent
from idp.domain.relying import Client
from tests.oidc.house import BYE, ISSUER, House, Person
from tests.support.html import parse


def signed_in(house: House, person: Person) -> bool:
    return house.parts.sessions.by_sid(person.session.sid) is not None


def leave(house: House, person: Person, **params: str) -> TestResponse:
    return person.browser.get("/end_session", query_string=params)


def test_a_hint_of_the_person_signed_in_signs_out_at_once_and_goes_back_to_the_app(house: House) -> None:
    app, person = house.client(), house.person()
    tokens = house.sign_in(person, app)
    answer = leave(house, person, id_token_hint=tokens["id_token"], post_logout_redirect_uri=BYE, state="s2")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{BYE}?state=s2")
    assert not signed_in(house, person)
    assert person.browser.get_cookie("sheaf_session") is None
    assert house.userinfo(tokens["access_token"]).status_code == 401
    house.refused(house.refresh(app, tokens["refresh_token"]), 400, "invalid_grant")


def test_an_expired_hint_is_as_good(house: House) -> None:
    app, person = house.client(), house.person()
    hint = house.sign_in(person, app)["id_token"]
    house.clock.advance(3600)
    assert leave(house, person, id_token_hint=hint).status_code == 200
    assert not signed_in(house, person)


@pytest.mark.parametrize("kind", ["none", "access_token", "tampered", "of another person"])
def test_without_a_good_hint_the_person_is_asked_first(house: House, kind: str) -> None:
    app, person = house.client(), house.person()
    tokens = house.sign_in(person, app)
    hint = {
        "none": "",
        "access_token": tokens["access_token"],
        "tampered": tokens["id_token"][:-8] + "AAAAAAAA",
        "of another person": house.sign_in(house.person("eve"), app)["id_token"],
    }[kind]
    answer = leave(house, person, id_token_hint=hint, client_id=app.id, post_logout_redirect_uri=BYE, state="s2")
    assert answer.status_code == 200
    assert signed_in(house, person)
    form = parse(answer.text).forms[0]
    assert (form.action, form.method) == ("/end_session/confirm", "post")
    assert "https://app.example" in answer.headers["Content-Security-Policy"]
    done = person.browser.post(form.action, data=form.values)
    assert (done.status_code, done.headers["Location"]) == (303, f"{BYE}?state=s2")
    assert not signed_in(house, person)


def test_the_answer_to_the_question_needs_the_form(house: House) -> None:
    person = house.person()
    assert person.browser.post("/end_session/confirm", data={}).status_code == 403
    assert person.browser.post("/end_session/confirm", data={"csrf": "x"}).status_code == 403
    assert signed_in(house, person)


@pytest.mark.parametrize("uri", ["https://evil.example/", BYE + "/", BYE + "?x=1", "javascript:alert(1)"])
def test_nobody_is_sent_to_an_address_that_is_not_registered(house: House, uri: str) -> None:
    app, person = house.client(), house.person()
    hint = house.sign_in(person, app)["id_token"]
    answer = leave(house, person, id_token_hint=hint, post_logout_redirect_uri=uri)
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert signed_in(house, person)


def test_an_address_without_an_app_leads_nowhere(house: House) -> None:
    house.client()
    person = house.person()
    answer = leave(house, person, post_logout_redirect_uri=BYE)
    form = parse(answer.text).forms[0]
    done = person.browser.post(form.action, data=form.values)
    assert (done.status_code, "Location" in done.headers) == (200, False)
    assert not signed_in(house, person)


def test_a_hint_of_one_app_with_the_id_of_another_is_refused(house: House) -> None:
    app, other, person = house.client(), house.client("other"), house.person()
    hint = house.sign_in(person, app)["id_token"]
    assert leave(house, person, id_token_hint=hint, client_id=other.id).status_code == 400
    assert leave(house, person, client_id=app.id, post_logout_redirect_uri="https://x.example").status_code == 400
    assert signed_in(house, person)


def test_who_is_not_signed_in_is_sent_on_without_a_question(house: House) -> None:
    app = house.client()
    answer = house.browser().get("/end_session", query_string={"client_id": app.id, "post_logout_redirect_uri": BYE})
    assert (answer.status_code, answer.headers["Location"]) == (303, BYE)


def test_a_sign_out_posted_from_another_site_comes_back_with_its_cookies(house: House) -> None:
    app, person = house.client(), house.person()
    hint = house.sign_in(person, app)["id_token"]
    moved = house.app.test_client().post("/end_session", data={"id_token_hint": hint})
    assert moved.status_code == 303
    assert person.browser.get(moved.headers["Location"]).status_code == 200
    assert not signed_in(house, person)


def test_looking_with_head_signs_nobody_out(house: House) -> None:
    app, person = house.client(), house.person()
    hint = house.sign_in(person, app)["id_token"]
    person.browser.head("/end_session", query_string={"id_token_hint": hint})
    assert signed_in(house, person)


def test_a_hint_of_another_session_of_the_same_person_asks_first(house: House) -> None:
    app, person = house.client(), house.person()
    hint = house.sign_in(person, app)["id_token"]
    proof = Proof(person.user.id, house.clock(), ("pwd", "otp"), house.clock())
    session, handle = house.parts.sessions.establish(proof, None, "another browser")
    browser = house.browser()
    browser.set_cookie("sheaf_session", handle)
    answer = browser.get("/end_session", query_string={"id_token_hint": hint})
    assert parse(answer.text).forms[0].action == "/end_session/confirm"
    assert house.parts.sessions.by_sid(session.sid) is not None
    assert signed_in(house, person)


def test_a_hint_with_a_pairwise_name_is_understood(house: House) -> None:
    app, person = house.client(subject_type="pairwise"), house.person()
    hint = house.sign_in(person, app)["id_token"]
    answer = leave(house, person, id_token_hint=hint, post_logout_redirect_uri=BYE)
    assert (answer.status_code, answer.headers["Location"]) == (303, BYE)
    assert not signed_in(house, person)


def test_an_answer_signed_for_an_app_is_no_hint(house: House) -> None:
    app, person = house.client(), house.person()
    now, signer = int(house.clock()), house.parts.keys.signer("id_token")
    for more in ({}, {"sub": person.user.id, "aud": [app.id]}, {"sub": 7, "aud": app.id}, {"sid": 7}):
        claims = {"iss": ISSUER, "aud": app.id, "exp": now + 60, "sub": person.user.id, **more}
        if not more:
            del claims["sub"]
        answer = leave(house, person, id_token_hint=tokens.sign(signer, "JWT", claims), post_logout_redirect_uri=BYE)
        assert parse(answer.text).forms[0].action == "/end_session/confirm", claims
    assert signed_in(house, person)


def test_a_hint_for_an_app_that_was_removed_asks_first(house: House) -> None:
    app, person = house.client(), house.person()
    hint = house.sign_in(person, app)["id_token"]
    house.parts.repo.delete(Client, app.id)
    assert parse(leave(house, person, id_token_hint=hint).text).forms[0].action == "/end_session/confirm"
    assert leave(house, person, id_token_hint=hint, post_logout_redirect_uri=BYE).status_code == 400
    assert signed_in(house, person)


def test_a_post_is_as_good_as_a_get(house: House) -> None:
    app, person = house.client(), house.person()
    form = {"id_token_hint": house.sign_in(person, app)["id_token"], "post_logout_redirect_uri": BYE, "state": "ä b&c"}
    answer = person.browser.post("/end_session", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{BYE}?state=%C3%A4+b%26c")
    assert not signed_in(house, person)


def test_the_question_is_asked_in_the_language_that_the_app_names_and_whatever_it_hints(house: House) -> None:
    person = house.person()
    for hint in ("ada@example.org", "x" * 16_000, "\u202e<script>"):
        answer = leave(house, person, ui_locales="xx de-CH en", logout_hint=hint, unknown="1")
        assert '<html lang="de">' in answer.text
        assert "Abmelden?" in answer.text
        assert hint not in answer.text
    done = person.browser.post("/end_session/confirm", data=parse(answer.text).forms[0].values)
    assert "Du bist abgemeldet" in done.text


@pytest.mark.parametrize(
    "sent",
    ["state=1&state=2", "id_token_hint=a&id_token_hint=b", "state=%ff", "state=" + "x" * 17_000, "state=%00"],
)
def test_what_cannot_be_read_signs_nobody_out(house: House, sent: str) -> None:
    person = house.person()
    kind = "application/x-www-form-urlencoded"
    assert person.browser.get(f"/end_session?{sent}").status_code == 400
    assert person.browser.post("/end_session", data=sent, content_type=kind).status_code == 400
    assert person.browser.post("/end_session", data="{}", content_type="application/json").status_code == 400
    assert person.browser.post("/end_session", data="x" * 600_000, content_type=kind).status_code == 413
    assert signed_in(house, person)


def test_an_answer_that_was_tampered_with_signs_nobody_out(house: House) -> None:
    app, person = house.client(), house.person()
    form = parse(leave(house, person, client_id=app.id, post_logout_redirect_uri=BYE).text).forms[0]
    for changed in ({"post_logout_redirect_uri": "https://evil.example/"}, {"state": "x" * 17_000}):
        answer = person.browser.post(form.action, data=form.values | changed)
        assert (answer.status_code, "Location" in answer.headers) == (400, False)
    assert signed_in(house, person)


def test_twice_at_once_signs_out_once_and_answers_both(house: House) -> None:
    app, person = house.client(), house.person()
    hint = house.sign_in(person, app)["id_token"]
    handle = person.browser.get_cookie("sheaf_session")
    assert handle is not None

    def go(_: int) -> tuple[int, str | None]:
        browser = house.browser()
        browser.set_cookie("sheaf_session", handle.value)
        query = {"id_token_hint": hint, "post_logout_redirect_uri": BYE}
        answer = browser.get("/end_session", query_string=query)
        return answer.status_code, answer.headers.get("Location")

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(go, range(8))) == {(303, BYE)}
    assert len(house.parts.repo.find(AuditEvent, name="session.ended")) == 1
