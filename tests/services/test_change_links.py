"""Owns the claims about merging users and splitting logins off. Undoing is in test_change_links_undo."""

import threading
from dataclasses import replace

import pytest

from idp.base.claims import ADMINISTRATOR
from idp.base.errors import Refused
from idp.domain.audit_event import AuditEvent
from idp.domain.link_change import LinkChange
from idp.domain.session import Session
from idp.domain.upstream import FederatedLogin, UpstreamIdentity
from idp.domain.user import User


@pytest.fixture
def make(services):
    def make(name: str, *subjects: str, **more) -> User:
        user = services.users.add(name, email=f"{name}@example.org", email_verified=True, actor="test", **more)
        for subject in subjects:
            services.links.link(user, UpstreamIdentity("corp", "https://corp.example", subject), actor="test")
        return user

    return make


@pytest.fixture
def fresh(services):
    return lambda user: services.users.get(user.id)


def subjects(services, user: User) -> set[str]:
    return {login.subject for login in services.links.of(user.id)}


def events(services, name: str) -> list[AuditEvent]:
    return services.repo.find(AuditEvent, name=name)


def sign_in(services, user: User, provider: str | None = None) -> Session:
    from idp.domain.attempt import Proof

    return services.sessions.establish(Proof(user.id, services.clock(), ("fed",), None, provider), None, "test")[0]


def changes(services, user: User, what: str) -> list[LinkChange]:
    return [one for one in services.changes.of(user.id) if one.what == what]


# ---------------------------------------------------------------- merge


def test_a_merge_moves_every_login_and_the_sub_of_who_stays_stays(services, make, fresh):
    ada, other = make("ada", "a1"), make("ada2", "b1", "b2")
    change = services.changes.merge(ada, other, actor="root")
    assert subjects(services, ada) == {"a1", "b1", "b2"}
    assert subjects(services, other) == set()
    assert fresh(ada).id == ada.id
    assert (fresh(other).disabled, fresh(other).merged_into) == (True, ada.id)
    assert services.users.remaining(fresh(other)).id == ada.id
    assert (change.what, change.user_id, change.other_id, change.pending) == ("merged", ada.id, other.id, None)


def test_roles_groups_claims_and_address_of_who_goes_are_not_taken_over(services, make, fresh):
    ada = make("ada", "a1")
    other = make("ada2", "b1", roles=("editor",), groups=("staff",), claims={"nickname": "X"})
    services.changes.merge(ada, other, actor="root")
    assert (fresh(ada).roles, fresh(ada).groups, dict(fresh(ada).claims)) == ((), (), {})
    assert fresh(ada).email == "ada@example.org"


def test_sessions_of_who_goes_end_and_those_of_who_stays_go_on(services, make):
    ada, other = make("ada", "a1"), make("ada2", "b1")
    stays, goes = sign_in(services, ada), sign_in(services, other)
    services.changes.merge(ada, other, actor="root")
    assert services.sessions.by_sid(stays.sid)
    assert not services.sessions.by_sid(goes.sid)


def test_a_merge_is_audited_for_both_with_before_and_after(services, make):
    ada, other = make("ada", "a1"), make("ada2", "b1")
    change = services.changes.merge(ada, other, actor="root")
    [merged], [gone] = events(services, "login.merged"), events(services, "user.merged")
    assert (merged.actor, merged.subject, gone.subject) == ("root", ada.id, other.id)
    expected = {"before": other.id, "after": ada.id, "change": change.id, "logins": change.logins[0]}
    assert dict(merged.detail) == dict(gone.detail) == expected


