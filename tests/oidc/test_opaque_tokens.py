"""Owns the claims about opaque access tokens: they are good for the same as JWTs, say nothing, and end as fast."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from idp.domain.grant import OpaqueToken
from idp.services.check_token import OPAQUE_PREFIX
from tests.oidc.house import API, House


def opaque(house: House, id: str = "shop", **more: object):
    return house.client(id, access_token_format="opaque", **more)


def test_an_opaque_token_says_nothing_and_stands_nowhere_in_the_store(house: House) -> None:
    app = opaque(house)
    answer = house.sign_in(house.person(), app)
    token = answer["access_token"]
    assert token.startswith(OPAQUE_PREFIX)
    assert "." not in token
    assert len(token) == len(OPAQUE_PREFIX) + 43
    (stored,) = house.parts.repo.find(OpaqueToken)
    assert token not in repr(stored)
    assert stored.expires_at == house.clock() + 600


def test_introspection_of_an_opaque_token_tells_what_the_jwt_would_say(house: House) -> None:
    app, api, person = opaque(house), house.client("api"), house.person(roles=("editor",))
    token = house.sign_in(person, app)["access_token"]
    answer = house.introspect(api, token)
    now = int(house.clock())
    assert answer.pop("jti")
    assert answer.pop("grant_id").startswith("gr_")
    assert answer == {
        "active": True,
        "token_type": "Bearer",
        "iss": "http://localhost",
        "sub": person.user.id,
        "aud": [API, "http://localhost"],
        "exp": now + 600,
        "iat": now,
        "client_id": "shop",
        "scope": "openid profile email",
        "auth_time": now,
        "acr": answer["acr"],
        "amr": ["pwd", "otp"],
        "roles": ["editor"],
        "username": "ada",
    }
    assert house.introspect(house.client("stranger", audiences=()), token) == {"active": False}


def test_an_opaque_token_opens_userinfo_until_it_expires(house: House) -> None:
    token = house.sign_in(house.person(), opaque(house))["access_token"]
    assert house.userinfo(token).get_json()["email"] == "ada@example.org"
    house.clock.advance(600)
    house.refused(house.userinfo(token), 401, "invalid_token")


def test_an_app_for_itself_gets_an_opaque_token_as_well(house: House) -> None:
    app, api = opaque(house), house.client("api")
    token = house.token(app, grant_type="client_credentials", scope="documents.read").get_json()["access_token"]
    assert token.startswith(OPAQUE_PREFIX)
    assert house.introspect(api, token)["sub"] == "shop"
    house.refused(house.userinfo(token), 401, "invalid_token")


@pytest.mark.parametrize("end", ["disable", "password", "session", "client", "refresh token", "token"])
def test_what_ends_the_person_the_session_or_the_app_ends_an_opaque_token(house: House, end: str) -> None:
    app, api, person = opaque(house), house.client("api"), house.person()
    answer = house.sign_in(person, app)
    token = answer["access_token"]
    assert house.introspect(api, token)["active"] is True
    house.clock.advance(1)
    if end == "disable":
        house.parts.users.set_disabled(person.user, True, actor="test")
    elif end == "password":
        house.parts.users.set_password(person.user, "a new long password", actor="test")
    elif end == "session":
        house.parts.sessions.end(person.session, actor="test")
    elif end == "client":
        house.parts.apps.remove_client(app.id, actor="test")
    else:
        house.post("/revoke", app, token=token if end == "token" else answer["refresh_token"])
    assert house.introspect(api, token) == {"active": False}
    house.refused(house.userinfo(token), 401, "invalid_token")


def test_revoking_an_opaque_token_leaves_the_refresh_token_and_is_for_its_app_only(house: House) -> None:
    app, other = opaque(house), house.client("other")
    answer = house.sign_in(house.person(), app)
    house.refused(house.post("/revoke", other, token=answer["access_token"]), 400, "invalid_request")
    for _ in range(2):
        assert house.post("/revoke", app, token=answer["access_token"]).status_code == 200
    assert house.parts.repo.find(OpaqueToken) == []
    assert house.refresh(app, answer["refresh_token"]).status_code == 200


@pytest.mark.parametrize("kind", ["jwt", "opaque"])
def test_one_token_revoked_many_times_at_once_is_revoked_and_no_fault(house: House, kind: str) -> None:
    app = house.client(access_token_format=kind)
    token = house.sign_in(house.person(), app)["access_token"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: house.post("/revoke", app, token=token).status_code, range(16)))
    assert answers == [200] * 16
    assert house.introspect(app, token) == {"active": False}


@pytest.mark.parametrize("app_kind", ["jwt", "opaque"])
def test_a_token_of_a_removed_app_is_nothing_to_a_later_one_of_the_same_name(house: House, app_kind: str) -> None:
    app, api = house.client(access_token_format=app_kind), house.client("api")
    token = house.token(app, grant_type="client_credentials").get_json()["access_token"]
    assert house.introspect(api, token)["active"] is True
    house.parts.apps.remove_client(app.id, actor="test")
    house.clock.advance(2)
    house.client(access_token_format=app_kind)
    assert house.introspect(api, token) == {"active": False}


@pytest.mark.parametrize(
    "token", [OPAQUE_PREFIX, OPAQUE_PREFIX + "x" * 43, OPAQUE_PREFIX + "a.b.c", OPAQUE_PREFIX + "é"]
)
def test_what_only_looks_like_an_opaque_token_is_none(house: House, token: str) -> None:
    app = house.client()
    assert house.introspect(app, token) == {"active": False}
    assert house.post("/revoke", app, token=token).status_code == 200
    house.refused(house.userinfo(token), 401, "invalid_token")


def test_an_app_may_change_from_one_form_to_the_other_without_ending_what_it_has(house: House) -> None:
    app, person = house.client(), house.person()
    before = house.sign_in(person, app)["access_token"]
    changed = house.parts.apps.client(app.id)
    assert changed is not None
    house.parts.apps.change_client(replace(changed, access_token_format="opaque"), actor="test")
    after = house.sign_in(person, app)["access_token"]
    assert after.startswith(OPAQUE_PREFIX)
    assert house.userinfo(before).status_code == house.userinfo(after).status_code == 200
