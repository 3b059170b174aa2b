"""Owns the claims about provider metadata and the key set: true, valid, cached, readable from any origin."""

import re

import pytest
from authlib.oidc.discovery import OpenIDProviderMetadata

from tests.oidc.house import ISSUER, House

PATHS = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")


@pytest.mark.parametrize("path", PATHS)
def test_the_metadata_satisfies_an_independent_validator(house: House, path: str) -> None:
    found = house.app.test_client().get(path)
    # The validator asks for https URLs; ours are those of the issuer.
    document = {key: _https(value) for key, value in found.get_json().items()}
    OpenIDProviderMetadata(document).validate()
    assert found.get_json()["issuer"] == ISSUER


def test_every_endpoint_in_the_metadata_exists(house: House) -> None:
    document = house.app.test_client().get(PATHS[0]).get_json()
    endpoints = {key: value for key, value in document.items() if key.endswith("_endpoint") or key == "jwks_uri"}
    rules = {rule.rule for rule in house.app.url_map.iter_rules()}
    assert len(endpoints) >= 8
    for value in endpoints.values():
        assert value.removeprefix(ISSUER) in rules


def test_the_metadata_promises_only_what_works(house: House) -> None:
    document = house.app.test_client().get(PATHS[0]).get_json()
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["response_types_supported"] == ["code"]
    assert document["require_request_uri_registration"] is True
    assert document["claims_parameter_supported"] is True
    assert document["request_parameter_supported"] is True
    assert document["authorization_response_iss_parameter_supported"] is True


@pytest.mark.parametrize("path", [*PATHS, "/jwks"])
def test_public_documents_may_be_cached_and_read_from_any_origin(house: House, path: str) -> None:
    browser = house.app.test_client()
    found = browser.get(path)
    assert found.headers["Access-Control-Allow-Origin"] == "*"
    assert re.search(r"max-age=\d+", found.headers["Cache-Control"])
    again = browser.get(path, headers={"If-None-Match": found.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert "Set-Cookie" not in found.headers


@pytest.mark.parametrize("path", ["/token", "/userinfo", "/revoke"])
def test_an_app_in_a_browser_may_ask_before_it_calls(house: House, path: str) -> None:
    answer = house.app.test_client().options(
        path, headers={"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    )
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/introspect", "/authorize", "/end_session"])
def test_no_other_origin_may_read_what_depends_on_cookies_or_secrets(house: House, path: str) -> None:
    answer = house.app.test_client().options(path, headers={"Origin": "https://app.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_document_of_one_issuer_is_not_served_for_another(house: House) -> None:
    document = house.app.test_client().get(
        PATHS[0], headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    )
    assert "evil.example" not in document.text


def _https(value: object) -> object:
    return value.replace(ISSUER, "https://localhost") if isinstance(value, str) else value
