"""Owns the claims about client authentication: exactly the registered way, and no hint for those who guess."""

import base64
from typing import cast

import pytest
from werkzeug.test import TestResponse

from idp.domain.relying import AuthMethod
from tests.oidc.house import House, basic


def ask(house: House, header: str | None = None, **form: str) -> TestResponse:
    headers = {"Authorization": header} if header is not None else {}
    return house.app.test_client().post("/token", data={"grant_type": "client_credentials", **form}, headers=headers)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_the_registered_method_works(house: House, method: str) -> None:
    app = house.client(auth_method=cast(AuthMethod, method))
    assert house.token(app, grant_type="client_credentials").status_code == 200


def test_an_unknown_client_and_a_wrong_secret_get_the_same_answer(house: House) -> None:
    app = house.client()
    wrong = house.refused(ask(house, basic(app.id, "wrong")), 401, "invalid_client")
    unknown = house.refused(ask(house, basic("nobody", app.secret)), 401, "invalid_client")
    assert wrong["error_description"] == unknown["error_description"]
    assert ask(house, basic(app.id, "wrong")).headers["WWW-Authenticate"].startswith("Basic ")


def test_another_method_than_the_registered_one_is_refused_and_named_only_to_who_knows_the_secret(house: House) -> None:
    app = house.client(auth_method="client_secret_basic")
    right = house.refused(ask(house, client_id=app.id, client_secret=app.secret), 401, "invalid_client")
    wrong = house.refused(ask(house, client_id=app.id, client_secret="wrong"), 401, "invalid_client")
    assert "client_secret_basic" in right["error_description"]
    assert "client_secret_basic" not in wrong["error_description"]


def test_two_methods_at_once_are_refused(house: House) -> None:
    app = house.client()
    house.refused(ask(house, basic(app.id, app.secret), client_secret=app.secret), 400, "invalid_request")
    house.refused(ask(house, basic(app.id, app.secret), client_id="other"), 400, "invalid_request")
    assert ask(house, basic(app.id, app.secret), client_id=app.id).status_code == 200


def test_a_confidential_client_cannot_leave_its_secret_out(house: House) -> None:
    app = house.client(auth_method="client_secret_post")
    house.refused(ask(house, client_id=app.id), 401, "invalid_client")
    house.refused(ask(house, client_id=app.id, client_secret=""), 401, "invalid_client")


def test_nobody_at_all_is_refused(house: House) -> None:
    assert "Basic" in ask(house).headers["WWW-Authenticate"]
    house.refused(ask(house), 401, "invalid_client")


def test_a_public_client_has_nothing_to_authenticate_with(house: House) -> None:
    app, person = house.client(auth_method="none"), house.person()
    assert house.redeem(app, house.code(person, app)).status_code == 200
    given = {"grant_type": "authorization_code", "code": "x", "client_id": app.id, "client_secret": "made up"}
    house.refused(house.app.test_client().post("/token", data=given), 401, "invalid_client")


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"%ff:%ff").decode(),
        "Basic " + base64.b64encode(b"a" * 100_000).decode(),
        "Bearer abc",
        "Digest username=shop",
        "\xff",
    ],
)
@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
def test_a_header_that_cannot_be_read_is_401_never_a_fault(house: House, path: str, header: str) -> None:
    answer = house.app.test_client().post(path, data={"token": "x"}, headers={"Authorization": header})
    house.refused(answer, 401, "invalid_client")


def test_the_halves_of_a_basic_header_are_form_encoded(house: House) -> None:
    app = house.client("shop:front +1")
    assert house.token(app, grant_type="client_credentials").status_code == 200


def test_a_client_that_was_removed_is_unknown_at_once(house: House) -> None:
    app = house.client()
    house.parts.apps.remove_client(app.id, actor="test")
    house.refused(house.token(app, grant_type="client_credentials"), 401, "invalid_client")
