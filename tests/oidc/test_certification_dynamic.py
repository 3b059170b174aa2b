"""Owns the claims of the certification plans Dynamic OP and Config OP: apps that register themselves and use their own keys.

The names of the modules are in test_certification_plans; every field of a registration is in test_registration.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from joserfc import jwt

from tests.oidc.app_keys import AppKeys, request_claims
from tests.oidc.certified import Party, Suite
from tests.oidc.house import CALLBACK, ISSUER, House
from tests.oidc.test_certification_basic import OPEN
from tests.support.receiver import Receiver

KEYS = AppKeys("RS256")
OTHERS = AppKeys("RS256", "k2")
METHOD = {"token_endpoint_auth_method": "private_key_jwt"}
QUERY = f"{CALLBACK}?foo=bar"


@pytest.fixture
def suite(house_with: Callable[..., House]) -> Suite:
    return Suite(house_with(**OPEN))


def with_keys(suite: Suite, **metadata: Any) -> Party:
    return Party(suite, suite.register(**METHOD, **{"jwks": json.loads(KEYS.jwks), **metadata}), KEYS)


# ------------------------------------------------------------------ what the metadata say


def test_the_metadata_hold_what_discovery_demands(suite: Suite) -> None:
    said = suite.metadata()
    assert said["issuer"] == ISSUER
    assert "code" in said["response_types_supported"]
    assert "RS256" in said["id_token_signing_alg_values_supported"]
    assert "RS256" in said["request_object_signing_alg_values_supported"]
    assert {"public", "pairwise"} == set(said["subject_types_supported"])
    assert "openid" in said["scopes_supported"]
    assert "sub" in said["claims_supported"]
    assert said["claims_parameter_supported"] is said["request_uri_parameter_supported"] is True
    assert {"authorization_code", "refresh_token"} <= set(said["grant_types_supported"])
    for name, value in said.items():
        if name.endswith(("_endpoint", "_uri", "_iframe")):
            assert value.startswith(f"{ISSUER}/"), name
        if name.endswith("_supported") and not isinstance(value, bool):
            assert isinstance(value, list), name
            assert len(value) == len(set(value)) > 0, name
    assert all(tag == tag.lower() for tag in said["ui_locales_supported"])


def test_what_dynamic_providers_owe_to_pages_in_browsers_is_not_there(suite: Suite) -> None:
    """OIDC Core 15.2 demands `id_token` and `id_token token`, too, and the Dynamic plan fails for that alone. An answer in
    a fragment is what RFC 9700 2.1.2 and OAuth 2.1 have taken out."""
    said = suite.metadata()
    assert said["response_types_supported"] == ["code"]
    assert "implicit" not in said["grant_types_supported"]
    refused = suite.ask_to_register(response_types=["id_token"], grant_types=["implicit"])
    assert refused.get_json()["error"] == "invalid_client_metadata"


# ------------------------------------------------------------------ keys of apps


def test_an_app_signs_its_way_in_with_keys_that_it_registered(suite: Suite) -> None:
    party = with_keys(suite)
    assert party.sign_in(suite.visit()).claims["sub"] == suite.person.id
    assert "client_secret" not in party.made


def test_the_issuer_is_a_good_audience_of_an_assertion(suite: Suite) -> None:
    party = with_keys(suite)
    form = {"grant_type": "authorization_code", "code": suite.visit().authorize(party).complete()["code"]}
    form |= {"redirect_uri": CALLBACK, "client_assertion": party.assertion(aud=ISSUER)}
    assert party.post("/token", **form).status_code == 200


def test_an_app_may_keep_its_keys_at_an_address(suite: Suite) -> None:
    with Receiver(pages={"/jwks": KEYS.jwks}) as server:
        party = Party(suite, suite.register(**METHOD, jwks_uri=server.url("/jwks")), KEYS)
        assert party.sign_in(suite.visit()).claims["sub"] == suite.person.id


def test_an_app_may_change_its_keys_between_two_requests(suite: Suite) -> None:
    grants = ["authorization_code", "refresh_token"]
    with Receiver(pages={"/jwks": KEYS.jwks}) as server:
        made = suite.register(**METHOD, jwks_uri=server.url("/jwks"), grant_types=grants)
        party = Party(suite, made, KEYS)
        tokens = party.sign_in(suite.visit(), scope="openid offline_access", prompt="consent").tokens
        server.pages["/jwks"] = OTHERS.jwks
        suite.house.clock.advance(60)
        party.keys = OTHERS
        party.verified(party.refresh(tokens["refresh_token"]), again=True)


def test_keys_of_ours_change_and_the_old_ones_stay_for_a_while(suite: Suite) -> None:
    before = {key["kid"] for key in suite.house.app.test_client().get("/jwks").get_json()["keys"]}
    suite.house.parts.rotation.rotate_tokens(actor="cli")
    suite.house.clock.advance(120)
    after = {key["kid"] for key in suite.house.app.test_client().get("/jwks").get_json()["keys"]}
    assert before < after
    assert with_keys(suite).sign_in(suite.visit()).claims["sub"] == suite.person.id


# ------------------------------------------------------------------ what is signed for apps


def test_userinfo_is_signed_for_who_registers_so(suite: Suite) -> None:
    party = with_keys(suite, userinfo_signed_response_alg="RS256")
    signed = party.sign_in(suite.visit(), scope="openid email")
    answer = suite.house.userinfo(signed.tokens["access_token"])
    assert answer.content_type == "application/jwt"
    claims = jwt.decode(answer.text, party.published(), algorithms=["RS256"]).claims
    assert (claims["iss"], claims["aud"], claims["sub"]) == (ISSUER, party.id, suite.person.id)
    assert claims["email"] == "ada@example.org"


def test_a_signed_request_counts_and_not_what_stands_beside_it(suite: Suite) -> None:
    party = with_keys(suite, request_object_signing_alg="RS256")
    inside = request_claims(party.id, now=suite.house.clock(), code_challenge=None, code_challenge_method=None)
    party.request(state="inside", nonce="n-inside")
    heard = suite.visit().open(
        "/authorize",
        client_id=party.id,
        response_type="code",
        scope="openid",
        redirect_uri="https://app.example/wrong",
        request=KEYS.sign(inside),
    )
    assert party.finish(heard.complete()).answer["state"] == "inside"


# ------------------------------------------------------------------ redirect URIs


def test_without_a_redirect_uri_there_is_a_page(suite: Suite) -> None:
    assert suite.visit().authorize(suite.party(), redirect_uri=None).refused()


def test_a_query_that_is_registered_comes_back_with_the_answer(suite: Suite) -> None:
    party, visit = suite.party(redirect_uris=[QUERY]), suite.visit()
    heard = visit.authorize(party, redirect_uri=QUERY).complete()
    assert heard["foo"] == "bar"
    party.finish(heard)


@pytest.mark.parametrize(
    ("registered", "asked"),
    [(QUERY, f"{CALLBACK}?foo=baz"), (CALLBACK, QUERY), (QUERY, CALLBACK), (QUERY, f"{QUERY}&x=1")],
)
def test_another_query_than_the_registered_one_is_a_page(suite: Suite, registered: str, asked: str) -> None:
    visit = suite.visit().authorize(suite.party(redirect_uris=[registered]), redirect_uri=asked)
    assert "not registered" in visit.refused()


def test_a_redirect_uri_with_a_fragment_cannot_be_registered(suite: Suite) -> None:
    answer = suite.ask_to_register(redirect_uris=[f"{CALLBACK}#foobar"])
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_redirect_uri")


# ------------------------------------------------------------------ further metadata


@pytest.mark.parametrize("name", ["policy_uri", "tos_uri"])
def test_the_page_of_the_sign_in_leads_to_what_an_app_says_of_itself(suite: Suite, name: str) -> None:
    party = suite.party(**{name: "https://app.example/about"})
    assert party.made[name] == "https://app.example/about"
    assert 'href="https://app.example/about"' in suite.visit().authorize(party).page.text


def test_the_page_of_the_sign_in_shows_the_logo(suite: Suite) -> None:
    party = suite.party(logo_uri="https://app.example/logo.png")
    assert 'class="app-logo"' in suite.visit().authorize(party).page.text


@pytest.mark.parametrize(("listed", "good"), [([CALLBACK], True), (["https://elsewhere.example/callback"], False)])
def test_a_sector_must_list_the_redirect_uris(suite: Suite, listed: list[str], good: bool) -> None:
    with Receiver(pages={"/sector.json": json.dumps(listed)}) as server:
        sector = {"sector_identifier_uri": server.url("/sector.json"), "subject_type": "pairwise"}
        answer = suite.ask_to_register(**sector)
        if not good:
            assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_client_metadata")
            return
        party = Party(suite, answer.get_json())
    signed = party.sign_in(suite.visit())
    assert signed.claims["sub"] != suite.person.id
    assert party.userinfo(signed.tokens)["sub"] == signed.claims["sub"]


def test_the_registration_is_read_at_the_address_that_is_given(suite: Suite) -> None:
    made = suite.register()
    header = {"Authorization": f"Bearer {made['registration_access_token']}"}
    answer = suite.house.app.test_client().get(urlsplit(made["registration_client_uri"]).path, headers=header)
    assert answer.get_json()["client_id"] == made["client_id"]
