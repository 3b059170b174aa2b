"""Whoever comes in by a login that is taken off, undone or split off stays out: sessions, and sign-ins that were half-way."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from idp.domain.attempt import Step
from idp.domain.grant import Grant
from idp.domain.link_change import Invitation
from idp.domain.local_login import HOLD, AdministratorHold
from idp.ports import StoreUnavailable
from tests.support.federated import add_login, turn_off
from tests.support.federated import came_in as federated_came_in
from tests.upstream.conftest import says

HERS, HIS = says(provider_id="corp", subject="ada"), says(provider_id="other", subject="eve", email="eve@evil.example")


@pytest.fixture
def ada(make_user, links, corp, add_provider):
    """With her own login, and one by which somebody else comes in."""
    add_provider("other")
    ada = make_user("ada")
    for identity in (HERS, HIS):
        links.link(ada, identity, actor="test")
    return ada


@pytest.fixture
def his_login(links, ada):
    return links.find(HIS)


@pytest.fixture
def half_way(services, begin):
    """He has come back from the upstream, and waits."""

    def half_way(identity):
        return services.sign_in.arrive(begin(), identity, services.upstreams.get(identity.provider_id))

    return half_way


@pytest.fixture
def came_in(services, half_way):
    def came_in(identity):
        attempt, handle = services.sign_in.finish(half_way(identity), None, "tests")
        return attempt, handle

    return came_in


def take_off(services, ada, login):
    services.links.unlink(ada, login.id, actor=ada.id, local_login=True)


def undo(services, ada, login):
    change = next(one for one in services.changes.of(ada.id) if one.logins == (login.id,))
    services.changes.undo(change, actor="undo link")


def split(services, ada, login):
    services.changes.split(ada, (login.id,), actor="admin")


@pytest.mark.parametrize("take", [take_off, undo, split])
def test_a_sign_in_that_was_half_way_comes_to_nothing(services, ada, his_login, half_way, refusal, take):
    waiting = half_way(HIS)
    assert services.sign_in.decide(waiting, None).step is Step.DONE

    take(services, ada, his_login)

    assert services.sign_in.decide(waiting, None).step is Step.CHOOSE
    assert refusal(services.sign_in.finish, waiting, None, "tests").code == "wrong_step"
    assert services.sessions.of(ada.id) == []


@pytest.mark.parametrize("take", [take_off, undo, split])
def test_no_session_of_it_goes_on_nor_what_apps_got_in_it(services, repo, clock, ada, his_login, came_in, take):
    attempt, handle = came_in(HIS)
    now = clock()
    repo.insert(Grant("g", "wiki", now, now + 9e6, ada.id, attempt.session_sid, scopes=("offline_access",)))

    take(services, ada, his_login)

    assert services.sessions.load(handle) is None
    assert repo.get(Grant, "g").revoked_at is not None


def test_nobody_stays_in_when_taking_a_login_off_is_cut_off(services, repo, ada, his_login, came_in, monkeypatch):
    _, handle = came_in(HIS)

    def cut_off(kind, id):
        raise StoreUnavailable("gone")

    with monkeypatch.context() as broken:
        broken.setattr(repo, "delete", cut_off)
        with pytest.raises(StoreUnavailable):
            take_off(services, ada, his_login)

    assert services.sessions.load(handle) is None


def test_who_takes_a_login_off_stays_signed_in_by_another_one(services, ada, his_login, came_in):
    _, handle = came_in(HERS)

    take_off(services, ada, his_login)

    assert services.sessions.load(handle) is not None


# ---------------------------------------------------------------- undoing a split


@pytest.fixture
def split_off(services, ada, his_login):
    return services.changes.split(ada, (his_login.id,), actor="admin")


def test_a_split_in_use_is_undone_by_administrators_only(services, split_off, came_in, refusal, links, ada):
    change, made = split_off
    services.clock.advance(1)
    attempt, _ = came_in(HIS)
    assert attempt.proof.user_id == made.id

    undoing = refusal(services.changes.undo, change, actor=ada.id, by_owner=True)
    assert undoing.code == "undo_moved_on"
    assert links.find(HIS).user_id == made.id

    services.changes.undo(change, actor="admin")
    assert links.find(HIS).user_id == ada.id


def test_a_split_that_nobody_has_used_yet_is_undone_by_its_owner(services, split_off, ada, links):
    services.changes.undo(split_off[0], actor=ada.id, by_owner=True)
    assert links.find(HIS).user_id == ada.id


# ---------------------------------------------------------------- one-time things at the same moment


def test_who_comes_too_late_with_an_invitation_leaves_no_address_behind(
    services, repo, clock, make_user, begin, refusal, corp
):
    """By which they would be joined the next time, as the upstream vouches for it."""
    trusting = services.upstreams.change(replace(corp, trusted_domains=("evil.example",)), {}, secrets=(), actor="test")
    grace = make_user("grace", email=None, email_verified=False)
    repo.insert(Invitation("inv", clock(), clock() + 3600, "admin", user_id=grace.id))
    late = services.sign_in.store(replace(begin(), invitation="inv"))
    live = services.invitations.live("inv")
    services.sign_in._joining.invitations.live = lambda _: live  # what was read a moment before the other one took it
    repo.consume(Invitation, "inv")
    eve = says(subject="eve", email="eve@evil.example")

    assert refusal(services.sign_in.arrive, late, eve, trusting).code == "invitation_dead"

    assert services.users.get(grace.id).email is None
    assert services.links.of(grace.id) == []


# ---------------------------------------------------------------- looking changes nothing


def test_looking_at_a_change_keeps_nobody_from_taking_something_away(services, make_user, links, add_provider):
    root, other = (make_user(name, administrator=True) for name in ("root", "other"))
    turn_off(services, root)
    came_in_by_hand(services, other)
    links.link(root, says(provider_id="corp", subject="root-2"), actor="test")
    change = next(one for one in services.changes.of(root.id) if "root-2" in str(one.after))

    with ThreadPoolExecutor(1) as elsewhere:
        assert elsewhere.submit(services.changes.undoable, change).result() is None
        assert services.repo.get(AdministratorHold, HOLD) is None
        elsewhere.submit(services.changes.undo, change, actor=root.id).result()
        assert services.repo.get(AdministratorHold, HOLD) is not None


def came_in_by_hand(services, user):
    add_login(services, user)
    federated_came_in(services, user)


def test_who_lost_the_role_of_administrators_does_not_keep_it_by_coming_at_the_right_moment(
    services, make_user, add_provider, clock, repo, begin, refusal
):
    """While somebody takes something away, nobody knows whether there is another administrator: that is no reason."""
    root = make_user("root", administrator=True)
    turn_off(services, root)
    other = add_provider("other", administrator_groups=("Admins",), may_create="anybody")
    eve = says(provider_id="other", subject="eve", email="eve@evil.example", groups=("Admins",))
    user = services.users.get(services.sign_in.arrive(begin(), eve, other).proof.user_id)
    assert user.is_administrator
    repo.insert(AdministratorHold(HOLD, "another thread", clock() + 5))

    out = replace(eve, groups=())
    assert refusal(services.sign_in.arrive, begin(), out, other).code == "changed_meanwhile"

    clock.advance(6)
    services.sign_in.arrive(begin(), out, other)
    assert not services.users.get(user.id).is_administrator


# ---------------------------------------------------------------- nobody is locked out


@pytest.fixture
def only(services, make_user, links):
    """The only administrator, with a password; local login is off."""
    only = make_user("only", administrator=True)
    turn_off(services, only)
    return only


LAST = "last_way_in_for_administrators"


def test_the_logins_of_the_only_administrator_are_not_split_off_all_at_once(services, only, links, refusal):
    links.link(only, says(subject="second"), actor="test")
    both = tuple(one.id for one in links.of(only.id))

    assert refusal(services.changes.split, only, both, actor="admin").code == LAST
    assert len(links.of(only.id)) == 2
    services.changes.split(only, both[:1], actor="admin")


def test_undoing_a_merge_does_not_take_the_last_way_in_from_the_only_administrator(
    services, make_user, links, add_provider, refusal
):
    add_provider()
    only, spare = make_user("only", administrator=True), make_user("spare")
    login = add_login(services, spare)
    change = services.changes.merge(only, spare, actor="admin")
    turn_off(services, services.users.get(only.id))
    assert [one.id for one in links.of(only.id)] == [login.id]

    assert refusal(services.changes.undo, change, actor="undo link", by_owner=True).code == LAST
    assert services.changes.undoable(change).code == LAST
    assert links.of(only.id)


def test_undoing_a_split_does_not_take_the_last_way_in_from_who_administers_by_it(
    services, make_user, links, refusal, ada, his_login
):
    change, made = services.changes.split(ada, (his_login.id,), actor="admin")
    services.users.make_administrator(made, actor="admin")
    services.users.set_password(made, "correct horse battery", actor="admin")
    services.clock.advance(1)
    services.users.add("spare", email=None, password="correct horse battery", administrator=True, actor="test")
    services.break_glass.shown_to_work("cli", actor="test")
    federated_came_in(services, made, "other")
    services.turn_local_login.turn_off(actor=made.id)
    services.clock.advance(1)
    session, _ = federated_came_in(services, made, "other")
    services.turn_local_login.confirm(session, services.users.get(made.id))

    assert refusal(services.changes.undo, change, actor="admin").code == LAST
    assert links.find(HIS).user_id == made.id


def test_a_merge_that_is_taken_back_leaves_the_other_one_as_they_were(services, ada, make_user, refusal, monkeypatch):
    """Somebody edits the one at the very moment in which the account that was to stay is switched off."""
    gone = make_user("gone")
    real, looked = services.users.get, []

    def get(user_id):
        if user_id == ada.id and not looked:
            looked.append(user_id)
            services.users._change(gone.id, name="Somebody")
            services.users._change(ada.id, disabled=True)
        return real(user_id)

    monkeypatch.setattr(services.users, "get", get)
    assert refusal(services.changes.merge, ada, gone, actor="admin").code == "changed_meanwhile"

    left = real(gone.id)
    assert (left.disabled, left.merged_into) == (False, None)
