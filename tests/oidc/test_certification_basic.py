"""Owns the claims of the certification plans Basic OP and Form Post Basic OP: each runs with both ways of answering.

The names of the modules are in test_certification_plans; what else an authorization request can say is in test_authorize.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.oidc.app_keys import unsigned
from tests.oidc.certified import Suite
from tests.oidc.house import CHALLENGE, ISSUER, VERIFIER, House
from tests.support.html import parse

OPEN = {"registration": {"mode": "open"}, "second_factor": "administrators"}
SCOPES = ("profile", "email", "address", "phone")


@pytest.fixture(params=[None, "form_post"], ids=["query", "form_post"])
def suite(request: pytest.FixtureRequest, house_with: Callable[..., House]) -> Suite:
    return Suite(house_with(**OPEN), request.param)


def test_an_app_that_registers_itself_signs_a_person_in(suite: Suite) -> None:
    party, visit = suite.party(), suite.visit()
    signed = party.sign_in(visit)
    assert visit.asked == ["password", "consent"]
    assert signed.claims["sub"] == suite.person.id
    assert signed.tokens["expires_in"] > 0
    assert party.userinfo(signed.tokens) == {"sub": suite.person.id}


def test_an_app_may_put_its_secret_into_the_form(suite: Suite) -> None:
    party = suite.party(token_endpoint_auth_method="client_secret_post")
    assert party.sign_in(suite.visit()).claims["sub"] == suite.person.id


def test_without_a_response_type_nobody_is_signed_in(suite: Suite) -> None:
    heard = suite.visit().authorize(suite.party(), response_type=None).heard()
    assert heard is not None
    assert heard["error"] == "invalid_request"
    assert heard["iss"] == ISSUER
    assert "code" not in heard


def test_id_tokens_are_signed_with_a_published_key_that_they_name(suite: Suite) -> None:
    party = suite.party()
    assert party.made["id_token_signed_response_alg"] == "RS256"
    party.sign_in(suite.visit())  # verifies signature and kid
    keys = suite.house.app.test_client().get("/jwks").get_json()["keys"]
    assert len({key["kid"] for key in keys}) == len(keys)
    assert not [key for key in keys if {"d", "p", "q", "k"} & key.keys()]


def test_nobody_can_register_for_unsigned_id_tokens(suite: Suite) -> None:
    assert "none" not in suite.metadata()["id_token_signing_alg_values_supported"]
    answer = suite.ask_to_register(id_token_signed_response_alg="none")
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_client_metadata")


@pytest.mark.parametrize("way", ["get", "post with header", "post with body"])
def test_userinfo_is_told_in_every_way_of_asking(suite: Suite, way: str) -> None:
    party = suite.party()
    signed = party.sign_in(suite.visit(), scope="openid email")
    token, client = signed.tokens["access_token"], suite.house.app.test_client()
    header = {"Authorization": f"Bearer {token}"}
    answer = {
        "get": lambda: client.get("/userinfo", headers=header),
        "post with header": lambda: client.post("/userinfo", headers=header),
        "post with body": lambda: client.post("/userinfo", data={"access_token": token}),
    }[way]()
    assert answer.content_type == "application/json"
    assert answer.get_json() == {"sub": suite.person.id, "email": "ada@example.org", "email_verified": True}


def test_a_token_in_the_address_is_none(suite: Suite) -> None:
    tokens = suite.party().sign_in(suite.visit()).tokens
    answer = suite.house.app.test_client().get("/userinfo", query_string={"access_token": tokens["access_token"]})
    assert answer.status_code == 401


def test_a_nonce_is_not_needed_with_a_code(suite: Suite) -> None:
    assert "nonce" not in suite.party().sign_in(suite.visit(), nonce=None).claims


@pytest.mark.parametrize("asked", [*SCOPES, " ".join(SCOPES)])
def test_scopes_release_their_claims(suite: Suite, asked: str) -> None:
    party = suite.party()
    signed = party.sign_in(suite.visit(), scope=f"openid {asked}")
    assert signed.tokens["scope"].split() == ["openid", *asked.split()]
    told = party.userinfo(signed.tokens)
    expected: dict[str, set[str]] = {
        "profile": {"name", "preferred_username", "given_name", "family_name", "birthdate", "website"},
        "email": {"email", "email_verified"},
        "address": {"address"},
        "phone": {"phone_number", "phone_number_verified"},
    }
    assert told.keys() == {"sub"}.union(*(expected[scope] for scope in asked.split()))
    assert told["sub"] == signed.claims["sub"]
    assert isinstance(told.get("address", {}), dict)
    assert all(isinstance(told.get(f"{one}_verified", True), bool) for one in ("email", "phone_number"))


def test_openid_need_not_be_the_first_scope(suite: Suite) -> None:
    assert party_scope(suite, "email openid") == {"openid", "email"}


def party_scope(suite: Suite, scope: str) -> set[str]:
    return set(suite.party().sign_in(suite.visit(), scope=scope).tokens["scope"].split())


@pytest.mark.parametrize(
    "asked",
    [
        {"display": "page"},
        {"display": "popup"},
        {"extra": "foobar"},
        {"ui_locales": "se de-CH"},
        {"ui_locales": "fr-CA fr en"},
        {"claims_locales": "se"},
        {"acr_values": "urn:one urn:two"},
        {"max_age": "10000"},
    ],
    ids=lambda asked: " ".join(f"{name} {value}" for name, value in asked.items()),
)
def test_a_wish_that_may_be_passed_over_costs_nothing(suite: Suite, asked: dict[str, Any]) -> None:
    party = suite.party()
    signed = party.sign_in(suite.visit(), **asked)
    assert signed.claims["auth_time"] <= signed.claims["iat"]


def test_prompt_login_makes_the_person_sign_in_again(suite: Suite) -> None:
    party, visit = suite.party(), suite.visit()
    first = party.sign_in(visit)
    suite.house.clock.advance(10)
    visit.asked.clear()
    second = party.sign_in(visit, prompt="login")
    assert visit.asked == ["password"]
    assert second.claims["auth_time"] - first.claims["auth_time"] == 10
    assert second.claims["sub"] == first.claims["sub"]


def test_prompt_none_without_a_session_is_an_error(suite: Suite) -> None:
    party, visit = suite.party(), suite.visit()
    heard = visit.authorize(party, prompt="none").heard()
    assert heard is not None
    assert (heard["error"], heard["state"]) == ("login_required", party.asked["state"])


def test_prompt_none_with_a_session_shows_nothing(suite: Suite) -> None:
    party, visit = suite.party(), suite.visit()
    first = party.sign_in(visit)
    visit.asked.clear()
    second = party.sign_in(visit, prompt="none")
    assert visit.asked == []
    assert [second.claims[name] for name in ("sub", "auth_time")] == [
        first.claims[name] for name in ("sub", "auth_time")
    ]


def test_an_age_that_is_over_makes_the_person_sign_in_again(suite: Suite) -> None:
    party, visit = suite.party(), suite.visit()
    first = party.sign_in(visit)
    suite.house.clock.advance(3)
    visit.asked.clear()
    second = party.sign_in(visit, max_age="1")
    assert visit.asked == ["password"]
    assert second.claims["auth_time"] > first.claims["auth_time"]


def test_an_age_that_is_not_over_shows_nothing(suite: Suite) -> None:
    party, visit = suite.party(), suite.visit()
    first = party.sign_in(visit)
    suite.house.clock.advance(3)
    visit.asked.clear()
    second = party.sign_in(visit, max_age="10000")
    assert visit.asked == []
    assert second.claims["auth_time"] == first.claims["auth_time"]


def test_a_hint_of_the_person_who_is_signed_in_shows_nothing(suite: Suite) -> None:
    party, visit = suite.party(), suite.visit()
    first = party.sign_in(visit)
    visit.asked.clear()
    second = party.sign_in(visit, prompt="none", id_token_hint=first.tokens["id_token"])
    assert visit.asked == []
    assert second.claims["sub"] == first.claims["sub"]


def test_a_login_hint_fills_in_the_name(suite: Suite) -> None:
    party, visit = suite.party(), suite.visit()
    visit.authorize(party, login_hint="ada@example.org")
    values = [form.values.get("username") for form in parse(visit.page.text).forms]
    assert "ada@example.org" in values
    assert party.finish(visit.complete()).claims["sub"] == suite.person.id


def test_claims_that_are_essential_come(suite: Suite) -> None:
    party = suite.party()
    wish = json.dumps({"userinfo": {"name": {"essential": True}}})
    signed = party.sign_in(suite.visit(), claims=wish)
    assert party.userinfo(signed.tokens)["name"] == "Ada Lovelace"


@pytest.mark.parametrize("wait", [0, 30])
def test_a_code_works_once_and_the_second_time_ends_what_it_gave(suite: Suite, wait: int) -> None:
    party = suite.party()
    signed = party.sign_in(suite.visit())
    suite.house.clock.advance(wait)
    suite.house.refused(party.redeem(signed.answer["code"]), 400, "invalid_grant")
    assert suite.house.userinfo(signed.tokens["access_token"]).status_code == 401


def test_an_address_that_is_not_registered_is_a_page(suite: Suite) -> None:
    visit = suite.visit().authorize(suite.party(), redirect_uri="https://app.example/callback/unregistered")
    assert "not registered" in visit.refused()


def test_a_request_may_be_posted(suite: Suite) -> None:
    assert suite.party().sign_in(suite.visit(), post=True).claims["sub"] == suite.person.id


def test_pkce_is_checked_when_it_is_used(suite: Suite) -> None:
    party, visit = suite.party(), suite.visit()
    asked = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    party.finish(visit.authorize(party, **asked).complete(), code_verifier=VERIFIER)
    heard = visit.authorize(party, **asked).complete()
    suite.house.refused(party.redeem(heard["code"]), 400, "invalid_grant")


def test_unsigned_request_objects_are_not_promised_and_not_taken(suite: Suite) -> None:
    """The modules about them are skipped where the metadata do not name `none`; apps may still register for it."""
    assert "none" not in suite.metadata()["request_object_signing_alg_values_supported"]
    party, visit = suite.party(), suite.visit()
    request = party.request()
    visit.authorize(party, request=unsigned(request))
    heard = visit.heard()
    assert heard is None or heard["error"] == "invalid_request_object"
    assert visit.asked == []


def test_refresh_tokens_belong_to_their_app(suite: Suite) -> None:
    grants = ["authorization_code", "refresh_token"]
    parties = [suite.party(grant_types=grants) for _ in range(2)]
    signed = [one.sign_in(suite.visit(), scope="openid offline_access", prompt="consent") for one in parties]
    second = [one.refresh(first.tokens["refresh_token"]) for one, first in zip(parties, signed, strict=True)]
    for party, first, tokens in zip(parties, signed, second, strict=True):
        claims = party.verified(tokens, again=True)
        for name in ("iss", "sub", "aud", "auth_time"):
            assert claims[name] == first.claims[name]
    form = {"grant_type": "refresh_token", "refresh_token": second[1]["refresh_token"]}
    suite.house.refused(parties[0].post("/token", **form), 400, "invalid_grant")
