"""Owns the claims about tokens for apps themselves, and about token, introspection and revocation requests that are malformed."""

import pytest

from idp.domain.grant import Grant
from tests.oidc.house import API, App, House

# ------------------------------------------------------------------ client_credentials


def test_an_app_gets_a_token_for_itself_and_nothing_is_stored(house: House) -> None:
    app = house.client()
    answer = house.token(app, grant_type="client_credentials", scope="documents.read").get_json()
    claims = house.read(answer["access_token"], "ES256").claims
    assert (claims["sub"], claims["client_id"], claims["aud"], claims["scope"]) == (
        "shop",
        "shop",
        API,
        "documents.read",
    )
    assert not {"grant_id", "auth_time", "acr", "amr", "roles"} & set(claims)
    assert set(answer) == {"access_token", "token_type", "expires_in", "scope"}
    assert house.parts.repo.find(Grant) == []


def test_scopes_about_people_mean_nothing_to_an_app_alone(house: House) -> None:
    answer = house.token(house.client(), grant_type="client_credentials").get_json()
    assert answer["scope"] == "documents.read"
    assert house.userinfo(answer["access_token"]).status_code == 401


@pytest.mark.parametrize("scope", ["documents.read ", " documents.read", "documents.read  documents.read", "  "])
def test_a_blank_too_many_is_no_scope(house: House, scope: str) -> None:
    answer = house.token(house.client(), grant_type="client_credentials", scope=scope)
    assert answer.get_json()["scope"] == "documents.read"


@pytest.mark.parametrize("scope", ["admin", "documents.read admin"])
def test_an_app_cannot_have_a_scope_it_is_not_registered_for(house: House, scope: str) -> None:
    house.refused(house.token(house.client(), grant_type="client_credentials", scope=scope), 400, "invalid_scope")


def test_an_app_cannot_have_a_token_for_an_audience_it_is_not_registered_for(house: House) -> None:
    house.refused(house.token(house.client(), grant_type="client_credentials", resource="urn:x"), 400, "invalid_target")


# ------------------------------------------------------------------ malformed requests


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password", "username": "ada", "password": "x"}, "unsupported_grant_type"),
        ({"grant_type": "implicit"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "nonsense"}, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "ü" * 43}, "invalid_grant"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "nonsense"}, "invalid_grant"),
    ],
)
def test_a_token_request_that_lacks_something_is_refused_by_name(
    house: House, form: dict[str, str], error: str
) -> None:
    house.refused(house.token(house.client(), **form), 400, error)


def test_a_parameter_sent_twice_is_refused(house: House) -> None:
    app = house.client(auth_method="client_secret_post")
    data = f"grant_type=client_credentials&grant_type=client_credentials&client_id={app.id}&client_secret={app.secret}"
    answer = house.app.test_client().post("/token", data=data, content_type="application/x-www-form-urlencoded")
    house.refused(answer, 400, "invalid_request")


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
def test_parameters_in_the_address_are_refused(house: House, path: str) -> None:
    app: App = house.client(auth_method="client_secret_post")
    query = {"client_id": app.id, "client_secret": app.secret, "grant_type": "client_credentials", "token": "x"}
    house.refused(house.app.test_client().post(path, query_string=query), 400, "invalid_request")


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"grant_type": "client_credentials"}', "application/json"),
        (b"grant_type=client_credentials", "text/plain"),
        (b"client_id=%ff", "application/x-www-form-urlencoded"),
        (b"client_id=\xff\x00", "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % i for i in range(500)), "application/x-www-form-urlencoded"),
        (b"client_id=" + b"x" * 100_000, "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_of_the_wrong_kind_is_refused_not_a_fault(house: House, path: str, body: bytes, kind: str) -> None:
    house.refused(house.app.test_client().post(path, data=body, content_type=kind), 400, "invalid_request")


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke", "/userinfo"])
def test_an_oversized_body_is_413(house: House, path: str) -> None:
    body = b"token=" + b"x" * 2_000_000
    answer = house.app.test_client().post(path, data=body, content_type="application/x-www-form-urlencoded")
    house.refused(answer, 413, "invalid_request")


@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
def test_these_endpoints_take_post_only(house: House, path: str) -> None:
    answer = house.app.test_client().get(path)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert answer.get_json()["error"] == "invalid_request"
