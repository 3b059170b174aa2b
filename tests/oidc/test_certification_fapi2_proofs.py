"""Owns the claims of the certification plan FAPI 2.0 Security Profile about what an app signs: assertions and DPoP proofs.

Requests, codes and tokens are in test_certification_fapi2, the names of the modules in test_certification_plans.
"""

from collections.abc import Callable
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from tests.oidc.app_keys import AppKeys, unsigned
from tests.oidc.fapi import Bank
from tests.oidc.house import ISSUER, House, Person
from tests.support.proofs import Prover, make_key


@pytest.fixture
def bank(house: House) -> Bank:
    return Bank(house)


@pytest.fixture
def ada(house: House) -> Person:
    return house.person()


# ------------------------------------------------------------------ client assertions


def rs256(bank: Bank) -> str:
    keys = AppKeys("RS256")
    keys.key = bank.keys.key
    signer, bank.keys = bank.keys, keys
    given = bank.assertion()
    bank.keys = signer
    return given


BAD_ASSERTIONS: dict[str, Callable[[Bank], str]] = {
    "no sub": lambda bank: bank.assertion(sub=None),
    "another sub": lambda bank: bank.assertion(sub="other"),
    "no iss": lambda bank: bank.assertion(iss=None),
    "another iss": lambda bank: bank.assertion(iss="other"),
    "no aud": lambda bank: bank.assertion(aud=None),
    "another aud": lambda bank: bank.assertion(aud="https://other.example/"),
    "the endpoint as aud": lambda bank: bank.assertion(aud=f"{ISSUER}/par"),
    "the token endpoint as aud": lambda bank: bank.assertion(aud=f"{ISSUER}/token"),
    "a list as aud": lambda bank: bank.assertion(aud=[ISSUER]),
    "a list with others as aud": lambda bank: bank.assertion(aud=[ISSUER, "https://other.example/"]),
    "expired": lambda bank: bank.assertion(exp=int(bank.house.clock()) - 300),
    "no exp": lambda bank: bank.assertion(exp=None),
    "no jti": lambda bank: bank.assertion(jti=None),
    "from the future": lambda bank: bank.assertion(
        iat=int(bank.house.clock()) + 70, nbf=int(bank.house.clock()) + 70, exp=int(bank.house.clock()) + 130
    ),
    "RS256": rs256,
    "none": lambda bank: unsigned(
        {"iss": bank.id, "sub": bank.id, "aud": ISSUER, "exp": bank.house.clock() + 60, "jti": "x"}
    ),
    "another signature": lambda bank: bank.assertion()[:-8] + "AAAAAAAA",
}


@pytest.mark.parametrize("kind", BAD_ASSERTIONS)
@pytest.mark.parametrize("path", ["/par", "/token"])
def test_an_assertion_that_is_wrong_in_one_way_is_refused(bank: Bank, ada: Person, path: str, kind: str) -> None:
    given = BAD_ASSERTIONS[kind](bank)
    answer = bank.push(client_assertion=given) if path == "/par" else bank.redeem("x", client_assertion=given)
    assert answer.status_code in (400, 401)
    assert answer.get_json()["error"] in ("invalid_client", "invalid_request")
    assert bank.push().status_code == 201


@pytest.mark.parametrize("changes", [{"client_assertion_type": None}, {"client_assertion_type": "urn:wrong"}])
def test_the_type_of_an_assertion_must_be_said(bank: Bank, changes: dict[str, Any]) -> None:
    assert bank.push(**changes).status_code in (400, 401)


def test_the_clock_of_an_app_may_be_eight_seconds_ahead(bank: Bank) -> None:
    soon = int(bank.house.clock()) + 8
    assert bank.push(client_assertion=bank.assertion(iat=soon, nbf=soon, exp=soon + 60)).status_code == 201


# ------------------------------------------------------------------ proofs


@pytest.mark.parametrize("ahead", [-10, 10])
def test_the_clock_of_a_proof_may_be_ten_seconds_off(bank: Bank, ada: Person, ahead: int) -> None:
    iat = int(bank.house.clock()) + ahead
    answer = bank.redeem(bank.heard(ada)["code"], proof=bank.proof("/token", iat=iat))
    assert answer.status_code == 200, answer.text
    token = answer.get_json()["access_token"]
    assert bank.userinfo(token, bank.proof("/userinfo", "GET", token, iat=iat)).status_code == 200


def at_userinfo(bank: Bank, token: str, **changes: Any) -> str:
    return bank.proof("/userinfo", "GET", token, **changes)


