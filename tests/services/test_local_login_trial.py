"""Local login off on trial: it ends by itself, on every node, and only a fresh sign-in without a password confirms it."""

from dataclasses import replace
from threading import Barrier, Thread

import pytest

from idp.assemble import build_parts
from idp.base.errors import Refused
from idp.domain.upstream import UpstreamProvider
from tests.support.federated import add_login, audited, by_password, came_in, make_ready
from tests.support.refusing import refused

# ---------------------------------------------------------------- the trial


def test_a_trial_nobody_confirms_ends_by_itself_and_that_is_told_once(services, grace, ada):
    make_ready(services, grace)
    services.turn_local_login.turn_off(actor=grace.id)
    services.clock.advance(599.9)
    assert not services.local_login.allows(ada)
    services.clock.advance(0.1)
    assert services.local_login.allows(ada)
    assert services.local_login.switch().state == "on"
    assert services.local_login.allows(None)
    told = audited(services, "local_login.reverted")
    assert [event.detail["turned_off_by"] for event in told] == [grace.id]


def test_a_trial_ends_by_itself_on_every_node_and_after_a_restart(services, settings, repo, clock, grace, ada):
    make_ready(services, grace)
    other = build_parts(settings, repo=repo, clock=clock)
    assert other.local_login.allows(ada)
    services.turn_local_login.turn_off(actor=grace.id)
    assert not other.local_login.allows(ada)
    clock.advance(600)
    restarted = build_parts(settings, repo=repo, clock=clock)
    assert restarted.local_login.allows(ada)
    assert other.local_login.allows(ada)
    assert services.local_login.allows(ada)
    assert len(audited(services, "local_login.reverted")) == 1


def test_a_clock_set_back_does_not_make_a_trial_longer(services, grace, ada):
    make_ready(services, grace)
    services.turn_local_login.turn_off(actor=grace.id)
    services.clock.advance(-3600)
    assert services.local_login.allows(ada)
    services.clock.advance(3601)
    assert services.local_login.allows(ada)
    assert len(audited(services, "local_login.reverted")) == 1


def test_many_who_notice_the_end_at_once_tell_it_once(services, grace):
    make_ready(services, grace)
    services.turn_local_login.turn_off(actor=grace.id)
    services.clock.advance(601)
    start, seen = Barrier(8), []

    def look():
        start.wait()
        seen.append(services.local_login.switch().state)

    threads = [Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["on"] * 8
    assert len(audited(services, "local_login.reverted")) == 1


def test_two_administrators_who_turn_it_off_at_once_make_one_trial(services, settings, repo, clock, grace):
    make_ready(services, grace)
    nodes = [build_parts(settings, repo=repo, clock=clock) for _ in range(2)]
    start, outcomes = Barrier(2), []

    def turn(node):
        start.wait()
        try:
            outcomes.append(node.turn_local_login.turn_off(actor=grace.id).state)
        except Refused as told:
            outcomes.append(told.code)

    threads = [Thread(target=turn, args=(node,)) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("trial") == 1
    assert {*outcomes} - {"trial"} <= {"changed_meanwhile", "local_login_is_off"}
    assert len(audited(services, "local_login.turned_off")) == 1


def test_what_was_shown_before_somebody_else_changed_it_is_refused(services, grace):
    make_ready(services, grace)
    version = services.local_login.switch().version
    services.turn_local_login.turn_off(actor=grace.id)
    assert refused(services.turn_local_login.turn_on, actor="bob", version=version).code == "changed_meanwhile"
    assert refused(services.turn_local_login.turn_off, actor="bob").code == "local_login_is_off"


# ---------------------------------------------------------------- confirming


@pytest.fixture
def trial(services, grace):
    make_ready(services, grace)
    switch = services.turn_local_login.turn_off(actor=grace.id)
    services.clock.advance(5)
    return switch


def test_confirmed_from_a_fresh_federated_session_it_is_off_for_good(services, grace, ada, trial):
    session, _ = came_in(services, grace)
    assert services.turn_local_login.confirm(session, grace).state == "off"
    services.clock.advance(86_400)
    assert not services.local_login.allows(ada)
    assert [event.actor for event in audited(services, "local_login.confirmed")] == [grace.id]
    assert audited(services, "local_login.reverted") == []


def test_an_administrator_who_came_by_password_cannot_confirm(services, grace, trial):
    session, _ = by_password(services, grace)
    assert refused(services.turn_local_login.confirm, session, grace).code == "confirm_from_upstream"


def test_a_session_from_before_the_switch_cannot_confirm(services, grace):
    make_ready(services, grace)
    session, _ = came_in(services, grace)
    services.turn_local_login.turn_off(actor=grace.id)
    services.clock.advance(5)
    assert refused(services.turn_local_login.confirm, session, grace).code == "confirm_from_upstream"


def test_a_session_whose_second_factor_is_older_than_the_switch_cannot_confirm(services, grace, trial):
    session, _ = came_in(services, grace)
    older = replace(session, factor_at=trial.changed_at - 1)
    assert refused(services.turn_local_login.confirm, older, grace).code == "confirm_from_upstream"


def test_a_session_without_second_factor_cannot_confirm(services, grace, trial):
    session, _ = came_in(services, grace, factor=False)
    assert refused(services.turn_local_login.confirm, session, grace).code == "confirm_from_upstream"


def test_somebody_who_does_not_administer_cannot_confirm(services, grace, ada, trial):
    add_login(services, ada)
    session, _ = came_in(services, ada)
    assert refused(services.turn_local_login.confirm, session, ada).code == "confirm_from_upstream"
    assert refused(services.turn_local_login.confirm, session, grace).code == "confirm_from_upstream"


def test_an_upstream_changed_after_the_sign_in_takes_the_confirmation_away(services, grace, trial):
    session, _ = came_in(services, grace)
    corp = services.repo.get(UpstreamProvider, "corp")
    services.upstreams.change(corp, {"client_id": "another"}, secrets=(), actor="test")
    assert refused(services.turn_local_login.confirm, session, grace).code == "confirm_from_upstream"


def test_too_late_is_too_late(services, grace, ada, trial):
    session, _ = came_in(services, grace)
    services.clock.advance(600)
    assert refused(services.turn_local_login.confirm, session, grace).code == "no_trial"
    assert services.local_login.allows(ada)


def test_confirming_twice_says_that_nothing_waits(services, grace, trial):
    session, _ = came_in(services, grace)
    services.turn_local_login.confirm(session, grace)
    assert refused(services.turn_local_login.confirm, session, grace).code == "no_trial"
    assert len(audited(services, "local_login.confirmed")) == 1
