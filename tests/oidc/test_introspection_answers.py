"""Owns the claims about answers of introspection: signed ones (RFC 9701), bound and delegated tokens, hints, who may ask."""

from dataclasses import replace

import pytest
from werkzeug.test import TestResponse

from idp.domain.grant import Grant
from idp.services.issue_grant import Issued
from tests.oidc.answers import door, tokens
from tests.oidc.house import API, ISSUER, App, House, basic

SIGNED = "application/token-introspection+jwt"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def ask(house: House, app: App, token: str, accept: str = SIGNED, **form: str) -> TestResponse:
    headers = {"Authorization": basic(app.id, app.secret), "Accept": accept}
    return house.app.test_client().post("/introspect", data={"token": token, **form}, headers=headers)


def test_a_signed_answer_is_for_the_api_that_asked_and_no_token(house: House) -> None:
    app, api, person = house.client(), house.client("api"), house.person()
    token = house.sign_in(person, app)["access_token"]
    answer = ask(house, api, token)
    assert answer.headers["Content-Type"] == SIGNED
    assert answer.headers["Cache-Control"] == "no-store"
    read = house.read(answer.text, "RS256")
    assert read.header["typ"] == "token-introspection+jwt"
    assert set(read.claims) == {"iss", "aud", "iat", "token_introspection"}
    assert (read.claims["iss"], read.claims["aud"], read.claims["iat"]) == (ISSUER, "api", int(house.clock()))
    assert read.claims["token_introspection"] == house.introspect(api, token)
    house.refused(house.userinfo(answer.text), 401, "invalid_token")
    assert door(house).tokens.read_id_token(answer.text) is None


def test_a_signed_answer_about_nothing_says_only_that(house: House) -> None:
    api = house.client("api", introspection_signed_response_alg="ES384")
    read = house.read(ask(house, api, "nonsense").text, "ES384")
    assert read.claims["token_introspection"] == {"active": False}


@pytest.mark.parametrize(
    ("accept", "signed"),
    [
        (SIGNED, True),
        (SIGNED.upper(), True),
        (f"{SIGNED};q=0.9, text/plain", True),
        (f"{SIGNED}, application/json", True),
        (f"application/json, {SIGNED};q=0.5", False),
        (f"{SIGNED};q=0", False),
        (f"{SIGNED};q=x", False),
        (f"{SIGNED};q=nan", False),
        ("application/json", False),
        ("*/*", False),
        ("", False),
        ("," * 5000 + SIGNED, False),
    ],
)
def test_the_form_is_the_one_that_was_asked_for(house: House, accept: str, signed: bool) -> None:
    answer = ask(house, house.client(), "x", accept)
    assert answer.status_code == 200
    assert (answer.headers["Content-Type"] == SIGNED) is signed


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "nonsense", ""])
def test_a_wrong_hint_hides_no_token(house: House, hint: str) -> None:
    for form in ("jwt", "opaque"):
        app = house.client(form, access_token_format=form)
        answer = house.sign_in(house.person(f"ada-{form}"), app)
        for token in (answer["access_token"], answer["refresh_token"]):
            assert ask(house, app, token, "application/json", token_type_hint=hint).get_json()["active"] is True
        house.post("/revoke", app, token=answer["access_token"], token_type_hint=hint)
        assert house.introspect(app, answer["access_token"]) == {"active": False}
        house.post("/revoke", app, token=answer["refresh_token"], token_type_hint=hint)
        assert house.introspect(app, answer["refresh_token"]) == {"active": False}


def test_the_key_that_a_token_is_bound_to_and_who_acts_are_shown(house: House) -> None:
    app, api, person = house.client(), house.client("api"), house.person()
    grant_id = house.introspect(app, tokens(house, person, app)["access_token"])["grant_id"]
    grant = house.parts.repo.get(Grant, grant_id)
    assert grant is not None
    bound = replace(grant, confirmation={"jkt": "thumb"}, actor={"sub": "helper", "act": {"sub": "boss"}})
    stored = house.parts.repo.replace_if(bound)
    assert stored is not None
    access = door(house).tokens.access_for_user(app.client, Issued(stored, person.user, ("openid",), (API,), None), 60)
    answer = house.introspect(api, access.value)
    assert answer["token_type"] == "DPoP"
    assert answer["cnf"] == {"jkt": "thumb"}
    assert answer["act"] == {"sub": "helper", "act": {"sub": "boss"}}
    house.refused(house.userinfo(access.value), 401, "invalid_token")


def test_whose_own_name_is_the_audience_may_ask_as_well(house: House) -> None:
    app = house.client(audiences=("reports",))
    api = house.client("reports", audiences=(), redirect_uris=(), grant_types=("client_credentials",))
    token = house.sign_in(house.person(), app, scope="documents.read")["access_token"]
    assert house.introspect(api, token)["active"] is True


@pytest.mark.parametrize("path", ["/introspect", "/revoke"])
def test_malformed_requests_are_refused_and_never_a_fault(house: House, path: str) -> None:
    app = house.client()
    headers = {"Authorization": basic(app.id, app.secret)}
    browser = house.app.test_client()
    house.refused(browser.post(path, data={"token": ["a", "b"]}, headers=headers), 400, "invalid_request")
    house.refused(browser.post(path, data=b"token=%ff", headers={**headers, **FORM}), 400, "invalid_request")
    house.refused(browser.post(path, json={"token": "x"}, headers=headers), 400, "invalid_request")
    house.refused(browser.post(f"{path}?token=x", headers=headers), 400, "invalid_request")
    house.refused(browser.post(path, data={"token": "x" * 20_000}, headers=headers), 400, "invalid_request")
    assert browser.post(path, data={"token": "x" * 700_000}, headers=headers).status_code == 413
    assert browser.get(path, headers=headers).status_code == 405
    house.refused(browser.post(path, data={"token": "x"}), 401, "invalid_client")
