"""Every feature of the OpenID Connect door with a client library that others wrote, npm openid-client, over real HTTP.

The library checks what it gets (signatures, nonce, state, iss, aud, at_hash, DPoP) and refuses what is wrong; these tests
only say which features are on. Which requests are refused is left to tests/oidc.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.peers.features import Library, RefusalError, add_app
from tests.support.sheaf import Sheaf
from tests.support.visitor import Visitor

CALLBACK = "https://app.example.org/callback"
SCOPE = "openid profile email"
pytestmark = [pytest.mark.slow, pytest.mark.peer]


@pytest.fixture
def library() -> Iterator[Library]:
    with Library() as library:
        yield library


def client(sheaf: Sheaf, **settings: Any) -> dict[str, Any]:
    return add_app(sheaf, settings.pop("redirect_uris", CALLBACK), **settings)


def configure(
    library: Library, sheaf: Sheaf, made: dict[str, Any], method: str = "client_secret_basic", **more: Any
) -> Any:
    auth = {"method": method, "secret": made.get("client_secret"), "key": more.pop("key", None)}
    return library.do("configure", issuer=sheaf.issuer, client_id=made["client_id"], auth=auth, **more)


def sign_in(library: Library, ada: Visitor, **params: str) -> Any:
    url = library.do("authorize", params={"redirect_uri": CALLBACK, "scope": SCOPE, **params})["url"]
    return library.do("callback", **ada.visit(url))


@pytest.mark.parametrize("mode", ["query", "form_post"])
def test_the_plain_code_flow(library: Library, sheaf: Sheaf, ada: Visitor, mode: str) -> None:
    configure(library, sheaf, client(sheaf))

    result = sign_in(library, ada, response_mode=mode)

    assert result["claims"]["sub"] == ada.id
    assert library.do("userinfo")["userinfo"]["email"] == ada.person.email


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "ES384", "Ed25519"])
def test_private_key_jwt_and_id_tokens_in_each_algorithm(
    library: Library, sheaf: Sheaf, ada: Visitor, alg: str
) -> None:
    key = library.do("make_key", alg=alg)
    made = client(sheaf, auth_method="private_key_jwt", id_token_signed_response_alg=alg, public_keys=[key["public"]])
    metadata = {"id_token_signed_response_alg": alg}
    configure(library, sheaf, made, "private_key_jwt", key=key["key"], metadata=metadata, check_signatures=True)

    assert sign_in(library, ada)["claims"]["sub"] == ada.id


def test_client_secret_jwt(library: Library, sheaf: Sheaf, ada: Visitor) -> None:
    configure(library, sheaf, client(sheaf, auth_method="client_secret_jwt"), "client_secret_jwt")

    assert sign_in(library, ada)["claims"]["sub"] == ada.id


def test_a_pushed_signed_request_with_a_signed_answer(library: Library, sheaf: Sheaf, ada: Visitor) -> None:
    key = library.do("make_key", alg="ES256")
    made = client(
        sheaf,
        auth_method="private_key_jwt",
        require_pushed_authorization_requests="true",
        require_signed_request_object="true",
        request_object_signing_alg="ES256",
        authorization_signed_response_alg="ES256",
        public_keys=[key["public"]],
    )
    metadata = {"authorization_signed_response_alg": "ES256"}
    configure(
        library, sheaf, made, "private_key_jwt", key=key["key"], metadata=metadata, par=True, jar=key["key"], jarm=True
    )

    assert sign_in(library, ada)["claims"]["sub"] == ada.id


def test_the_fapi_2_profile_with_dpop(library: Library, sheaf: Sheaf, ada: Visitor) -> None:
    key = library.do("make_key", alg="ES256")
    made = client(
        sheaf,
        profile="fapi2",
        auth_method="private_key_jwt",
        id_token_signed_response_alg="ES256",
        dpop_bound_access_tokens="true",
        grant_types="authorization_code refresh_token",
        scopes=f"{SCOPE} offline_access",
        public_keys=[key["public"]],
    )
    metadata = {"id_token_signed_response_alg": "ES256"}
    configure(library, sheaf, made, "private_key_jwt", key=key["key"], metadata=metadata, par=True, dpop="ES256")

    result = sign_in(library, ada, scope=f"{SCOPE} offline_access", prompt="consent")
    refreshed = library.do("refresh")

    assert result["tokens"]["token_type"] == "dpop"
    assert library.do("userinfo")["userinfo"]["sub"] == ada.id
    # FAPI 2.0 5.3.2.1: refresh tokens are not rotated
    assert (
        refreshed["tokens"].get("refresh_token", result["tokens"]["refresh_token"]) == result["tokens"]["refresh_token"]
    )


@pytest.mark.parametrize("alg", ["RSA-OAEP-256", "ECDH-ES"])
def test_id_tokens_and_userinfo_signed_and_encrypted(library: Library, sheaf: Sheaf, ada: Visitor, alg: str) -> None:
    key = library.do("make_key", alg=alg)
    metadata = {
        "id_token_encrypted_response_alg": alg,
        "id_token_encrypted_response_enc": "A256GCM",
        "userinfo_signed_response_alg": "RS256",
        "userinfo_encrypted_response_alg": alg,
        "userinfo_encrypted_response_enc": "A256GCM",
    }
    made = client(sheaf, public_keys=[key["public"] | {"use": "enc"}], **metadata)
    decrypt = {"key": key["key"], "kid": key["key"]["kid"], "encs": ["A256GCM"]}
    configure(library, sheaf, made, metadata=metadata, decrypt=decrypt)

    result = sign_in(library, ada)

    assert result["tokens"]["id_token"].count(".") == 4
    assert library.do("userinfo")["userinfo"]["email"] == ada.person.email


def test_pairwise_subjects_and_opaque_tokens(library: Library, sheaf: Sheaf, ada: Visitor) -> None:
    configure(library, sheaf, client(sheaf, subject_type="pairwise", access_token_format="opaque"))

    result = sign_in(library, ada)
    told = library.do("introspect")["introspection"]

    assert result["claims"]["sub"] not in (ada.id, ada.person.username)
    assert library.do("userinfo")["userinfo"]["sub"] == told["sub"] == result["claims"]["sub"]
    assert "." not in result["tokens"]["access_token"]


def test_single_claims_and_a_stronger_sign_in_are_asked_for(library: Library, sheaf: Sheaf, ada: Visitor) -> None:
    configure(library, sheaf, client(sheaf))
    mfa = "https://refeds.org/profile/mfa"
    claims = {"id_token": {"acr": {"essential": True, "values": [mfa]}, "auth_time": {"essential": True}}}

    result = sign_in(library, ada, claims=json.dumps(claims), max_age="300", display="page", ui_locales="de en")

    assert result["claims"]["acr"] == mfa
    assert "auth_time" in result["claims"]


def test_a_retried_refresh_gives_the_same_successor(library: Library, sheaf: Sheaf, ada: Visitor) -> None:
    scope = f"{SCOPE} offline_access"
    made = client(sheaf, grant_types="authorization_code refresh_token", scopes=scope)
    configure(library, sheaf, made)
    first = sign_in(library, ada, scope=scope, prompt="consent")["tokens"]["refresh_token"]

    one, again = library.do("refresh", token=first), library.do("refresh", token=first)

    assert one["tokens"]["refresh_token"] == again["tokens"]["refresh_token"] != first
    assert library.do("refresh", token=again["tokens"]["refresh_token"])["tokens"]["access_token"]
    with pytest.raises(RefusalError) as refusal:
        library.do("refresh", token=first)
    assert refusal.value.error == "invalid_grant"


def test_a_device_without_a_browser(library: Library, sheaf: Sheaf, ada: Visitor) -> None:
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    configure(library, sheaf, client(sheaf, grant_types=grant, redirect_uris=""))
    asked = library.do("device", params={"scope": SCOPE})

    question = ada.through(asked["verification_uri_complete"], answer=None)
    assert asked["user_code"] in question.text, question.text
    question.submit("allow")

    assert library.do("poll")["claims"]["sub"] == ada.id


def test_a_token_is_exchanged_for_a_narrower_one(library: Library, sheaf: Sheaf, ada: Visitor) -> None:
    grant = "urn:ietf:params:oauth:grant-type:token-exchange"
    made = client(sheaf, grant_types=f"authorization_code {grant}", audiences="urn:a urn:b", scopes=f"{SCOPE} read")
    configure(library, sheaf, made)
    mine = sign_in(library, ada, scope=f"{SCOPE} read")["tokens"]["access_token"]
    subject = {"subject_token": mine, "subject_token_type": "urn:ietf:params:oauth:token-type:access_token"}

    got = library.do("exchange", params={**subject, "scope": "read", "resource": "urn:a"})["tokens"]

    told = library.do("introspect", token=got["access_token"])["introspection"]
    assert got["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert (told["sub"], told["scope"], told["aud"]) == (ada.id, "read", "urn:a")


def test_revocation_and_signed_introspection(library: Library, sheaf: Sheaf) -> None:
    made = client(
        sheaf,
        grant_types="client_credentials",
        scopes="read",
        redirect_uris="",
        introspection_signed_response_alg="ES256",
    )
    configure(library, sheaf, made, metadata={"introspection_signed_response_alg": "ES256"})
    library.do("client_credentials")

    before = library.do("introspect")["introspection"]
    library.do("revoke")

    assert before["active"] is True
    assert library.do("introspect")["introspection"]["active"] is False


def test_an_app_registers_itself(library: Library, special: Sheaf, grace: Visitor) -> None:
    token = special.cli("registration", "token", "add", "--name", "openid-client")["token"]
    metadata = {
        "client_name": "Registered by itself",
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "client_secret_post",
        "contacts": ["dev@example.org"],
    }

    told = library.do("register", issuer=special.issuer, metadata=metadata, initial_access_token=token)
    url = library.do("authorize", params={"redirect_uri": CALLBACK, "scope": SCOPE})["url"]
    result = library.do("callback", **grace.visit(url))

    assert told["client"]["client_name"] == "Registered by itself"
    assert result["claims"]["sub"] == grace.id
