"""What local login off ends, whom exceptions spare, who would be locked out, and that somebody who administers can come in."""

from dataclasses import replace

import pytest

from idp.assemble import build_parts
from idp.base.errors import Refused
from idp.domain.audit_event import AuditEvent
from idp.domain.grant import Grant
from idp.domain.session import Session
from idp.domain.throttle import Throttle
from idp.domain.upstream import UpstreamProvider
from idp.domain.user import User
from tests.support.counting import Counting
from tests.support.federated import add_login, add_upstream, by_password, came_in, make_ready, turn_off


def grant(services, session, *scopes):
    now = services.clock()
    made = Grant(
        f"grant-{session.sid}-{'-'.join(scopes)}", "wiki", now, now + 9e6, session.user_id, session.sid, scopes=scopes
    )
    services.repo.insert(made)
    return made


def revoked(services, made):
    return services.repo.get(Grant, made.id).revoked_at is not None


# ---------------------------------------------------------------- sessions


def test_sessions_by_password_sleep_through_a_trial_and_wake_when_it_comes_to_nothing(services, grace, ada):
    session, handle = by_password(services, ada)
    hers = grant(services, session, "openid")
    make_ready(services, grace)
    services.turn_local_login.turn_off(actor=grace.id)
    assert services.sessions.load(handle) is None
    assert services.turn_local_login.settle() == 0
    services.clock.advance(600)
    assert services.sessions.load(handle) is not None
    assert not revoked(services, hers)


def test_sessions_by_password_end_with_their_grants_once_it_is_confirmed(services, grace, ada):
    session, handle = by_password(services, ada)
    online, offline = grant(services, session, "openid"), grant(services, session, "offline_access")
    turn_off(services, grace)
    assert services.sessions.load(handle) is None
    assert services.sessions.of(ada.id) == []
    assert revoked(services, online)
    assert revoked(services, offline)
    services.turn_local_login.turn_on(actor=grace.id)
    assert services.sessions.load(handle) is None


def test_sessions_by_an_upstream_go_on(services, grace, ada):
    add_upstream(services)
    add_login(services, ada)
    session, handle = came_in(services, ada)
    hers = grant(services, session, "openid")
    turn_off(services, grace)
    assert services.sessions.load(handle) is not None
    assert not revoked(services, hers)


def test_a_session_left_by_whoever_was_cut_off_does_not_load_and_is_ended_later(
    services, settings, repo, clock, grace, ada
):
    turn_off(services, grace)
    session, handle = by_password(services, ada)  # as a sign-in that was under way leaves it
    assert services.sessions.load(handle) is None
    restarted = build_parts(settings, repo=repo, clock=clock)
    assert restarted.sessions.load(handle) is None
    assert restarted.turn_local_login.settle() == 1
    assert repo.get(Session, session.id) is None


def test_another_node_refuses_sessions_within_a_second(services, settings, repo, clock, grace, ada):
    other = build_parts(settings, repo=repo, clock=clock)
    make_ready(services, grace)
    _, handle = by_password(services, ada)
    assert other.sessions.load(handle) is not None
    services.turn_local_login.turn_off(actor=grace.id)
    clock.advance(1)
    assert other.sessions.load(handle) is None


def test_a_trial_ends_for_sessions_at_once_however_old_what_is_remembered_is(services, grace, ada):
    make_ready(services, grace)
    services.turn_local_login.turn_off(actor=grace.id)
    _, handle = by_password(services, ada)
    services.clock.advance(599.5)
    assert services.sessions.load(handle) is None
    services.clock.advance(0.5)
    assert services.sessions.load(handle) is not None


def test_a_right_password_that_does_not_count_takes_the_way_of_a_wrong_one(settings, repo, clock, services, grace, ada):
    turn_off(services, grace)
    counting = Counting(repo)
    node, ways = build_parts(settings, repo=counting, clock=clock), []
    for word in ("correct horse", "wrong horse"):
        draft = node.sign_in.draft("oidc", "/resume", {})
        attempt = node.sign_in.load(node.sign_in.save(draft), "browser")
        counting.writes.clear()
        with pytest.raises(Refused) as caught:
            node.sign_in.prove_password(attempt, "ada", word, "192.0.2.1")
        told = caught.value
        ways.append((told.code, told.message, told.status, told.headers, told.detail, [*counting.writes]))
        for one in repo.find(Throttle):
            node.throttles.clear(one.id)
    assert ways[0] == ways[1]
    assert ways[0][0] == "wrong_credentials"


# ---------------------------------------------------------------- exceptions


def test_who_is_excepted_keeps_password_and_session(services, grace, ada):
    services.turn_local_login.set_exceptions([ada], [], actor="cli")
    _, handle = by_password(services, ada)
    turn_off(services, grace)
    assert services.local_login.allows(ada)
    assert services.local_login.allows(None)
    assert not services.local_login.allows(grace)
    assert services.sessions.load(handle) is not None


def test_a_role_can_be_excepted(services, grace, ada):
    kiosk = services.users.add("kiosk", email=None, password="correct horse", roles=("kiosk",), actor="test")
    turn_off(services, grace)
    services.turn_local_login.set_exceptions([], ["kiosk"], actor=grace.id)
    assert services.local_login.allows(kiosk)
    assert not services.local_login.allows(ada)
    told = services.repo.find(AuditEvent, name="local_login.exceptions_changed")[0]
    assert (told.detail["before"], told.detail["after"]) == ("", "role:kiosk")