GOOD_PROOFS: dict[str, Callable[[Bank, str], str]] = {
    "query and fragment": lambda bank, token: at_userinfo(bank, token, htu=f"{ISSUER}/userinfo?a=b#c"),
    "upper case host": lambda bank, token: at_userinfo(bank, token, htu="HTTP://LOCALHOST/userinfo"),
    "the usual port": lambda bank, token: at_userinfo(bank, token, htu="http://localhost:80/userinfo"),
    "unknown members": lambda bank, token: at_userinfo(bank, token, header={"x": 1}, y={"z": []}),
    "nbf and exp": lambda bank, token: at_userinfo(
        bank, token, nbf=int(bank.house.clock()), exp=int(bank.house.clock()) + 300
    ),
}
BAD_PROOFS: dict[str, Callable[[Bank, str], str | None]] = {
    "none at all": lambda bank, token: None,
    "two": lambda bank, token: f"{at_userinfo(bank, token)},{at_userinfo(bank, token)}",
    "no JWT": lambda bank, token: at_userinfo(bank, token).replace(".", "", 1),
    "no typ": lambda bank, token: at_userinfo(bank, token, header={"typ": None}),
    "another typ": lambda bank, token: at_userinfo(bank, token, header={"typ": "JWT"}),
    "no jwk": lambda bank, token: at_userinfo(bank, token, header={"jwk": None}),
    "a private jwk": lambda bank, token: at_userinfo(bank, token, header={"jwk": bank.prover.key.as_dict(private=True)}),  # type: ignore[union-attr]
    "alg none": lambda bank, token: unsigned(
        {"jti": "x", "htm": "GET", "htu": f"{ISSUER}/userinfo", "iat": bank.house.clock()}, typ="dpop+jwt", jwk=bank.prover.jwk
    ),
    **{
        f"no {name}": lambda bank, token, name=name: at_userinfo(bank, token, **{name: None})
        for name in ("jti", "htm", "htu", "iat", "ath")
    },
    "another signature": lambda bank, token: at_userinfo(bank, token)[:-8] + "AAAAAAAA",
    "another method": lambda bank, token: at_userinfo(bank, token, htm="PUT"),
    "another address": lambda bank, token: at_userinfo(bank, token, htu="https://other.example/userinfo"),
    "another hash": lambda bank, token: bank.proof("/userinfo", "GET", "another token"),
    "an hour ahead": lambda bank, token: at_userinfo(bank, token, iat=int(bank.house.clock()) + 3600),
    "an hour ago": lambda bank, token: at_userinfo(bank, token, iat=int(bank.house.clock()) - 3600),
    "another key": lambda bank, token: Prover(bank.house.clock).proof("GET", f"{ISSUER}/userinfo", token),
}  # fmt: skip


def test_a_token_is_used_with_a_proof_and_with_no_other(bank: Bank, ada: Person) -> None:
    token = bank.sign_in(ada)["access_token"]
    for kind, make in GOOD_PROOFS.items():
        assert bank.userinfo(token, make(bank, token)).status_code == 200, kind
    for kind, make_bad in BAD_PROOFS.items():
        assert bank.userinfo(token, make_bad(bank, token)).status_code in (400, 401), kind
    once = at_userinfo(bank, token)
    assert [bank.userinfo(token, once).status_code for _ in range(2)] == [200, 401]
    assert bank.userinfo(token).status_code == 200


def test_a_bound_token_is_neither_a_bearer_token_nor_taken_from_the_address(bank: Bank, ada: Person) -> None:
    token = bank.sign_in(ada)["access_token"]
    assert bank.userinfo(token, scheme="Bearer").status_code == 401
    assert bank.userinfo(token, None, scheme="Bearer").status_code == 401
    answer = bank.house.app.test_client().get(
        "/userinfo", query_string={"access_token": token}, headers={"DPoP": at_userinfo(bank, token)}
    )
    assert answer.status_code == 401


def test_a_proof_with_an_algorithm_that_the_profile_forbids_is_none_anywhere(bank: Bank, ada: Person) -> None:
    """The key is the same one: only the padding is that of PKCS #1."""
    key = make_key("PS256")
    assert isinstance(key, RSAKey)
    bank.prover, weak = Prover(bank.house.clock, "PS256", key), Prover(bank.house.clock, "RS256", key)
    token = bank.sign_in(ada)["access_token"]
    assert bank.userinfo(token).status_code == 200
    assert bank.userinfo(token, weak.proof("GET", f"{ISSUER}/userinfo", token)).status_code == 401
    answer = bank.redeem(bank.heard(ada)["code"], proof=weak.proof("POST", f"{ISSUER}/token"))
    bank.house.refused(answer, 400, "invalid_dpop_proof")


def test_userinfo_and_id_tokens_are_signed_as_the_profile_allows(house: House, ada: Person) -> None:
    bank = Bank(house, userinfo_signed_response_alg="ES256", id_token_signed_response_alg="ES256")
    tokens = bank.sign_in(ada)
    assert house.read(tokens["id_token"], "ES256").claims["sub"] == ada.user.id
    answer = bank.userinfo(tokens["access_token"])
    assert house.read(answer.text, "ES256").claims["aud"] == bank.id
