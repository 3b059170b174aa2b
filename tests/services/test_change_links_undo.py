"""Owns the claims about undoing merges, splits, links and unlinks: within thirty days, once, and not when the world moved on."""

import threading
from dataclasses import replace

import pytest

from idp.base.errors import Refused
from idp.domain.audit_event import AuditEvent
from idp.domain.upstream import UpstreamIdentity
from idp.domain.user import User


@pytest.fixture
def make(services):
    def make(name: str, *subjects: str, **more) -> User:
        user = services.users.add(name, email=f"{name}@example.org", email_verified=True, actor="test", **more)
        for subject in subjects:
            link(services, user, subject)
        return user

    return make


def link(services, user: User, subject: str) -> None:
    services.links.link(user, UpstreamIdentity("corp", "https://corp.example", subject), actor="test")


def login_of(services, user: User, subject: str):
    return next(one for one in services.links.of(user.id) if one.subject == subject)


def subjects(services, user: User) -> set[str]:
    return {login.subject for login in services.links.of(user.id)}


@pytest.fixture
def fresh(services):
    return lambda user: services.users.get(user.id)


# ---------------------------------------------------------------- each kind of change


def test_a_merge_is_undone_and_both_are_as_before(services, make, fresh):
    ada, other = make("ada", "a1"), make("ada2", "b1", "b2", roles=("editor",))
    change = services.changes.merge(ada, other, actor="root")
    services.changes.undo(change, actor="root")
    assert (subjects(services, ada), subjects(services, other)) == ({"a1"}, {"b1", "b2"})
    again = fresh(other)
    assert (again.disabled, again.merged_into, again.roles, again.id) == (False, None, ("editor",), other.id)


def test_who_was_disabled_before_the_merge_is_disabled_after_undoing_it(services, make, fresh):
    ada, other = make("ada", "a1"), make("ada2", "b1")
    off = services.users.set_disabled(other, True, actor="root")
    services.changes.undo(services.changes.merge(ada, off, actor="root"), actor="root")
    assert (fresh(other).disabled, fresh(other).merged_into) == (True, None)


def test_what_the_logins_gave_the_one_who_stayed_goes_with_them(services, make, fresh):
    ada, other = make("ada", "a1"), make("ada2", "b1")
    change = services.changes.merge(ada, other, actor="root")
    # A sign-in meanwhile gave a role because of the login (idp.domain.mapping).
    login = login_of(services, ada, "b1")
    services.repo.replace_if(replace(login, roles=("editor",)))
    services.users.edit(fresh(ada), roles=("editor", "by-hand"), actor="test")
    services.changes.undo(change, actor="root")
    assert fresh(ada).roles == ("by-hand",)


def test_a_split_is_undone_and_the_new_user_leads_to_the_old_one(services, make, fresh):
    ada = make("ada", "a1", "a2")
    change, made = services.changes.split(ada, (login_of(services, ada, "a2").id,), actor="root")
    services.changes.undo(change, actor="root")
    assert subjects(services, ada) == {"a1", "a2"}
    assert (fresh(made).disabled, fresh(made).merged_into) == (True, ada.id)


def test_a_user_who_was_split_off_and_has_another_login_by_now_stays(services, make, fresh):
    ada = make("ada", "a1", "a2")
    change, made = services.changes.split(ada, (login_of(services, ada, "a2").id,), actor="root")
    link(services, made, "own")
    services.changes.undo(change, actor="root")
    assert (subjects(services, ada), subjects(services, made)) == ({"a1", "a2"}, {"own"})
    assert not fresh(made).disabled


def test_a_link_is_undone_and_every_session_of_its_user_ends(services, make):
    from idp.domain.attempt import Proof

    ada = make("ada", "a1", "a2")
    login = login_of(services, ada, "a2")
    change = services.changes.record("linked", ada, login, actor=ada.id)
    session, _ = services.sessions.establish(Proof(ada.id, services.clock(), ("fed",), None, "corp"), None, "test")
    services.changes.undo(change, actor=ada.id)
    assert subjects(services, ada) == {"a1"}
    assert not services.sessions.by_sid(session.sid)


