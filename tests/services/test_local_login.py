"""Turning local login off: what it asks for first, turning it on again, and the setting of the same name.

The trial and its confirmation are in test_local_login_trial.
"""

from dataclasses import replace

import pytest

from idp.assemble import build_parts
from idp.domain.local_login import SWITCH, LocalLoginSwitch
from idp.domain.upstream import UpstreamProvider
from tests.support.federated import add_login, add_upstream, audited, by_password, came_in, make_ready, turn_off
from tests.support.refusing import refused


def missing(services, **named):
    return refused(services.turn_local_login.turn_off, actor="grace", **named).detail["missing"]


# ---------------------------------------------------------------- what it asks for


def test_a_new_installation_lets_everybody_in_by_password(services, ada):
    assert services.local_login.allows(ada)
    assert services.local_login.allows(None)
    assert services.local_login.switch().state == "on"


def test_nothing_shown_yet_is_refused_with_everything_that_is_missing(services):
    assert missing(services) == ["federated_proof", "way_user", "way_proof"]
    assert services.local_login.switch().state == "on"
    assert audited(services, "local_login.turned_off") == []


def test_all_shown_it_is_off_on_trial(services, grace, ada):
    make_ready(services, grace)
    switch = services.turn_local_login.turn_off(actor=grace.id)
    assert (switch.state, switch.reverts_at) == ("trial", services.clock() + 600)
    assert not services.local_login.allows(ada)
    assert not services.local_login.allows(grace)
    assert not services.local_login.allows(None)
    assert [event.actor for event in audited(services, "local_login.turned_off")] == [grace.id]


def test_a_sign_in_without_second_factor_shows_nothing(services, grace):
    add_upstream(services)
    add_login(services, grace)
    came_in(services, grace, factor=False)
    services.break_glass.shown_to_work("cli", actor="test")
    assert missing(services) == ["federated_proof"]


def test_a_sign_in_of_somebody_who_does_not_administer_shows_nothing(services, grace, ada):
    make_ready(services, grace)
    services.clock.advance(901)
    add_login(services, ada)
    came_in(services, ada)
    assert missing(services) == ["federated_proof"]


def test_a_sign_in_by_password_shows_nothing(services, grace):
    add_upstream(services)
    add_login(services, grace)
    services.break_glass.shown_to_work("cli", actor="test")
    session, _ = by_password(services, grace)
    services.local_login.saw(session, began_at=services.clock())
    assert missing(services) == ["federated_proof"]


def test_a_sign_in_counts_for_fifteen_minutes(services, grace):
    make_ready(services, grace)
    services.clock.advance(901)
    assert missing(services) == ["federated_proof"]
    came_in(services, grace)
    services.clock.advance(900)
    assert services.turn_local_login.turn_off(actor=grace.id).state == "trial"


def test_a_sign_in_from_the_future_does_not_count(services, grace):
    """The clock was set back."""
    services.clock.advance(3600)
    make_ready(services, grace)
    services.clock.advance(-3600)
    assert "federated_proof" in missing(services)


CHANGES = {
    "settings": {"settings": {"issuer": "https://other.example", "client_id": "sheaf"}},
    "kind of people": {"may_create": "nobody"},
    "off": {"enabled": False},
    "link-only": {"mode": "link_only"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_configuration_that_changed_since_must_be_shown_anew(services, grace, change):
    make_ready(services, grace)
    corp = services.repo.get(UpstreamProvider, "corp")
    services.repo.replace_if(replace(corp, **CHANGES[change]))
    assert missing(services) == ["federated_proof"]


def test_another_label_is_no_other_configuration(services, grace):
    make_ready(services, grace)
    corp = services.repo.get(UpstreamProvider, "corp")
    services.upstreams.change(replace(corp, label="Our login"), {}, secrets=(), actor="test")
    assert services.turn_local_login.turn_off(actor=grace.id).state == "trial"


def test_who_left_by_another_configuration_than_they_came_back_to_has_shown_nothing(services, grace):
    add_upstream(services)
    add_login(services, grace)
    services.break_glass.shown_to_work("cli", actor="test")
    began = services.clock()
    services.clock.advance(5)
    corp = services.repo.get(UpstreamProvider, "corp")
    services.upstreams.change(corp, {"authorize": "https://corp.example/broken"}, secrets=(), actor="test")
    services.clock.advance(5)
    came_in(services, grace, began_at=began)
    assert missing(services) == ["federated_proof"]
    came_in(services, grace)
    assert services.turn_local_login.turn_off(actor=grace.id).state == "trial"


@pytest.mark.parametrize("lost", ["role", "account", "login", "upstream"])
def test_whoever_could_not_come_in_today_has_shown_nothing(services, grace, ada, lost):
    make_ready(services, grace)
    spare = services.users.add("spare", email=None, password="correct horse", administrator=True, actor="test")
    assert spare.is_administrator
    if lost == "role":
        services.repo.replace_if(replace(services.users.get(grace.id), roles=()))
    elif lost == "account":
        services.repo.replace_if(replace(services.users.get(grace.id), disabled=True))
    elif lost == "login":
        services.links.unlink(grace, services.links.of(grace.id)[0].id, actor="test", local_login=True)
    else:
        services.remove_upstream.remove("corp", actor="test")
    assert missing(services) == ["federated_proof"]


def test_break_glass_is_of_no_use_when_no_administrator_has_a_password(services):
    boss = services.users.add("boss", email=None, administrator=True, actor="test")
    make_ready(services, boss)
    assert missing(services) == ["way_user"]


def test_whoever_has_the_shell_has_shown_the_way_by_the_shell(services, grace):
    add_upstream(services)
    add_login(services, grace)
    came_in(services, grace)
    assert missing(services) == ["way_proof"]
    assert services.turn_local_login.turn_off(actor="cli", on_shell=True).state == "trial"
    assert services.break_glass.proof().id == "cli"


# ---------------------------------------------------------------- on again


def test_it_can_always_be_turned_on_again(services, grace, ada):
    make_ready(services, grace)
    services.turn_local_login.turn_off(actor=grace.id)
    assert services.turn_local_login.turn_on(actor=grace.id).state == "on"
    assert services.local_login.allows(ada)
    turn_off(services, grace)
    assert services.turn_local_login.turn_on(actor="cli").state == "on"
    assert [event.detail["before"] for event in audited(services, "local_login.turned_on")] == ["trial", "off"]


def test_turning_on_what_is_on_changes_nothing(services):
    assert services.turn_local_login.turn_on(actor="cli").state == "on"
    assert services.repo.get(LocalLoginSwitch, SWITCH) is None
    assert audited(services, "local_login.turned_on") == []


# ---------------------------------------------------------------- the setting


@pytest.fixture
def wishing(settings, repo, clock):
    return build_parts(settings.model_copy(update={"local_login": False}), repo=repo, clock=clock)


def test_a_configuration_that_says_off_locks_nobody_out_until_it_is_shown_and_confirmed(wishing, grace, ada):
    assert wishing.local_login.allows(ada)
    assert wishing.local_login.wish_unmet
    turn_off(wishing, grace)
    assert not wishing.local_login.allows(ada)
    assert not wishing.local_login.wish_unmet


def test_a_configuration_that_says_nothing_does_not_turn_it_on_again(services, settings, repo, clock, grace, ada):
    turn_off(services, grace)
    assert not build_parts(settings, repo=repo, clock=clock).local_login.allows(ada)
    assert not services.local_login.wish_unmet