def test_a_merge_is_refused_of_one_with_itself_and_of_one_that_is_merged_or_would_stay_disabled(services, make, fresh):
    ada, other, third = make("ada", "a1"), make("ada2", "b1"), make("ada3")
    with pytest.raises(Refused, match="same_user"):
        services.changes.merge(ada, ada, actor="root")
    services.changes.merge(ada, other, actor="root")
    for kept, gone in ((fresh(other), third), (third, fresh(other))):
        with pytest.raises(Refused, match="already_merged"):
            services.changes.merge(kept, gone, actor="root")
    off = services.users.set_disabled(third, True, actor="root")
    with pytest.raises(Refused, match="kept_disabled"):
        services.changes.merge(off, fresh(ada), actor="root")
    services.changes.merge(
        fresh(ada), off, actor="root"
    )  # of one that is disabled there is something to move all the same


def test_the_last_administrator_is_not_merged_away(services, make):
    ada, root = make("ada", "a1"), make("root", administrator=True)
    with pytest.raises(Refused, match="last_administrator"):
        services.changes.merge(ada, root, actor="root")
    make("root2", administrator=True)
    services.changes.merge(ada, root, actor="root")
    assert ADMINISTRATOR not in services.users.get(ada.id).roles


def test_somebody_who_changed_meanwhile_is_not_merged(services, make, fresh):
    ada, other = make("ada", "a1"), make("ada2", "b1")
    services.users.edit(other, groups=("x",), actor="test")
    with pytest.raises(Refused, match="changed_meanwhile"):
        services.changes.merge(ada, other, actor="root")
    assert not fresh(other).disabled
    assert changes(services, ada, "merged") == []


