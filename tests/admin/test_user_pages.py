"""Owns the claims about the pages of users and invitations: who may, what they show, what their forms do.

What merging and splitting do to records is in tests/services/test_change_links, the JSON API in test_user_json.
"""

import pytest

from idp.domain.audit_event import AuditEvent
from idp.domain.upstream import UpstreamIdentity, UpstreamProvider
from tests.web.house import Browser, House, Person


@pytest.fixture
def eve(house: House, ada: Person) -> Person:
    person = house.person("eve")
    house.parts.repo.insert(UpstreamProvider("corp", "oidc", "Corp", 1.0, settings={"issuer": "https://corp.example"}))
    for subject in ("e1", "e2"):
        identity = UpstreamIdentity("corp", "https://corp.example", subject)
        house.parts.links.link(person.user, identity, actor="test")
    person.user = house.parts.users.get(person.user.id)
    return person


def path(person: Person, page: str = "") -> str:
    return f"/admin/users/{person.user.id}{page and '/'}{page}"


def logins(house: House, person: Person) -> set[str]:
    return {one.subject for one in house.parts.links.of(person.user.id)}


def fresh(house: House, person: Person):
    return house.parts.users.get(person.user.id)


# ---------------------------------------------------------------- looking


def test_people_are_listed_and_found(house: House, browser: Browser, eve: Person) -> None:
    page = browser.open("/admin/users")
    assert "eve@example.org" in page.text
    assert "administrator" in page.text
    assert "ada@" not in browser.open("/admin/users?q=eve").text
    assert (
        "Nothing" in browser.open("/admin/users?q=nobody-has-this").text
        or browser.open("/admin/users?q=zzz").status == 200
    )
    assert browser.open("/admin/users?after=%00x").status == 400


def test_the_page_of_a_user_shows_logins_changes_and_no_secret(house: House, browser: Browser, eve: Person) -> None:
    page = browser.open(path(eve))
    assert "e1" in page.text
    assert "https://corp.example" in page.text
    assert "Corp was linked" in page.text
    for secret in (eve.secret, eve.user.password_hash, *eve.recovery_codes):
        assert secret not in page.html


def test_what_others_wrote_is_text_on_these_pages(house: House, browser: Browser, ada: Person) -> None:
    bad = "<script>alert(1)</script>\"'{{7*7}}"
    user = house.parts.users.add("mal", email=None, name=bad, groups=("<b>g</b>",), actor="test")
    identity = UpstreamIdentity("corp", "https://corp.example/<i>", "<u>s</u>", name=bad)
    house.parts.links.link(user, identity, actor="test")
    for page in ("", "/edit", "/split", "/merge?other=ada", "/link", "/remove"):
        html = browser.open(f"/admin/users/{user.id}{page}").html
        for tag in ("<script>alert", "<b>g", "<u>s", "/<i>"):
            assert tag not in html, (page, tag)


# ---------------------------------------------------------------- who may

PAGES = ("", "edit", "merge", "split", "link", "remove")


@pytest.mark.parametrize("page", PAGES)
def test_only_administrators_see_these_pages(house: House, eve: Person, page: str) -> None:
    assert house.sign_in(eve).open(path(eve, page)).status == 403
    assert house.browser().open(path(eve, page)).path.startswith("/flow/")


@pytest.mark.parametrize("action", ["state", "unlink", "undo", "edit", "merge", "split", "link", "remove"])
def test_a_form_is_taken_only_from_our_page_and_a_recent_administrator(
    house: House, browser: Browser, eve: Person, action: str
) -> None:
    fields = {"act": "disable", "login": "x", "name": "eve", "version": "0", "provider": "corp", "subject": "s"}
    assert browser.post(path(eve, action), fields).status == 403
    assert browser.post_blindly(path(eve, action).replace(eve.user.id, "usr_none"), **fields).status in (404, 400)
    assert house.sign_in(eve).post_blindly(path(eve, action), **fields).status == 403
    house.clock.advance(3600)
    assert browser.post_blindly(path(eve, action), **fields).path.startswith("/flow/")
    assert (fresh(house, eve).disabled, logins(house, eve)) == (False, {"e1", "e2"})


