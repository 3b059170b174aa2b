"""Owns the claims about tokens after they were issued: userinfo, introspection, revocation, and what ends a token."""

import base64
import json

import pytest

from idp.crypto import tokens
from idp.services.rotate_keys import RotateKeys
from tests.oidc.house import API, ISSUER, House

# ------------------------------------------------------------------ userinfo


def test_userinfo_tells_what_the_scopes_release(house: House) -> None:
    app, person = house.client(), house.person(roles=("editor",))
    full = house.userinfo(house.sign_in(person, app, scope="openid profile email roles")["access_token"])
    assert full.get_json() == {
        "sub": person.user.id,
        "name": "Ada",
        "preferred_username": "ada",
        "email": "ada@example.org",
        "email_verified": True,
        "roles": ["editor"],
    }
    assert full.headers["Cache-Control"] == "no-store"
    least = house.userinfo(house.sign_in(person, app, scope="openid")["access_token"])
    assert least.get_json() == {"sub": person.user.id}


def test_userinfo_takes_the_token_by_post_too(house: House) -> None:
    token = house.sign_in(house.person(), house.client())["access_token"]
    browser = house.app.test_client()
    assert browser.post("/userinfo", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert browser.post("/userinfo", data={"access_token": token}).status_code == 200
    both = browser.post("/userinfo", data={"access_token": token}, headers={"Authorization": f"Bearer {token}"})
    house.refused(both, 400, "invalid_request")


def test_a_token_in_the_address_is_no_token(house: House) -> None:
    token = house.sign_in(house.person(), house.client())["access_token"]
    assert house.app.test_client().get(f"/userinfo?access_token={token}").status_code == 401


def test_userinfo_without_a_token_says_only_how_to_authenticate(house: House) -> None:
    answer = house.app.test_client().get("/userinfo")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == f'Bearer realm="{ISSUER}"'


@pytest.mark.parametrize("token", ["x", "a.b.c", "ey.ey.ey", "é", "." * 5000, "eyJhbGciOiJub25lIn0.e30."])
def test_userinfo_with_a_token_that_is_none_is_invalid_token(house: House, token: str) -> None:
    answer = house.userinfo(token)
    house.refused(answer, 401, "invalid_token")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "odd", [{"crit": 5}, {"crit": ["b64"], "b64": False}, {"alg": 5}, {"alg": []}, {"x": "\ud800"}]
)
def test_a_header_of_the_wrong_shape_under_a_real_key_id_is_no_fault(house: House, odd: dict[str, object]) -> None:
    token = house.sign_in(house.person(), house.client())["access_token"]
    kid = tokens.kid_of(token)
    header = json.dumps({"typ": "at+jwt", "alg": "ES256", "kid": kid, **odd}).encode()
    forged = base64.urlsafe_b64encode(header).rstrip(b"=").decode() + token[token.index(".") :]
    house.refused(house.userinfo(forged), 401, "invalid_token")


def test_an_id_token_and_a_refresh_token_are_no_access_tokens(house: House) -> None:
    answer = house.sign_in(house.person(), house.client())
    house.refused(house.userinfo(answer["id_token"]), 401, "invalid_token")
    house.refused(house.userinfo(answer["refresh_token"]), 401, "invalid_token")


def test_a_token_for_an_api_alone_is_not_for_userinfo(house: House) -> None:
    answer = house.sign_in(house.person(), house.client(), scope="profile")
    house.refused(house.userinfo(answer["access_token"]), 401, "invalid_token")


def test_a_token_for_the_issuer_without_openid_has_insufficient_scope(house: House) -> None:
    answer = house.sign_in(house.person(), house.client(audiences=()), scope="profile")
    refused = house.userinfo(answer["access_token"])
    house.refused(refused, 403, "insufficient_scope")
    assert 'scope="openid"' in refused.headers["WWW-Authenticate"]


# ------------------------------------------------------------------ what ends a token