def test_merges_in_both_directions_at_once_leave_one_of_the_two(services, make, fresh):
    for turn in range(8):
        one, two = make(f"one{turn}", f"o{turn}"), make(f"two{turn}", f"t{turn}")
        start, refused = threading.Barrier(2), []

        def merge(kept, gone, start=start, refused=refused):
            start.wait()
            try:
                services.changes.merge(kept, gone, actor="root")
            except Refused as error:
                refused.append(error.code)

        threads = [threading.Thread(target=merge, args=pair) for pair in ((one, two), (two, one))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        alive = [user for user in (fresh(one), fresh(two)) if not user.disabled]
        assert alive, "both were disabled"
        assert refused
        found = subjects(services, one) | subjects(services, two)
        assert found == {f"o{turn}", f"t{turn}"}
        if len(alive) == 1:
            assert subjects(services, alive[0]) == found


def test_a_merge_that_was_cut_off_is_completed_later(services, make, fresh, clock, monkeypatch):
    ada, other = make("ada", "a1"), make("ada2", "b1", "b2")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr(services.changes._moves, "move_all", killed)
        with pytest.raises(KeyboardInterrupt):
            services.changes.merge(ada, other, actor="root")
    assert subjects(services, ada) == {"a1"}
    assert fresh(other).disabled  # nobody comes in by its logins meanwhile
    assert services.changes.settle() == 0  # it may still be under way
    clock.advance(61)
    assert services.changes.settle() == 1
    assert subjects(services, ada) == {"a1", "b1", "b2"}
    [change] = changes(services, ada, "merged")
    assert change.pending is None
    assert services.changes.settle() == 0


def test_a_merge_that_was_cut_off_before_anything_happened_is_forgotten(services, make, fresh, clock, monkeypatch):
    ada, other = make("ada", "a1"), make("ada2", "b1")

    def killed(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr(type(services.repo), "replace_if", lambda *_: killed(_))
        with pytest.raises(KeyboardInterrupt):
            services.changes.merge(ada, other, actor="root")
    clock.advance(61)
    services.changes.settle()
    assert changes(services, ada, "merged") == []
    assert not fresh(other).disabled


# ---------------------------------------------------------------- split


def test_a_split_login_gets_a_user_of_its_own_without_address_roles_or_password(services, make, fresh):
    ada = make("ada", "a1", "a2", roles=("editor",))
    login = next(one for one in services.links.of(ada.id) if one.subject == "a2")
    change, made = services.changes.split(ada, (login.id,), actor="root")
    assert (subjects(services, ada), subjects(services, made)) == ({"a1"}, {"a2"})
    assert made.id != ada.id
    assert (made.email, made.roles, made.password_hash, made.disabled) == (None, (), None, False)
    [event] = events(services, "login.split")
    assert (event.detail["before"], event.detail["after"], event.actor) == (ada.id, made.id, "root")
    assert (change.what, change.other_id, change.pending) == ("split", made.id, None)


def test_whoever_came_in_by_the_login_that_is_split_off_does_not_stay_in(services, make):
    ada = make("ada", "a1", "a2")
    session = sign_in(services, ada, "corp")
    services.changes.split(ada, (services.links.of(ada.id)[0].id,), actor="root")
    assert not services.sessions.by_sid(session.sid)


def test_what_the_split_login_gave_is_taken_away_and_the_rest_stays(services, make, fresh):
    ada = make("ada", "a1", "a2", roles=("editor", "by-hand"), groups=("staff",))
    login = services.links.of(ada.id)[0]
    given = services.repo.replace_if(replace(login, roles=("editor",), groups=("staff",)))
    services.changes.split(ada, (given.id,), actor="root")
    assert (fresh(ada).roles, fresh(ada).groups) == (("by-hand",), ())


def test_the_last_administrator_stays_one_although_the_login_that_made_them_one_goes(services, make, fresh):
    root = make("root", "r1", "r2", administrator=True)
    login = services.links.of(root.id)[0]
    services.repo.replace_if(replace(login, roles=(ADMINISTRATOR,)))
    services.changes.split(root, (login.id,), actor="root")
    assert fresh(root).is_administrator


def test_a_split_leaves_something_to_sign_in_with(services, make):
    ada, with_password = make("ada", "a1"), make("bob", "b1", password="correct horse battery")
    with pytest.raises(Refused, match="last_way_in"):
        services.changes.split(ada, (services.links.of(ada.id)[0].id,), actor="root")
    services.changes.split(with_password, (services.links.of(with_password.id)[0].id,), actor="root")


def test_nobody_splits_off_the_login_of_another_user(services, make):
    ada, eve = make("ada", "a1", "a2"), make("eve", "e1", "e2")
    hers = services.links.of(ada.id)[0]
    for wrong in ((hers.id,), (services.links.of(eve.id)[0].id, hers.id), ("fed_none",), ()):
        with pytest.raises(Refused, match="unknown_login"):
            services.changes.split(eve, wrong, actor="root")
    assert subjects(services, eve) == {"e1", "e2"}


def test_a_split_that_was_cut_off_is_completed_later(services, make, clock, monkeypatch):
    ada = make("ada", "a1", "a2")
    login = next(one for one in services.links.of(ada.id) if one.subject == "a2")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr(services.changes._moves, "move", killed)
        with pytest.raises(KeyboardInterrupt):
            services.changes.split(ada, (login.id,), actor="root")
    clock.advance(61)
    assert services.changes.settle() == 1
    assert subjects(services, ada) == {"a1"}
    assert services.repo.get(FederatedLogin, login.id).user_id == changes(services, ada, "split")[0].other_id


# ---------------------------------------------------------------- one login


def test_a_login_that_was_linked_or_unlinked_is_kept_for_thirty_days(services, make, clock):
    ada = make("ada", "a1")
    login = services.links.of(ada.id)[0]
    clock.advance(10)
    services.changes.record("linked", ada, login, actor=ada.id, why="trusted_address")
    clock.advance(10)
    services.changes.record("unlinked", ada, login, actor=ada.id)
    newest, older, *_ = services.changes.of(ada.id)
    assert (newest.what, older.what, older.after["why"]) == ("unlinked", "linked", "trusted_address")
    assert newest.logins == older.logins == (login.id,)
    clock.advance(30 * 86_400)
    assert services.changes.of(ada.id) == []


def test_a_change_shows_nothing_of_its_contents_in_a_repr(services, make):
    ada = make("ada", "a1")
    change = services.changes.record("linked", ada, services.links.of(ada.id)[0], actor=ada.id)
    assert "a1" not in repr(change)
    assert services.repo.get(LinkChange, change.id) == change