@pytest.mark.parametrize("address", ["usr_none", "x" * 2000, "usr_%00", "../clients", "%F0%9F%98%80"])
def test_a_user_who_is_not_there_is_not_found(browser: Browser, address: str) -> None:
    assert browser.open(f"/admin/users/{address}").status in (404, 414, 200)
    assert browser.open("/admin/users/usr_" + "0" * 32).status == 404


# ---------------------------------------------------------------- switches


def test_the_switches_do_what_they_say_and_back(house: House, browser: Browser, eve: Person) -> None:
    def press(act: str) -> None:
        assert "Saved" in browser.post_blindly(path(eve, "state"), act=act).text

    press("never")
    assert fresh(house, eve).never_auto_link
    press("may")
    press("promote")
    assert fresh(house, eve).is_administrator
    press("demote")
    press("disable")
    assert fresh(house, eve).disabled
    assert "switched off" in browser.open(path(eve)).text
    press("enable")
    assert (fresh(house, eve).disabled, fresh(house, eve).is_administrator) == (False, False)
    assert browser.post_blindly(path(eve, "state"), act="own").status == 400
    assert browser.post_blindly(path(eve, "state")).status == 400


def test_the_last_administrator_stays_one(house: House, browser: Browser, ada: Person) -> None:
    for act in ("disable", "demote"):
        page = browser.post_blindly(path(ada, "state"), act=act)
        assert page.status == 409
        assert "last administrator" in page.text
    assert browser.open(path(ada, "remove")).submit("/remove", name="ada").status == 409
    assert fresh(house, ada).is_administrator


def test_a_login_is_taken_off_and_the_change_undone_on_the_page(house: House, browser: Browser, eve: Person) -> None:
    login = next(one for one in house.parts.links.of(eve.user.id) if one.subject == "e2")
    assert "Saved" in browser.post_blindly(path(eve, "unlink"), login=login.id).text
    assert logins(house, eve) == {"e1"}
    change = next(one for one in house.parts.changes.of(eve.user.id) if one.what == "unlinked")
    assert browser.post_blindly(path(eve, "undo"), change="chg_none").status == 404
    assert "Saved" in browser.post_blindly(path(eve, "undo"), change=change.id).text
    assert logins(house, eve) == {"e1", "e2"}


def test_the_change_of_one_user_is_not_undone_on_the_page_of_another(
    house: House, browser: Browser, ada: Person, eve: Person
) -> None:
    change = house.parts.changes.of(eve.user.id)[0]
    assert browser.post_blindly(path(ada, "undo"), change=change.id).status == 404
    assert browser.post_blindly(path(ada, "unlink"), login=change.logins[0]).status == 404
    assert logins(house, eve) == {"e1", "e2"}


# ---------------------------------------------------------------- forms


def test_somebody_is_added_changed_and_removed(house: House, browser: Browser, ada: Person) -> None:
    page = browser.open("/admin/users/new")
    made = page.submit("/new", username="bob", email="bob@example.org", groups="staff\nall people")
    assert "Saved" in made.text
    bob = house.parts.users.by_login("bob")
    assert (bob.groups, bob.email_verified, bob.password_hash) == (("staff", "all people"), True, None)
    assert browser.open("/admin/users/new").submit("/new", username="bob", email="b@example.org").status == 409

    edit = browser.open(f"/admin/users/{bob.id}/edit")
    edit.submit("/edit", name="Bob B", roles="editor", claims='nickname = B\nlevel = ["a", "b"]\nnumber = 007')
    bob = house.parts.users.by_login("bob")
    assert (bob.name, bob.roles) == ("Bob B", ("editor",))
    assert {name: bob.claims[name] for name in ("nickname", "level", "number")} == {
        "nickname": "B",
        "level": ["a", "b"],
        "number": "007",
    }
    browser.open(f"/admin/users/{bob.id}/edit").submit("/edit", claims="nickname = B")
    assert set(house.parts.users.by_login("bob").claims) == {"nickname", "updated_at"}
    assert edit.submit("/edit", name="Too late").status == 409
    for wrong in ({"claims": "no equals"}, {"claims": "sub = x"}, {"roles": "administrator"}, {"email": "x"}):
        assert browser.open(f"/admin/users/{bob.id}/edit").submit("/edit", **wrong).status == 400

    remove = browser.open(f"/admin/users/{bob.id}/remove")
    assert remove.submit("/remove", name="bo").status == 400
    assert "is removed" in remove.submit("/remove", name="bob").text
    assert house.parts.users.by_login("bob") is None
    assert remove.submit("/remove", name="bob").status == 404