def test_an_access_token_ends_after_ten_minutes(house: House) -> None:
    token = house.sign_in(house.person(), house.client())["access_token"]
    house.clock.advance(599)
    assert house.userinfo(token).status_code == 200
    house.clock.advance(1)
    house.refused(house.userinfo(token), 401, "invalid_token")


@pytest.mark.parametrize("end", ["disable", "password", "session", "client"])
def test_what_ends_the_person_the_session_or_the_app_ends_the_token(house: House, end: str) -> None:
    app, api, person = house.client(), house.client("api"), house.person()
    token = house.sign_in(person, app)["access_token"]
    assert house.introspect(api, token)["active"] is True
    house.clock.advance(1)
    if end == "disable":
        house.parts.users.set_disabled(person.user, True, actor="test")
    elif end == "password":
        house.parts.users.set_password(person.user, "a new long password", actor="test")
    elif end == "session":
        house.parts.sessions.end(person.session, actor="test")
    else:
        house.parts.apps.remove_client(app.id, actor="test")
    house.refused(house.userinfo(token), 401, "invalid_token")
    assert house.introspect(api, token) == {"active": False}


def test_a_token_of_an_app_for_itself_ends_with_the_app(house: House) -> None:
    app, api = house.client(), house.client("api")
    token = house.token(app, grant_type="client_credentials").get_json()["access_token"]
    assert house.introspect(api, token)["active"] is True
    house.parts.apps.remove_client(app.id, actor="test")
    assert house.introspect(api, token) == {"active": False}


def test_a_token_outlives_the_rotation_of_its_key(house: House) -> None:
    token = house.sign_in(house.person(), house.client())["access_token"]
    rotation = RotateKeys(house.parts.repo, house.parts.keys, house.clock, house.parts.audit)
    house.clock.advance(60)
    rotation.rotate("access_token", actor="cli")
    assert house.userinfo(token).status_code == 200


def test_a_token_of_our_own_keys_with_the_wrong_type_or_issuer_is_refused(house: House) -> None:
    app, person = house.client(), house.person()
    good = dict(house.read(house.sign_in(person, app)["access_token"], "ES256").claims)
    signer = house.parts.keys.signer("access_token")
    assert house.userinfo(tokens.sign(signer, "at+jwt", good)).status_code == 200
    assert house.userinfo(tokens.sign(signer, "JWT", good)).status_code == 401
    assert house.userinfo(tokens.sign(signer, "at+jwt", {**good, "iss": "https://evil.example"})).status_code == 401
    other_key = house.parts.keys.signer("id_token")
    assert house.userinfo(tokens.sign(other_key, "at+jwt", good)).status_code == 401


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_that_was_changed_anywhere_is_refused(house: House, part: int) -> None:
    token = house.sign_in(house.person(), house.client())["access_token"]
    assert house.userinfo(token).status_code == 200
    pieces = token.split(".")
    pieces[part] = pieces[part][:10] + ("A" if pieces[part][10] != "A" else "B") + pieces[part][11:]
    house.refused(house.userinfo(".".join(pieces)), 401, "invalid_token")


# ------------------------------------------------------------------ introspection (RFC 7662)


def test_an_api_learns_about_the_tokens_that_are_meant_for_it(house: House) -> None:
    app, api, person = house.client(), house.client("api", grant_types=("client_credentials",)), house.person()
    answer = house.introspect(api, house.sign_in(person, app)["access_token"])
    assert answer["active"] is True
    assert (answer["sub"], answer["username"], answer["client_id"]) == (person.user.id, "ada", "shop")
    assert (answer["token_type"], answer["scope"]) == ("Bearer", "openid profile email")
    assert API in answer["aud"]


def test_whoever_a_token_is_not_meant_for_learns_nothing(house: House) -> None:
    app, stranger = house.client(), house.client("stranger", audiences=("urn:other",))
    answer = house.sign_in(house.person(), app)
    assert house.introspect(stranger, answer["access_token"]) == {"active": False}
    assert house.introspect(stranger, answer["refresh_token"]) == {"active": False}


