"""Owns the claims about ID tokens of each app: algorithm, at_hash, lifetime, encryption (OIDC Core 2, 3.1.3.6, RFC 7516)."""

import base64
import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from joserfc import jwe, jws, jwt
from joserfc.jwk import KeySet

from idp.crypto.algs import half_hash
from idp.services.issue_grant import Issued
from tests.oidc.answers import door, key_pair, tokens
from tests.oidc.house import House

HASHES = {"RS256": "sha256", "PS256": "sha256", "ES256": "sha256", "ES384": "sha384", "Ed25519": "sha512"}


@pytest.mark.parametrize("alg", HASHES)
def test_an_id_token_is_signed_as_its_app_registered_and_at_hash_follows(house: House, alg: str) -> None:
    app = house.client(id_token_signed_response_alg=alg)
    answer = house.sign_in(house.person(), app)
    token = house.read(answer["id_token"], alg)
    assert token.header["alg"] == alg
    digest = hashlib.new(HASHES[alg], answer["access_token"].encode()).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    assert token.claims["at_hash"] == half
    again = house.refresh(app, answer["refresh_token"]).get_json()
    assert house.read(again["id_token"], alg).claims["sub"] == token.claims["sub"]


def test_at_hash_of_the_specification() -> None:
    """OIDC Core appendix A.3 and A.6."""
    assert half_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", "RS256") == "77QmUPtjPfzWtF2AnpK9RQ"
    assert half_hash(
        "ya29.eQETFbFOkAs8nWHcmYXKwEi0Zz46NfsrUU_KuQLOLTwWS40y6Fb99aVzEXC0U14m61lcPMIr1hEIBA", "RS256"
    ) == ("aUAkJG-u6x4RTWuILWy-CA")


def test_lifetimes_are_those_of_the_app(house: House) -> None:
    app = house.client(id_token_seconds=120, access_token_seconds=90)
    answer = house.sign_in(house.person(), app)
    now = int(house.clock())
    assert house.read(answer["id_token"], "RS256").claims["exp"] == now + 120
    assert house.read(answer["access_token"], "ES256").claims["exp"] == now + 90
    assert answer["expires_in"] == 90


def test_what_is_not_known_of_a_sign_in_is_left_out(house: House) -> None:
    app, person = house.client(), house.person()
    issued = _issued(house, person, app)
    bare = replace(issued, grant=replace(issued.grant, acr=None, amr=(), auth_time=None, session_sid=None))
    maker = door(house).tokens
    access = maker.access_for_user(app.client, bare, 60)
    claims = house.read(maker.id_token(app.client, bare, access, nonce=None), "RS256").claims
    assert not claims.keys() & {"acr", "amr", "auth_time", "sid", "nonce"}
    assert not house.read(access.value, "ES256").claims.keys() & {"acr", "amr", "auth_time"}


@pytest.mark.parametrize("enc", [None, "A128CBC-HS256", "A128GCM", "A256GCM"])
@pytest.mark.parametrize("alg", ["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW"])
def test_an_encrypted_id_token_is_a_signed_one_inside(house: House, alg: str, enc: str | None) -> None:
    key, jwks = key_pair(alg)
    app = house.client(jwks=jwks, id_token_encrypted_response_alg=alg, id_token_encrypted_response_enc=enc)
    person = house.person()
    token = house.sign_in(person, app)["id_token"]
    assert token.count(".") == 4
    opened = jwe.decrypt_compact(token, key, algorithms=[alg, enc or "A128CBC-HS256"])
    assert (opened.headers()["cty"], opened.headers()["kid"]) == ("JWT", "enc-1")
    assert opened.plaintext is not None
    assert house.read(opened.plaintext.decode(), "RS256").claims["sub"] == person.user.id


@pytest.mark.parametrize("jwks", [None, json.dumps({"keys": []}), json.dumps({"keys": [{"kty": "oct", "k": "AAAA"}]})])
def test_without_a_key_of_the_app_there_is_no_id_token_in_clear_text(house: House, jwks: str | None) -> None:
    app = house.client()
    changes: dict[str, Any] = {"jwks": jwks, "id_token_encrypted_response_alg": "RSA-OAEP-256"}
    house.parts.repo.replace_if(replace(app.client, **changes))
    answer = house.redeem(app, house.code(house.person(), app))
    house.refused(answer, 400, "unauthorized_client")
    assert "id_token" not in answer.text


def test_only_an_id_token_is_a_hint_and_no_other_answer_that_the_same_key_signs(house: House) -> None:
    app = house.client(userinfo_signed_response_alg="RS256", scopes=("openid", "profile"))
    answer = tokens(house, house.person(), app)
    maker = door(house).tokens
    assert maker.read_id_token(answer["id_token"]) is not None
    signed_userinfo = house.userinfo(answer["access_token"]).text
    assert jws.extract_compact(signed_userinfo.encode()).headers()["typ"] == "JWT"
    assert maker.read_id_token(signed_userinfo) is None
    assert maker.read_id_token(answer["access_token"]) is None


def test_an_id_token_verifies_with_the_published_keys_of_its_algorithm_only(house: House) -> None:
    token = house.sign_in(house.person(), house.client(id_token_signed_response_alg="ES384"))["id_token"]
    keys = KeySet.import_key_set(house.app.test_client().get("/jwks").get_json())
    with pytest.raises(Exception, match="alg"):
        jwt.decode(token, keys, algorithms=["RS256"])


def _issued(house: House, person: Any, app: Any) -> Issued:
    answer = tokens(house, person, app)
    access = door(house).check.access(answer["access_token"])
    assert access is not None
    assert access.grant is not None
    return Issued(access.grant, person.user, ("openid",), (), None)
