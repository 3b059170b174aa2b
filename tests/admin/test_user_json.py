"""Owns the claims about /admin/api/users and /admin/api/invitations: no secrets, only listed fields, and who may."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from idp.domain.audit_event import AuditEvent
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from tests.admin.programs import Program
from tests.web.house import House, Person

USERS, INVITATIONS = "/admin/api/users", "/admin/api/invitations"


@pytest.fixture
def api(program: Program) -> Program:
    return replace(program, api=USERS)


@pytest.fixture
def invitations(program: Program) -> Program:
    return replace(program, api=INVITATIONS)


@pytest.fixture
def eve(house: House, ada: Person) -> Person:
    """A user with two logins; ada is the administrator."""
    person = house.person("eve")
    for subject in ("e1", "e2"):
        identity = UpstreamIdentity("corp", "https://corp.example", subject)
        house.parts.links.link(person.user, identity, actor="test")
    person.user = house.parts.users.get(person.user.id)
    return person


def logins(house: House, person: Person) -> set[str]:
    return {one.subject for one in house.parts.links.of(person.user.id)}


def error(program: Program, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str]:
    answer = program.ask(method, path, body, **more)
    return answer.status_code, answer.json["error"]


# ---------------------------------------------------------------- looking


def test_a_user_is_shown_without_any_secret(house: House, api: Program, eve: Person) -> None:
    shown = api.done("GET", f"/{eve.user.id}")
    assert (shown["username"], shown["email"], shown["password"], shown["second_factor"]) == (
        *("eve", "eve@example.org"),
        *(True, True),
    )
    text = str(shown) + str(api.done("GET", f"/{eve.user.id}/logins")) + str(api.done("GET"))
    for secret in (eve.secret, eve.user.password_hash, *eve.recovery_codes):
        assert secret is not None
        assert secret not in text
    assert "hash" not in text


def test_users_are_listed_searched_and_paged(api: Program, eve: Person) -> None:
    assert [one["username"] for one in api.done("GET")["users"]] == ["ada", "eve"]
    assert [one["username"] for one in api.done("GET", "?q=EVE@")["users"]] == ["eve"]
    first = api.done("GET", "?limit=1")
    assert (first["total"], first["complete"], len(first["users"])) == (2, True, 1)
    assert [one["username"] for one in api.done("GET", f"?limit=1&after={first['next']}")["users"]] == ["eve"]
    for wrong in ("?limit=0", "?limit=9999", "?after=x%00", "?x=1", "?q=a&q=b", "?after=" + "A" * 2001):
        assert api.ask("GET", wrong).status_code == 400


def test_of_very_many_users_a_whole_name_is_found_and_the_list_says_that_it_is_not_complete(
    house: House, api: Program, eve: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idp.services.user_list.MOST_READ", 0)
    assert api.done("GET") == {"users": [], "total": 0, "complete": False}
    for exact in ("eve", "eve@example.org", eve.user.id):
        assert [one["id"] for one in api.done("GET", f"?q={exact}")["users"]] == [eve.user.id]


# ---------------------------------------------------------------- changing


def test_what_is_named_is_changed_and_nothing_else(house: House, api: Program, eve: Person) -> None:
    before = api.done("GET", f"/{eve.user.id}")
    given = {"name": "Eve Two", "roles": ["editor"], "groups": ["staff"], "claims": {"nickname": "E"}}
    after = api.done("PATCH", f"/{eve.user.id}", given)
    changed = {**before, **given, "claims": after["claims"], "version": after["version"]}
    assert after == changed
    assert after["claims"]["nickname"] == "E"
    assert "nickname" not in api.done("PATCH", f"/{eve.user.id}", {"claims": {"nickname": None}})["claims"]
    assert api.done("PATCH", f"/{eve.user.id}", {"never_auto_link": True})["never_auto_link"] is True
    assert house.parts.users.get(eve.user.id).never_auto_link


def test_what_was_read_can_be_sent_back(api: Program, eve: Person) -> None:
    read = api.done("GET", f"/{eve.user.id}")
    del read["email"]
    assert api.done("PATCH", f"/{eve.user.id}", read) == {**api.done("GET", f"/{eve.user.id}")}


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("id", "usr_x", "read_only_field"),
        ("username", "root", "read_only_field"),
        ("email_verified", True, "read_only_field"),
        ("password", False, "read_only_field"),
        ("second_factor", False, "read_only_field"),
        ("merged_into", "usr_x", "read_only_field"),
        ("quarantined_at", 1, "read_only_field"),
        ("version", "0", "invalid_request"),
        ("password_hash", "x", "unknown_field"),
        ("totp", None, "unknown_field"),
        ("_id", "x", "unknown_field"),
        ("is_active", True, "unknown_field"),
        ("username_key", "root", "unknown_field"),
        ("roles", ["administrator"], "invalid_role"),
        ("roles", "editor", "invalid_user"),
        ("roles", [5], "invalid_user"),
        ("groups", {"a": 1}, "invalid_user"),
        ("claims", ["x"], "invalid_user"),
        ("claims", {"sub": "x"}, None),
        ("email", None, "invalid_user"),
        ("email", "victim@example.org@evil.example", "invalid_email"),
        ("email", "ada@example.org", "email_taken"),
        ("name", 5, "invalid_user"),
        ("name", "a\u0000b", None),
        ("administrator", "true", "invalid_user"),
        ("disabled", 1, "invalid_user"),
        ("never_auto_link", None, "invalid_user"),
    ],
)
def test_a_field_that_nobody_may_set_or_of_a_wrong_type_changes_nothing(
    house: House, api: Program, eve: Person, field: str, value: Any, code: str | None
) -> None:
    answer = api.ask("PATCH", f"/{eve.user.id}", {"groups": ["x"], field: value})
    assert answer.status_code in (400, 409)
    assert code in (None, answer.json["error"])
    assert house.parts.users.get(eve.user.id) == eve.user


def test_a_change_meant_for_an_older_version_is_refused_and_of_many_at_once_one_is_made(
    house: House, api: Program, eve: Person
) -> None:
    version = eve.user.version
    path, old = f"/{eve.user.id}", {"If-Match": f'"{version + 5}"'}
    assert error(api, "PATCH", path, {"name": "x"}, headers=old) == (409, "changed_meanwhile")
    assert error(api, "DELETE", path, headers=old) == (409, "changed_meanwhile")
    assert error(api, "POST", f"{path}/merge", {"other": "ada"}, headers=old) == (409, "changed_meanwhile")

    def change(n: int) -> int:
        return api.ask("PATCH", path, {"name": f"N{n}"}, headers={"If-Match": f'"{version}"'}).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(change, range(6))) == [200] + [409] * 5


def test_somebody_is_made_an_administrator_and_no_more_but_never_the_last_one(
    house: House, api: Program, ada: Person, eve: Person
) -> None:
    for change in ({"administrator": False}, {"disabled": True}):
        assert error(api, "PATCH", f"/{ada.user.id}", change) == (409, "last_administrator")
    assert error(api, "DELETE", f"/{ada.user.id}") == (409, "last_administrator")
    assert api.done("PATCH", f"/{eve.user.id}", {"administrator": True, "roles": ["editor"]})["administrator"] is True
    assert house.parts.users.get(eve.user.id).roles == ("editor", "administrator")
    assert api.done("PATCH", f"/{ada.user.id}", {"administrator": False})["administrator"] is False
    assert error(api, "PATCH", f"/{eve.user.id}", {"administrator": False}) == (409, "last_administrator")


def test_who_is_disabled_is_signed_out_and_may_be_enabled_again(house: House, api: Program, eve: Person) -> None:
    browser = house.sign_in(eve)
    assert api.done("PATCH", f"/{eve.user.id}", {"disabled": True})["disabled"] is True
    assert not browser.signed_in
    assert api.done("PATCH", f"/{eve.user.id}", {"disabled": False})["disabled"] is False


def test_who_was_put_into_quarantine_is_released_by_enabling(house: House, api: Program, eve: Person) -> None:
    found = house.parts.users.get(eve.user.id)
    house.parts.repo.replace_if(replace(found, disabled=True, quarantined_at=house.clock()))
    assert api.done("GET", f"/{eve.user.id}")["quarantined_at"]
    released = api.done("PATCH", f"/{eve.user.id}", {"disabled": False})
    assert (released["disabled"], released["quarantined_at"]) == (False, None)
    assert house.parts.repo.find(AuditEvent, name="user.released")


def test_a_user_is_added(house: House, api: Program, ada: Person) -> None:
    answer = api.ask("POST", body={"username": "bob", "email": "bob@example.org", "groups": ["staff"]})
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"{USERS}/{answer.json['id']}")
    assert answer.json["email_verified"] is True
    assert error(api, "POST", "", {"username": "BOB"}) == (409, "username_taken")
    for wrong in ({}, {"username": 5}, {"username": "x", "password": "y"}, {"username": "x", "id": "usr_1"}, [], "x"):
        assert api.ask("POST", body=wrong).status_code == 400


# ---------------------------------------------------------------- logins


def test_an_administrator_links_and_unlinks_a_login(house: House, api: Program, eve: Person) -> None:
    house.parts.repo.insert(UpstreamProvider("idp", "oidc", "Corp", 1.0, settings={"issuer": "https://idp.example"}))
    made = api.done("POST", f"/{eve.user.id}/logins", {"provider": "idp", "subject": "s 1"}, status=201)
    assert (made["issuer"], made["subject"]) == ("https://idp.example", "s 1")
    assert error(api, "POST", f"/{eve.user.id}/logins", {"provider": "none", "subject": "x"})[0] == 404
    for wrong in (
        {},
        {"provider": "idp"},
        {"provider": "idp", "subject": 5},
        {"provider": "idp", "subject": "x" * 2000},
    ):
        assert api.ask("POST", f"/{eve.user.id}/logins", wrong).status_code == 400
    reassign = {"provider": "idp", "subject": "x", "user_id": "usr_x"}
    assert error(api, "POST", f"/{eve.user.id}/logins", reassign) == (400, "unknown_field")
    assert api.ask("DELETE", f"/{eve.user.id}/logins?id={made['id']}").status_code == 204
    assert error(api, "DELETE", f"/{eve.user.id}/logins?id={made['id']}") == (404, "unknown_login")


def test_a_login_that_somebody_has_is_not_given_to_another(
    house: House, api: Program, ada: Person, eve: Person
) -> None:
    house.parts.repo.insert(UpstreamProvider("corp", "oidc", "Corp", 1.0, settings={"issuer": "https://corp.example"}))
    taken = {"provider": "corp", "subject": "e1"}
    assert error(api, "POST", f"/{ada.user.id}/logins", taken) == (409, "login_taken")
    hers = house.parts.links.of(eve.user.id)[0]
    assert api.ask("PATCH", f"/{eve.user.id}/logins", {"user_id": ada.user.id}).status_code == 405
    assert error(api, "DELETE", f"/{ada.user.id}/logins?id={hers.id}") == (404, "unknown_login")


# ---------------------------------------------------------------- merge, split, undo


def test_users_are_merged_and_that_is_undone(house: House, api: Program, eve: Person) -> None:
    other = house.person("eve2")
    change = api.done("POST", f"/{eve.user.id}/merge", {"other": "eve2"})
    assert (change["what"], change["other"], change["undoable"]) == ("merged", other.user.id, True)
    assert api.done("GET", f"/{other.user.id}")["merged_into"] == eve.user.id
    assert change["id"] in {one["id"] for one in api.done("GET", f"/{eve.user.id}/changes")["changes"]}
    for _ in range(2):
        undone = api.done("POST", f"/{eve.user.id}/undo", {"change": change["id"]})
        assert undone["undone_at"]
    assert api.done("GET", f"/{other.user.id}")["merged_into"] is None


def test_of_the_same_merge_sent_many_times_at_once_one_is_made(house: House, api: Program, eve: Person) -> None:
    house.person("eve2")
    with ThreadPoolExecutor(6) as pool:
        path = f"/{eve.user.id}/merge"
        statuses = sorted(pool.map(lambda _: api.ask("POST", path, {"other": "eve2"}).status_code, range(6)))
    assert statuses == [200] + [409] * 5
    assert len(house.parts.repo.find(AuditEvent, name="user.merged")) == 1


def test_a_login_is_split_off(house: House, api: Program, eve: Person) -> None:
    login = next(one for one in house.parts.links.of(eve.user.id) if one.subject == "e2")
    change = api.done("POST", f"/{eve.user.id}/split", {"logins": [login.id]})
    assert logins(house, eve) == {"e1"}
    assert api.done("GET", f"/{change['other']}/logins")["logins"][0]["subject"] == "e2"
    for wrong in ({}, {"logins": "x"}, {"logins": [5]}, {"logins": [], "x": 1}):
        assert api.ask("POST", f"/{eve.user.id}/split", wrong).status_code == 400


def test_the_change_of_one_user_is_not_undone_under_the_name_of_another(
    house: House, api: Program, ada: Person, eve: Person
) -> None:
    change = house.parts.changes.of(eve.user.id)[0]
    assert error(api, "POST", f"/{ada.user.id}/undo", {"change": change.id}) == (404, "unknown_change")
    assert error(api, "POST", f"/{eve.user.id}/undo", {"change": "chg_none"}) == (404, "unknown_change")
    assert error(api, "POST", f"/{eve.user.id}/undo", {}) == (400, "invalid_request")


# ---------------------------------------------------------------- removing


def test_whoever_comes_later_under_the_same_name_inherits_nothing(house: House, api: Program, eve: Person) -> None:
    old_browser = house.sign_in(eve)
    house.parts.users.edit(house.parts.users.get(eve.user.id), roles=("editor",), actor="test")
    assert api.ask("DELETE", f"/{eve.user.id}").status_code == 204
    assert api.ask("GET", f"/{eve.user.id}").status_code == 404
    again = house.person("eve", totp=False)
    assert again.user.id != eve.user.id
    assert not old_browser.signed_in
    parts = house.parts
    assert (parts.links.of(again.user.id), parts.changes.of(again.user.id), again.user.roles) == ([], [], ())
    assert not parts.factors.has(again.user.id)
    assert parts.links.of(eve.user.id) == []
    # The login itself is nobody's now.
    parts.links.link(again.user, UpstreamIdentity("corp", "https://corp.example", "e1"), actor="test")


def test_who_was_merged_into_a_removed_user_goes_with_them(house: House, api: Program, eve: Person) -> None:
    other = house.person("eve2")
    house.parts.changes.merge(house.parts.users.get(eve.user.id), other.user, actor="test")
    assert api.ask("DELETE", f"/{eve.user.id}").status_code == 204
    assert house.parts.users.by_login("eve2@example.org") is None


# ---------------------------------------------------------------- invitations


def test_an_invitation_goes_to_no_address_that_nobody_verified(house: House, invitations: Program, eve: Person) -> None:
    """Whoever reads it there would join a login of their own to her account."""
    house.parts.mails._mailer = object()  # there is a mail server
    body = {"user": "eve", "send": True}
    assert not eve.user.email_verified
    assert invitations.done("POST", body=body, status=201)["mailed"] is False

    house.parts.repo.replace_if(replace(eve.user, email_verified=True))
    assert invitations.done("POST", body=body, status=201)["mailed"] is True


def test_an_invitation_shows_its_link_once_and_is_listed_and_withdrawn(house: House, invitations: Program) -> None:
    made = invitations.done("POST", body={"email": "new@example.org", "roles": ["editor"], "days": 3}, status=201)
    assert made["link"].startswith("http://localhost/invitation/")
    assert made["mailed"] is False
    [listed] = invitations.done("GET")["invitations"]
    assert listed == {name: value for name, value in made.items() if name not in ("link", "mailed")}
    assert made["link"].rpartition("/")[2] not in str(house.parts.repo.find(AuditEvent))
    assert invitations.done("GET", f"/{made['id']}")["email"] == "new@example.org"
    assert invitations.ask("DELETE", f"/{made['id']}").status_code == 204
    assert invitations.ask("DELETE", f"/{made['id']}").status_code == 404
    assert house.browser().open(made["link"].removeprefix("http://localhost")).status == 410


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"roles": ["administrator"]}, 400),
        ({"email": "not an address"}, 400),
        ({"email": "ada@example.org"}, 409),
        ({"username": "ada"}, 409),
        ({"days": 0}, 400),
        ({"days": 91}, 400),
        ({"days": "3"}, 400),
        ({"provider": "none"}, 404),
        ({"user": "nobody"}, 404),
        ({"user": "ada", "roles": ["x"]}, 400),
        ({"id": "x"}, 400),
        ({"consumed_at": 1}, 400),
        ({"name": "a\nb" * 200}, 400),
        ([], 400),
    ],
)
def test_an_invitation_that_cannot_be_meant_is_refused(
    house: House, invitations: Program, ada: Person, body: Any, status: int
) -> None:
    assert invitations.ask("POST", body=body).status_code == status
    assert house.parts.invitations.waiting() == []


# ---------------------------------------------------------------- who may


@pytest.mark.parametrize("path", [USERS, INVITATIONS])
def test_without_a_token_or_with_a_cookie_only_nobody_gets_in(
    house: House, browser: Any, path: str, program: Program
) -> None:
    for method in ("GET", "POST"):
        assert house.app.test_client().open(path, method=method, json={}).status_code == 401
        assert browser.client.open(path, method=method, json={}).status_code == 401
        assert browser.client.open(f"{path}/x", method="DELETE").status_code == 401
    stranger = replace(program, token="x" * 40, api=path)
    assert stranger.ask("GET").status_code == 401


def test_a_body_that_is_no_object_or_too_large_is_refused(api: Program, eve: Person) -> None:
    for path in (f"/{eve.user.id}/merge", f"/{eve.user.id}/split", f"/{eve.user.id}/undo", f"/{eve.user.id}/logins"):
        assert api.ask("POST", path, ["x"]).status_code == 400
        assert api.ask("POST", path, data=b"{", headers={"Content-Type": "application/json"}).status_code == 400
        assert api.ask("POST", path, {"x": "y" * 200_000}).status_code == 413
        assert api.ask("PUT", path, {}).status_code == 405
    assert api.ask("GET", "/" + "x" * 3000).status_code in (404, 414)
