"""Owns the claims of the certification plan FAPI 2.0 Security Profile, with private_key_jwt and DPoP.

The names of the modules are in test_certification_plans; certificates instead of both are in test_mtls and test_mtls_tokens,
signed requests in test_jar.
"""

import json
from dataclasses import replace
from typing import Any

import pytest

from idp.domain.attempt import LoginAttempt
from tests.oidc.app_keys import AppKeys
from tests.oidc.fapi import Bank
from tests.oidc.house import CALLBACK, ISSUER, House, Person, sent_back
from tests.oidc.test_par import finish
from tests.support.proofs import Prover


@pytest.fixture
def bank(house: House) -> Bank:
    return Bank(house)


@pytest.fixture
def ada(house: House) -> Person:
    return house.person()


def test_the_metadata_hold_what_the_profile_demands(house: House) -> None:
    said = house.app.test_client().get("/.well-known/openid-configuration").get_json()
    assert said["authorization_response_iss_parameter_supported"] is True
    assert said["pushed_authorization_request_endpoint"] == f"{ISSUER}/par"
    assert isinstance(said["require_pushed_authorization_requests"], bool)
    assert "private_key_jwt" in said["token_endpoint_auth_methods_supported"]
    assert "S256" in said["code_challenge_methods_supported"]
    endings = [name for name in said if name.endswith("signing_alg_values_supported")]
    assert {"dpop_signing_alg_values_supported", "token_endpoint_auth_signing_alg_values_supported"} <= set(endings)
    assert all({"PS256", "ES256"} <= set(said[name]) for name in endings)


# ------------------------------------------------------------------ what works


def test_an_app_gets_bound_tokens_and_uses_them(bank: Bank, ada: Person) -> None:
    tokens = bank.sign_in(ada)
    assert bank.userinfo(tokens["access_token"]).get_json()["sub"] == ada.user.id
    claims = bank.house.read(tokens["id_token"], "PS256").claims
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (ISSUER, bank.id, "n-1")
    assert bank.house.read(tokens["access_token"], "ES256").claims["cnf"] == {"jkt": bank.prover.jkt}


@pytest.mark.parametrize("scheme", ["DPoP", "dpop", "DPOP"])
def test_the_scheme_is_the_same_in_every_spelling(bank: Bank, ada: Person, scheme: str) -> None:
    assert bank.userinfo(bank.sign_in(ada)["access_token"], scheme=scheme).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"state": None},
        {"nonce": None},
        {"nonce": "n" * 64},
        {"nonce": "n" * 384},
        {"state": "s" * 384},
        {"scope": "email openid"},
        {"claims": json.dumps({"id_token": {"email": {"essential": True}}, "userinfo": {"name": None}})},
    ],
    ids=lambda changes: next(f"{name} {str(value)[:12]}" for name, value in changes.items()),
)
def test_a_request_may_lack_or_hold_this(bank: Bank, ada: Person, changes: dict[str, Any]) -> None:
    heard = bank.heard(ada, **changes)
    assert heard.get("state") == changes.get("state", "s-1")
    tokens = bank.redeem(heard["code"]).get_json()
    assert bank.house.read(tokens["id_token"], "PS256").claims.get("nonce") == changes.get("nonce", "n-1")


def test_a_person_may_say_no(house: House, ada: Person) -> None:
    bank = Bank(house, consent="ask")
    asked = bank.use(ada.browser, bank.pushed())
    ada.browser.get(asked.headers["Location"])
    [attempt] = house.parts.repo.find(LoginAttempt)
    assert house.parts.repo.replace_if(replace(attempt, denied=True)) is not None
    heard = sent_back(ada.browser.get(ada.browser.get(asked.headers["Location"]).headers["Location"]))
    assert (heard["error"], heard["state"], heard["iss"]) == ("access_denied", "s-1", ISSUER)


def test_a_refresh_token_stays_the_same_and_needs_app_and_key(bank: Bank, ada: Person) -> None:
    other = Bank(bank.house, "other", AppKeys("PS256", "k2"))
    token = bank.sign_in(ada)["refresh_token"]
    for _ in range(2):
        answer = bank.refresh(token)
        assert answer.status_code == 200, answer.text
        assert answer.get_json().get("refresh_token", token) == token
        assert bank.userinfo(answer.get_json()["access_token"]).status_code == 200
    assert bank.refresh(token, proof=None).status_code == 400
    bank.house.refused(other.refresh(token), 400, "invalid_grant")
    assert bank.refresh(token).status_code == 200


# ------------------------------------------------------------------ pushed requests


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": None},
        {"redirect_uri": f"{CALLBACK}/other"},
        {"response_type": "code id_token"},
        {"response_type": "token"},
        {"response_type": None},
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"request_uri": "urn:ietf:params:oauth:request_uri:x"},
        {"client_id": "other"},
    ],
    ids=lambda changes: next(f"{name} {value}" for name, value in changes.items()),
)
def test_a_request_that_the_profile_does_not_allow_is_not_pushed(bank: Bank, changes: dict[str, Any]) -> None:
    answer = bank.push(**changes)
    assert answer.status_code == 400
    assert answer.get_json()["error"] in ("invalid_request", "unsupported_response_type")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_pushing_is_done_by_post(bank: Bank, method: str) -> None:
    asked = {**bank.house.request_of(bank.app), **bank.authenticated()}
    assert bank.house.app.test_client().open("/par", method=method, data=asked).status_code == 405


