"""Owns the claims about signed authorization answers (JARM): what is in them, who signs them, how they travel.

What makes an answer is left to test_authorize.
"""

import html
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.test import TestResponse

from tests.oidc.house import CALLBACK, ISSUER, App, House


def response_of(answer: TestResponse) -> str:
    """The JWT that the app gets, and nothing beside it."""
    if answer.status_code == 303:
        location = answer.headers["Location"]
        assert location.startswith(CALLBACK + "?")
        fields = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    else:
        assert answer.status_code == 200, answer.text
        found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', answer.text)
        fields = {name: html.unescape(value) for name, value in found}
    assert set(fields) == {"response"}
    return fields["response"]


def said(house: House, answer: TestResponse, alg: str = "RS256") -> dict[str, Any]:
    return dict(house.read(response_of(answer), alg).claims)


@pytest.mark.parametrize("mode", ["jwt", "query.jwt", "form_post.jwt"])
def test_the_answer_is_signed_for_the_app_and_not_for_long(house: House, mode: str) -> None:
    app, person = house.client(), house.person()
    answer = house.authorize(person.browser, app, response_mode=mode)
    assert (answer.status_code == 200) is (mode == "form_post.jwt")
    claims = said(house, answer)
    assert claims["iss"] == ISSUER
    assert claims["aud"] == "shop"
    assert house.clock() < claims["exp"] <= house.clock() + 600
    assert claims["state"] == "s-1"
    assert house.redeem(app, claims["code"]).status_code == 200


@pytest.mark.parametrize("mode", ["jwt", "query.jwt", "form_post.jwt"])
def test_a_refusal_is_signed_too(house: House, mode: str) -> None:
    app = house.client()
    claims = said(house, house.authorize(house.browser(), app, response_mode=mode, prompt="none"))
    assert claims["error"] == "login_required"
    assert claims["error_description"]
    assert claims["state"] == "s-1"
    assert "code" not in claims
    wrong = said(house, house.authorize(house.person().browser, app, response_mode=mode, scope="openid admin"))
    assert wrong["error"] == "invalid_scope"


@pytest.mark.parametrize("alg", ["PS256", "ES256", "Ed25519"])
def test_the_registered_algorithm_signs(house: House, alg: str) -> None:
    app = house.client(authorization_signed_response_alg=alg)
    house.parts.keys.prepare(alg)
    house.clock.advance(10)
    claims = said(house, house.authorize(house.person().browser, app, response_mode="jwt"), alg)
    assert "code" in claims


def test_without_a_state_none_is_made_up(house: House) -> None:
    answer = house.authorize(house.person().browser, house.client(), response_mode="jwt", state=None)
    assert "state" not in said(house, answer)


@pytest.mark.parametrize("mode", ["fragment", "fragment.jwt", "web_message", "JWT", "query.jwt.", ""])
def test_other_modes_are_refused(house: House, mode: str) -> None:
    app: App = house.client()
    answer = house.authorize(house.person().browser, app, response_mode=mode)
    assert ("error=invalid_request" in answer.headers["Location"]) is bool(mode)


def test_a_signed_answer_is_no_id_token(house: House) -> None:
    app, person = house.client(), house.person()
    hint = response_of(house.authorize(person.browser, app, response_mode="jwt"))
    refused = house.authorize(person.browser, app, id_token_hint=hint)
    assert "error=invalid_request" in refused.headers["Location"]
    assert person.browser.get("/end_session", query_string={"id_token_hint": hint}).status_code < 500


def test_the_metadata_says_how_answers_can_be_signed(house: House) -> None:
    published = house.app.test_client().get("/.well-known/openid-configuration").get_json()
    assert {"jwt", "query.jwt", "form_post.jwt"} <= set(published["response_modes_supported"])
    assert not any("fragment" in mode for mode in published["response_modes_supported"])
    assert "RS256" in published["authorization_signing_alg_values_supported"]