def test_who_is_no_longer_excepted_is_out_at_once(services, grace, ada):
    services.turn_local_login.set_exceptions([ada], [], actor="cli")
    turn_off(services, grace)
    session, handle = by_password(services, ada)
    assert services.sessions.load(handle) is not None
    services.turn_local_login.set_exceptions([], [], actor="cli")
    assert services.sessions.load(handle) is None
    assert services.repo.get(Session, session.id) is None


def test_exceptions_survive_turning_it_off_and_on(services, grace, ada):
    services.turn_local_login.set_exceptions([ada], ["kiosk"], actor="cli")
    turn_off(services, grace)
    switch = services.turn_local_login.turn_on(actor="cli")
    assert (switch.users, switch.roles) == ((ada.id,), ("kiosk",))


def test_a_new_user_of_an_old_name_inherits_no_exception(services, grace, ada):
    services.turn_local_login.set_exceptions([ada], [], actor="cli")
    turn_off(services, grace)
    services.repo.delete(User, ada.id)
    again = services.users.add("ada", email="ada@example.org", password="correct horse", actor="test")
    assert not services.local_login.allows(again)


@pytest.mark.parametrize("role", ["", " ", "x" * 129, "a\x00b"], ids=["empty", "blank", "long", "NUL"])
def test_a_role_that_cannot_be_is_refused(services, role):
    with pytest.raises(Refused, match="invalid_group"):
        services.turn_local_login.set_exceptions([], [role], actor="cli")


def test_there_are_not_more_exceptions_than_anybody_can_read(services):
    with pytest.raises(Refused, match="too_many_exceptions"):
        services.turn_local_login.set_exceptions([], [f"role-{n}" for n in range(201)], actor="cli")


# ---------------------------------------------------------------- who would be locked out


def names(services, **named):
    return [user.username for user in services.local_login.users_locked_out(**named).users]


def test_who_has_a_password_and_nothing_else_would_be_locked_out(services, grace, ada):
    add_upstream(services)
    add_login(services, grace)
    services.users.add("federated-only", email=None, actor="test")
    assert names(services) == ["ada"]


def test_a_login_at_an_upstream_that_is_off_or_link_only_saves_nobody(services, ada):
    add_upstream(services, "off", enabled=False)
    add_upstream(services, "joined", mode="link_only")
    for one in ("off", "joined"):
        add_login(services, ada, one)
    assert names(services) == ["ada"]


def test_who_is_excepted_disabled_or_found_by_a_trusted_address_is_not_locked_out(services, ada):
    add_upstream(services, trusted_domains=("example.org",))
    assert names(services) == []
    services.repo.replace_if(replace(services.users.get(ada.id), never_auto_link=True))
    assert names(services) == ["ada"]
    services.turn_local_login.set_exceptions([ada], [], actor="cli")
    assert names(services) == []
    services.turn_local_login.set_exceptions([], [], actor="cli")
    services.users.set_disabled(services.users.get(ada.id), True, actor="test")
    assert names(services) == []


def test_an_administrator_is_never_found_by_an_address_alone(services, grace):
    services.repo.replace_if(replace(services.users.get(grace.id), email_verified=True))
    add_upstream(services, trusted_domains=("*",))
    assert names(services) == ["grace"]


def test_of_many_users_only_the_first_are_looked_at(services):
    for n in range(5):
        services.users.add(f"user-{n}", email=None, password="correct horse", actor="test")
    found = services.local_login.users_locked_out(limit=3)
    assert (len(found.users), found.looked_at, found.complete) == (3, 3, False)
    assert services.local_login.users_locked_out(limit=5).complete


# ---------------------------------------------------------------- somebody who administers can come in


def kept(services, **besides):
    try:
        services.local_login.keep_a_way_in(**besides)
    except Refused as told:
        return f"{told.status} {told.code}"
    return ""


LAST = "409 last_way_in_for_administrators"


def test_while_passwords_count_nobody_is_the_last(services, grace):
    assert kept(services, besides_user=grace.id) == ""


def test_the_only_administrator_who_can_come_in_cannot_be_taken_away(services, grace):
    services.users.add("other", email=None, administrator=True, password="correct horse", actor="test")
    turn_off(services, grace)
    assert kept(services, besides_user=grace.id) == LAST
    assert kept(services, besides_logins=[services.links.of(grace.id)[0].id]) == LAST
    assert kept(services, besides_provider="corp") == LAST
    assert kept(services) == ""
    assert kept(services, besides_user="somebody else") == ""


def test_on_trial_it_is_the_same(services, grace):
    make_ready(services, grace)
    services.turn_local_login.turn_off(actor=grace.id)
    assert kept(services, besides_user=grace.id) == LAST


def test_another_administrator_who_has_come_in_by_another_upstream_is_enough(services, grace):
    other = services.users.add("other", email=None, administrator=True, actor="test")
    add_upstream(services, "second")
    add_login(services, other, "second")
    turn_off(services, grace)
    assert kept(services, besides_user=grace.id) == LAST  # has a login, but never came in by it
    came_in(services, other, "second")
    assert kept(services, besides_user=grace.id) == ""
    assert kept(services, besides_provider="corp") == ""
    services.repo.replace_if(replace(services.users.get(other.id), disabled=True))
    assert kept(services, besides_user=grace.id) == LAST


def test_an_upstream_that_is_off_does_not_count(services, grace):
    other = services.users.add("other", email=None, administrator=True, actor="test")
    second = add_upstream(services, "second")
    add_login(services, other, "second")
    came_in(services, other, "second")
    turn_off(services, grace)
    services.repo.replace_if(replace(services.repo.get(UpstreamProvider, second.id), enabled=False))
    assert kept(services, besides_user=grace.id) == LAST