def test_an_unchanged_address_does_not_become_verified_by_saving(house: House, browser: Browser, eve: Person) -> None:
    assert not eve.user.email_verified
    browser.open(path(eve, "edit")).submit("/edit", name="E")
    assert not fresh(house, eve).email_verified


def test_a_login_is_linked_by_hand(house: House, browser: Browser, ada: Person, eve: Person) -> None:
    assert "Saved" in browser.open(path(eve, "link")).submit("/link", provider="corp", subject="e3").text
    assert logins(house, eve) == {"e1", "e2", "e3"}
    assert browser.open(path(ada, "link")).submit("/link", provider="corp", subject="e3").status == 409
    assert browser.open(path(ada, "link")).submit("/link", provider="none", subject="x").status == 404


def test_two_users_are_merged_after_typing_the_name_of_who_goes(house: House, browser: Browser, eve: Person) -> None:
    other = house.person("eve2")
    page = browser.open(path(eve, "merge"))
    assert browser.open(path(eve, "merge") + "?other=nobody").status == 404
    assert browser.open(path(eve, "merge") + "?other=eve").status == 409
    assert page.form("/merge").action.endswith("/merge")
    shown = browser.open(path(eve, "merge") + "?other=eve2@example.org")
    assert "eve2 will be joined to eve" in shown.text
    assert shown.submit("/merge", name="eve").status == 400
    assert not fresh(house, other).disabled
    assert "Saved" in shown.submit("/merge", name="eve2").text
    assert fresh(house, other).merged_into == eve.user.id
    assert "joined to eve" in browser.open(path(other)).text
    assert shown.submit("/merge", name="eve2").status == 409  # sent twice


def test_logins_are_split_off(house: House, browser: Browser, eve: Person) -> None:
    login = next(one for one in house.parts.links.of(eve.user.id) if one.subject == "e2")
    assert browser.open(path(eve, "split")).submit("/split").status == 400
    assert browser.post_blindly(path(eve, "split"), login="fed_none").status == 404
    assert "Saved" in browser.post_blindly(path(eve, "split"), login=login.id).text
    assert logins(house, eve) == {"e1"}
    [event] = house.parts.repo.find(AuditEvent, name="login.split")
    assert event.actor != "test"


# ---------------------------------------------------------------- invitations


def test_somebody_is_invited_and_the_invitation_withdrawn(house: House, browser: Browser, ada: Person) -> None:
    made = browser.open("/admin/invitations").submit("/invitations", email="new@example.org")
    link = made.html.split('data-text="')[1].split('"')[0]
    assert house.browser().open(link.removeprefix("http://localhost")).status == 200
    page = browser.open("/admin/invitations")
    assert "new@example.org" in page.text
    assert link.rpartition("/")[2] not in page.html
    page.submit("/withdraw")
    assert house.browser().open(link.removeprefix("http://localhost")).status == 410
    assert browser.open("/admin/invitations").submit("/invitations", email="ada@example.org").status == 409


def test_an_invitation_of_somebody_who_is_here(house: House, browser: Browser, eve: Person) -> None:
    page = browser.open("/admin/invitations?user=eve")
    page.submit("/invitations")
    [made] = house.parts.invitations.waiting()
    assert (made.user_id, made.email) == (eve.user.id, None)
    assert browser.post_blindly("/admin/invitations", user="nobody").status == 404


def test_invitations_are_for_administrators_and_their_forms(house: House, browser: Browser, eve: Person) -> None:
    assert house.sign_in(eve).open("/admin/invitations").status == 403
    for where in ("/admin/invitations", "/admin/invitations/withdraw"):
        assert browser.post(where, {"email": "x@example.org"}).status == 403
        assert house.sign_in(eve).post_blindly(where, email="x@example.org", invitation="x").status == 403
    assert house.parts.invitations.waiting() == []