def test_a_request_that_is_not_pushed_is_refused(bank: Bank, ada: Person) -> None:
    assert sent_back(bank.house.authorize(ada.browser, bank.app))["error"] == "invalid_request"


def test_what_stands_beside_the_name_does_not_count(bank: Bank, ada: Person) -> None:
    answer = bank.use(ada.browser, bank.pushed(state="in", nonce="in"), state="out", nonce="out", scope="openid")
    heard = sent_back(answer)
    assert heard["state"] == "in"
    tokens = bank.redeem(heard["code"]).get_json()
    assert bank.house.read(tokens["id_token"], "PS256").claims["nonce"] == "in"
    assert "state" not in sent_back(bank.use(ada.browser, bank.pushed(state=None), state="out"))


def test_a_name_is_good_until_the_person_has_signed_in_and_then_no_more(bank: Bank) -> None:
    browser, person, uri = bank.house.browser(), bank.house.user(), bank.pushed()
    first, second = (bank.use(browser, uri).headers["Location"] for _ in range(2))
    assert first.startswith("/flow/")
    assert "code" in sent_back(finish(bank.house, browser, second, person.id))
    assert bank.use(browser, uri).status_code == 410


def test_a_name_expires(bank: Bank, ada: Person) -> None:
    uri = bank.pushed()
    bank.house.clock.advance(600)
    assert bank.use(ada.browser, uri).status_code == 410


def test_a_name_is_for_the_app_that_pushed(bank: Bank, ada: Person) -> None:
    other = Bank(bank.house, "other", AppKeys("PS256", "k2"))
    answer = ada.browser.get("/authorize", query_string={"client_id": other.id, "request_uri": bank.pushed()})
    assert answer.status_code == 410
    assert "Location" not in answer.headers


def test_redirects_are_303_and_go_to_https(house: House, ada: Person) -> None:
    bank = Bank(house)
    answer = bank.use(ada.browser, bank.pushed())
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("https://")
    assert answer.headers["Referrer-Policy"] == "no-referrer"


# ------------------------------------------------------------------ codes


@pytest.mark.parametrize(("wait", "good"), [(59, True), (61, False)])
def test_a_code_lives_a_minute_at_most(bank: Bank, ada: Person, wait: int, good: bool) -> None:
    code = bank.heard(ada)["code"]
    bank.house.clock.advance(wait)
    assert bank.redeem(code).status_code == (200 if good else 400)


def test_a_code_works_once(bank: Bank, ada: Person) -> None:
    code = bank.heard(ada)["code"]
    token = bank.redeem(code).get_json()["access_token"]
    bank.house.clock.advance(1)
    bank.house.refused(bank.redeem(code), 400, "invalid_grant")
    assert bank.userinfo(token).status_code == 401


def test_a_code_is_for_the_app_that_asked(bank: Bank, ada: Person) -> None:
    other = Bank(bank.house, "other", AppKeys("PS256", "k2"))
    bank.house.refused(other.redeem(bank.heard(ada)["code"]), 400, "invalid_grant")


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": None},
        {"code_verifier": "w" * 43},
        {"client_id": "other"},
        {"client_assertion": None},
        {"client_assertion": None, "client_assertion_type": None},
        {"proof": None},
    ],
    ids=lambda changes: " ".join(changes),
)
def test_a_code_is_not_redeemed_without_this(bank: Bank, ada: Person, changes: dict[str, Any]) -> None:
    answer = bank.redeem(bank.heard(ada)["code"], **changes)
    assert answer.status_code in (400, 401)
    assert answer.get_json()["error"] in ("invalid_grant", "invalid_request", "invalid_client")


# ------------------------------------------------------------------ codes that are bound to a key


def test_a_key_that_is_named_or_proved_when_pushing_is_needed_for_the_code(bank: Bank, ada: Person) -> None:
    for bound in ({"dpop_jkt": bank.prover.jkt}, {"proof": bank.proof("/par")}):
        assert bank.redeem(bank.heard(ada, **bound)["code"]).status_code == 200
    others = Prover(bank.house.clock)
    for bound in ({"dpop_jkt": bank.prover.jkt}, {"proof": bank.proof("/par")}):
        code = bank.heard(ada, **bound)["code"]
        answer = bank.redeem(code, proof=others.proof("POST", f"{ISSUER}/token"))
        assert answer.status_code == 400
        assert answer.get_json()["error"] in ("invalid_grant", "invalid_dpop_proof")


def test_the_key_that_is_named_must_be_the_one_that_is_proved(bank: Bank) -> None:
    answer = bank.push(bank.proof("/par"), dpop_jkt=Prover(bank.house.clock).jkt)
    bank.house.refused(answer, 400, "invalid_dpop_proof")