def test_an_app_may_introspect_its_own_tokens(house: House) -> None:
    app = house.client(audiences=())
    answer = house.sign_in(house.person(), app)
    assert house.introspect(app, answer["access_token"])["active"] is True
    refresh = house.introspect(app, answer["refresh_token"])
    assert refresh["active"] is True
    assert refresh["exp"] > house.clock()
    house.refresh(app, answer["refresh_token"])
    assert house.introspect(app, answer["refresh_token"]) == {"active": False}


@pytest.mark.parametrize("token", ["x", "a.b.c", "é.é.é", "x" * 9000, "." * 100, "eyJhbGciOiJub25lIn0.e30."])
def test_nonsense_is_inactive_not_a_fault(house: House, token: str) -> None:
    assert house.introspect(house.client(), token) == {"active": False}


def test_introspection_is_for_apps_with_a_secret(house: House) -> None:
    public = house.client("spa", auth_method="none")
    house.refused(house.post("/introspect", public, token="x"), 401, "invalid_client")
    house.refused(house.post("/introspect", None, token="x"), 401, "invalid_client")
    house.refused(house.post("/introspect", house.client()), 400, "invalid_request")


def test_an_id_token_cannot_be_introspected_as_an_access_token(house: House) -> None:
    app = house.client()
    assert house.introspect(app, house.sign_in(house.person(), app)["id_token"]) == {"active": False}


# ------------------------------------------------------------------ revocation (RFC 7009)


def test_a_revoked_refresh_token_takes_everything_with_it(house: House) -> None:
    app = house.client()
    answer = house.sign_in(house.person(), app)
    assert house.post("/revoke", app, token=answer["refresh_token"]).status_code == 200
    house.refused(house.refresh(app, answer["refresh_token"]), 400, "invalid_grant")
    house.refused(house.userinfo(answer["access_token"]), 401, "invalid_token")


def test_a_revoked_access_token_dies_alone(house: House) -> None:
    app = house.client()
    answer = house.sign_in(house.person(), app)
    for _ in range(2):
        assert (
            house.post("/revoke", app, token=answer["access_token"], token_type_hint="access_token").status_code == 200
        )
    house.refused(house.userinfo(answer["access_token"]), 401, "invalid_token")
    assert house.introspect(app, answer["access_token"]) == {"active": False}
    assert house.refresh(app, answer["refresh_token"]).status_code == 200


def test_a_token_of_an_app_for_itself_can_be_revoked(house: House) -> None:
    app = house.client()
    token = house.token(app, grant_type="client_credentials").get_json()["access_token"]
    assert house.introspect(app, token)["active"] is True
    house.post("/revoke", app, token=token)
    assert house.introspect(app, token) == {"active": False}


def test_nobody_revokes_the_tokens_of_another_app(house: House) -> None:
    app, other = house.client(), house.client("other")
    answer = house.sign_in(house.person(), app)
    for token in (answer["access_token"], answer["refresh_token"]):
        house.refused(house.post("/revoke", other, token=token), 400, "invalid_request")
    assert house.introspect(app, answer["access_token"])["active"] is True


@pytest.mark.parametrize("token", ["x", "a.b.c", "x" * 9000, "é"])
def test_revoking_what_is_no_token_is_no_error(house: House, token: str) -> None:
    assert house.post("/revoke", house.client(), token=token).status_code == 200


def test_a_public_client_may_revoke_its_own_token(house: House) -> None:
    app = house.client("spa", auth_method="none")
    answer = house.sign_in(house.person(), app)
    assert house.post("/revoke", app, token=answer["refresh_token"]).status_code == 200
    house.refused(house.refresh(app, answer["refresh_token"]), 400, "invalid_grant")


def test_revocation_needs_a_client_and_a_token(house: House) -> None:
    house.refused(house.post("/revoke", None, token="x"), 401, "invalid_client")
    house.refused(house.post("/revoke", house.client()), 400, "invalid_request")