def test_an_unlinked_login_comes_back_as_it_was(services, make):
    ada = make("ada", "a1", "a2")
    login = login_of(services, ada, "a2")
    change = services.changes.record("unlinked", ada, login, actor=ada.id)
    services.repo.delete(type(login), login.id)
    services.changes.undo(change, actor=ada.id)
    back = login_of(services, ada, "a2")
    assert (back.id, back.issuer, back.linked_at) == (login.id, login.issuer, login.linked_at)


# ---------------------------------------------------------------- once, and in time


def test_undoing_twice_is_as_good_as_once(services, make):
    ada, other = make("ada", "a1"), make("ada2", "b1")
    change = services.changes.merge(ada, other, actor="root")
    first = services.changes.undo(change, actor="root")
    assert services.changes.undo(services.changes.get(change.id), actor="eve").undone_by == "root"
    assert services.changes.undo(change, actor="eve").undone_at == first.undone_at  # by a page that is out of date
    assert len(services.repo.find(AuditEvent, name="login.undone")) == 1


def test_many_who_undo_at_once_undo_once(services, make):
    ada, other = make("ada", "a1"), make("ada2", "b1")
    change = services.changes.merge(ada, other, actor="root")
    start = threading.Barrier(8)

    def undo():
        start.wait()
        services.changes.undo(change, actor="root")

    threads = [threading.Thread(target=undo) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(services.repo.find(AuditEvent, name="login.undone")) == 1
    assert (subjects(services, ada), subjects(services, other)) == ({"a1"}, {"b1"})


def test_after_thirty_days_nothing_is_undone(services, make, clock):
    ada, other = make("ada", "a1"), make("ada2", "b1")
    change = services.changes.merge(ada, other, actor="root")
    clock.advance(30 * 86_400 - 1)
    assert services.changes.get(change.id) == change
    clock.advance(1)
    with pytest.raises(Refused, match="unknown_change"):
        services.changes.get(change.id)


def test_undoing_that_was_cut_off_is_completed_later(services, make, fresh, clock, monkeypatch):
    ada, other = make("ada", "a1"), make("ada2", "b1")
    change = services.changes.merge(ada, other, actor="root")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr(services.changes._moves, "move", killed)
        with pytest.raises(KeyboardInterrupt):
            services.changes.undo(change, actor="root")
    clock.advance(61)
    assert services.changes.settle() == 1
    assert subjects(services, other) == {"b1"}
    assert not fresh(other).disabled


def test_it_is_audited_with_who_had_the_login_before_and_after(services, make):
    ada, other = make("ada", "a1"), make("ada2", "b1")
    change = services.changes.merge(ada, other, actor="root")
    services.changes.undo(change, actor="eve")
    [event] = services.repo.find(AuditEvent, name="login.undone")
    assert (event.actor, event.subject) == ("eve", ada.id)
    assert (event.detail["before"], event.detail["after"], event.detail["what"]) == (ada.id, other.id, "merged")


# ---------------------------------------------------------------- the world has moved on


def refused(services, change) -> str:
    problem = services.changes.undoable(change)
    assert problem is not None
    with pytest.raises(Refused) as caught:
        services.changes.undo(change, actor="root")
    assert services.changes.get(change.id).undone_at is None
    assert caught.value.code == problem.code
    return caught.value.code


def test_a_merge_is_not_undone_when_a_third_user_has_one_of_the_logins(services, make, fresh):
    ada, other, third = make("ada", "a1"), make("ada2", "b1"), make("ada3", "c1")
    change = services.changes.merge(ada, other, actor="root")
    services.repo.replace_if(replace(login_of(services, ada, "b1"), user_id=third.id))
    assert refused(services, change) == "undo_moved_on"
    assert subjects(services, third) == {"c1", "b1"}


def test_of_two_merges_the_newer_one_is_undone_first(services, make, fresh):
    ada, other, third = make("ada", "a1"), make("ada2", "b1"), make("ada3", "c1")
    first = services.changes.merge(ada, other, actor="root")
    second = services.changes.merge(third, fresh(ada), actor="root")
    assert refused(services, first) == "undo_moved_on"
    services.changes.undo(second, actor="root")
    services.changes.undo(first, actor="root")
    assert [subjects(services, one) for one in (ada, other, third)] == [{"a1"}, {"b1"}, {"c1"}]


def test_a_login_that_was_unlinked_since_the_merge_stays_unlinked(services, make):
    ada, other = make("ada", "a1"), make("ada2", "b1", "b2")
    change = services.changes.merge(ada, other, actor="root")
    login = login_of(services, ada, "b1")
    services.repo.delete(type(login), login.id)
    services.changes.undo(change, actor="root")
    assert subjects(services, other) == {"b2"}


def test_an_unlinked_login_that_another_user_has_by_now_stays_theirs(services, make):
    ada, eve = make("ada", "a1", "a2"), make("eve")
    login = login_of(services, ada, "a2")
    change = services.changes.record("unlinked", ada, login, actor=ada.id)
    services.repo.delete(type(login), login.id)
    link(services, eve, "a2")
    assert refused(services, change) == "undo_moved_on"
    assert subjects(services, eve) == {"a2"}


def test_a_link_is_not_undone_when_the_login_is_with_another_user_or_gone(services, make):
    ada, eve = make("ada", "a1", "a2"), make("eve")
    login = login_of(services, ada, "a2")
    change = services.changes.record("linked", ada, login, actor=ada.id)
    moved = services.repo.replace_if(replace(login, user_id=eve.id))
    assert refused(services, change) == "undo_moved_on"
    services.repo.delete(type(moved), moved.id)
    assert refused(services, change) == "undo_moved_on"


def test_nobody_who_is_disabled_gets_a_login_back(services, make):
    ada = make("ada", "a1", "a2")
    login = login_of(services, ada, "a2")
    change = services.changes.record("unlinked", ada, login, actor=ada.id)
    services.repo.delete(type(login), login.id)
    services.users.set_disabled(ada, True, actor="root")
    assert refused(services, change) == "user_disabled"


def test_whoever_was_shut_out_since_a_merge_does_not_come_back_by_undoing_it(services, make, fresh):
    ada, other = make("ada", "a1"), make("ada2", "b1", password="correct horse battery")
    change = services.changes.merge(ada, other, actor="root")
    services.users.set_disabled(fresh(ada), True, actor="root")
    assert refused(services, change) == "user_disabled"
    assert fresh(other).disabled
    with pytest.raises(Refused, match="already_merged"):
        services.users.set_disabled(fresh(other), True, actor="root")
    services.users.set_disabled(fresh(ada), False, actor="root")
    services.changes.undo(change, actor="root")
    assert not fresh(other).disabled


def test_a_login_whose_split_off_user_was_shut_out_does_not_come_back_by_undoing_it(services, make):
    ada = make("ada", "a1", "a2")
    change, made = services.changes.split(ada, (login_of(services, ada, "a2").id,), actor="root")
    services.users.set_disabled(made, True, actor="root")
    assert refused(services, change) == "user_disabled"
    assert subjects(services, ada) == {"a1"}


def test_the_last_way_in_of_the_last_administrator_stays(services, make):
    root = make("root", "r1", administrator=True)
    change = services.changes.record("linked", root, login_of(services, root, "r1"), actor="cli")
    assert refused(services, change) == "last_administrator"


def test_a_change_that_is_under_way_is_not_undone(services, make, monkeypatch):
    ada, other = make("ada", "a1"), make("ada2", "b1")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr(services.changes._moves, "move_all", killed)
        with pytest.raises(KeyboardInterrupt):
            services.changes.merge(ada, other, actor="root")
    [change] = [one for one in services.changes.of(ada.id) if one.what == "merged"]
    assert refused(services, change) == "change_under_way"
