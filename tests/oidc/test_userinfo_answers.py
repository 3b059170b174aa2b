"""Owns the claims about the forms of userinfo: JSON, signed, encrypted, both (OIDC Core 5.3.2); and what is asked by name."""

import json
from dataclasses import replace

import pytest
from joserfc import jwe, jws

from tests.oidc.answers import door, key_pair, tokens
from tests.oidc.house import ISSUER, House


def test_signed_userinfo_names_issuer_and_app_and_its_key(house: House) -> None:
    app, person = house.client(userinfo_signed_response_alg="ES256"), house.person()
    answer = house.userinfo(house.sign_in(person, app)["access_token"])
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/jwt"
    assert answer.headers["Cache-Control"] == "no-store"
    token = house.read(answer.text, "ES256")
    assert token.header["kid"]
    assert token.claims == {
        "sub": person.user.id,
        "name": "Ada",
        "preferred_username": "ada",
        "email": "ada@example.org",
        "email_verified": True,
        "iss": ISSUER,
        "aud": "shop",
    }


@pytest.mark.parametrize("alg", ["RSA-OAEP-256", "ECDH-ES"])
@pytest.mark.parametrize("signed", [None, "PS256"])
def test_encrypted_userinfo_is_for_the_app_alone(house: House, alg: str, signed: str | None) -> None:
    key, jwks = key_pair(alg)
    app = house.client(
        jwks=jwks,
        userinfo_signed_response_alg=signed,
        userinfo_encrypted_response_alg=alg,
        userinfo_encrypted_response_enc="A256GCM",
    )
    person = house.person()
    answer = house.userinfo(house.sign_in(person, app, scope="openid email")["access_token"])
    assert answer.headers["Content-Type"] == "application/jwt"
    assert "ada@example.org" not in answer.text
    opened = jwe.decrypt_compact(answer.text, key, algorithms=[alg, "A256GCM"])
    assert opened.plaintext is not None
    if signed is None:
        assert "cty" not in opened.headers()
        claims = json.loads(opened.plaintext)
    else:
        assert opened.headers()["cty"] == "JWT"
        claims = house.read(opened.plaintext.decode(), signed).claims
        assert claims.pop("iss") == ISSUER
        assert claims.pop("aud") == "shop"
    assert claims == {"sub": person.user.id, "email": "ada@example.org", "email_verified": True}


def test_without_a_key_of_the_app_userinfo_is_refused_and_not_sent_in_clear_text(house: House) -> None:
    app, person = house.client(), house.person()
    token = house.sign_in(person, app)["access_token"]
    house.parts.repo.replace_if(replace(app.client, userinfo_encrypted_response_alg="RSA-OAEP-256"))
    answer = house.userinfo(token)
    house.refused(answer, 400, "unauthorized_client")
    assert "ada@example.org" not in answer.text


def test_userinfo_tells_what_holds_now_and_not_what_held_at_the_sign_in(house: House) -> None:
    app, person = house.client(scopes=("openid", "groups", "phone")), house.person()
    token = house.sign_in(person, app, scope="openid groups phone")["access_token"]
    assert house.userinfo(token).get_json() == {"sub": person.user.id, "groups": []}
    house.parts.users.edit(person.user, groups=("staff",), claims={"phone_number": "+1 555 0100"}, actor="test")
    assert house.userinfo(token).get_json() == {
        "sub": person.user.id,
        "groups": ["staff"],
        "phone_number": "+1 555 0100",
    }
    house.parts.repo.replace_if(replace(app.client, claims=("phone_number",)))
    assert house.userinfo(token).get_json() == {"sub": person.user.id, "phone_number": "+1 555 0100"}


def test_claims_asked_for_by_name_come_in_the_place_that_was_asked(house: House) -> None:
    app, person = house.client(), house.person()
    asked = {"userinfo": {"email": {"essential": True}}, "id_token": {"preferred_username": None}}
    answer = tokens(house, person, app, claims=asked)
    told = house.userinfo(answer["access_token"]).get_json()
    assert told == {"sub": person.user.id, "email": "ada@example.org", "email_verified": True}
    said = house.read(answer["id_token"], "RS256").claims
    assert said["preferred_username"] == "ada"
    assert not said.keys() & {"email", "name"}
    again = house.refresh(app, answer["refresh_token"]).get_json()
    assert house.read(again["id_token"], "RS256").claims["preferred_username"] == "ada"


def test_the_lane_tells_the_same_to_head_and_refuses_other_methods(house: House) -> None:
    token = house.sign_in(house.person(), house.client())["access_token"]
    browser = house.app.test_client()
    assert browser.delete("/userinfo", headers={"Authorization": f"Bearer {token}"}).status_code == 405
    assert browser.head("/userinfo", headers={"Authorization": f"Bearer {token}"}).data == b""


def test_a_signed_answer_is_no_access_token(house: House) -> None:
    app = house.client(userinfo_signed_response_alg="RS256")
    signed = house.userinfo(house.sign_in(house.person(), app)["access_token"]).text
    assert jws.extract_compact(signed.encode())
    house.refused(house.userinfo(signed), 401, "invalid_token")
    assert door(house).check.access(signed) is None
