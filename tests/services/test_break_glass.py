"""Break-glass: who it opens for, how long, by whom and why, and its end. Codes are in test_break_glass_codes."""

import pytest

from idp.assemble import build_parts
from idp.domain.session import Session
from tests.support.federated import audited, by_password, turn_off
from tests.support.refusing import refused

PASSWORD = "correct horse"
WHY = "the directory is down"


@pytest.fixture
def hana(services):
    return services.users.add("hana", email="hana@example.org", password=PASSWORD, administrator=True, actor="test")


@pytest.fixture
def off(services, grace):
    return turn_off(services, grace)


@pytest.fixture
def sent(services, monkeypatch):
    """Mails, as they would be queued."""
    found = []
    monkeypatch.setattr(type(services.mails), "send", lambda self, *mail: found.append(mail) or True)
    return found


def code_of(function, *args, **named):
    return refused(function, *args, **named).code


# ---------------------------------------------------------------- opening


def test_it_opens_for_administrators_with_a_password_and_for_nobody_else(services, off, grace, hana, ada):
    services.users.add("no-password", email=None, administrator=True, actor="test")
    services.users.set_disabled(hana, True, actor="test")
    opened = services.break_glass.open(WHY, actor="cli")
    assert opened.users == (grace.id,)
    assert services.local_login.allows(grace)
    assert not services.local_login.allows(ada)
    assert services.local_login.allows(None)


def test_it_opens_for_those_who_are_named(services, off, grace, hana):
    services.break_glass.open(WHY, usernames=["hana"], actor="cli")
    assert services.local_login.allows(hana)
    assert not services.local_login.allows(grace)


@pytest.mark.parametrize("name", ["ada", "nobody", "no-password", ""])
def test_it_never_opens_for_others(services, off, ada, name):
    services.users.add("no-password", email=None, administrator=True, actor="test")
    assert code_of(services.break_glass.open, WHY, usernames=[name], actor="cli") == "not_for_break_glass"
    assert services.local_login.opened() == []


def test_the_configuration_can_say_for_whom_it_opens(settings, repo, clock, services, off, grace, hana):
    change = settings.local_login_change.model_copy(update={"break_glass_users": ("hana", "nobody")})
    node = build_parts(settings.model_copy(update={"local_login_change": change}), repo=repo, clock=clock)
    assert node.break_glass.open(WHY, actor="cli").users == (hana.id,)
    assert code_of(node.break_glass.open, WHY, usernames=["grace"], actor="cli") == "not_for_break_glass"


def test_without_an_administrator_with_a_password_it_says_what_to_do(services):
    assert code_of(services.break_glass.open, WHY, actor="cli") == "break_glass_nobody"


@pytest.mark.parametrize("reason", ["", "  ", "\n\t", "x"])
def test_it_never_opens_without_a_reason(services, off, reason):
    assert code_of(services.break_glass.open, reason, actor="cli") == "reason_missing"


@pytest.mark.parametrize("seconds", [0, -1, 59, 86_401, float("inf"), float("nan")])
def test_it_opens_for_a_minute_at_least_and_a_day_at_most(services, off, seconds):
    assert code_of(services.break_glass.open, WHY, seconds=seconds, actor="cli") == "invalid_ttl"


def test_it_is_audited_and_told_to_all_administrators(services, off, grace, hana, ada, sent):
    opened = services.break_glass.open("directory\nis down", usernames=["grace"], actor="cli")
    event = audited(services, "break_glass.opened")[0]
    assert (event.actor, event.subject, event.detail["reason"]) == ("cli", opened.id, "directory is down")
    assert event.detail["users"] == grace.id
    assert sorted(to for to, _, _ in sent) == ["grace@example.org", "hana@example.org"]
    assert all("directory is down" in text and "grace" in text for _, _, text in sent)


# ---------------------------------------------------------------- its end


def test_it_closes_by_itself_also_after_a_restart(services, settings, repo, clock, off, grace):
    services.break_glass.open(WHY, seconds=60, actor="cli")
    _, handle = by_password(services, grace)
    clock.advance(59)
    assert build_parts(settings, repo=repo, clock=clock).sessions.load(handle) is not None
    clock.advance(1)
    restarted = build_parts(settings, repo=repo, clock=clock)
    assert not restarted.local_login.allows(grace)
    assert restarted.sessions.load(handle) is None
    assert not services.local_login.allows(grace)


def test_a_clock_set_back_does_not_keep_it_open(services, off, grace):
    services.break_glass.open(WHY, seconds=86_400, actor="cli")
    services.clock.advance(-120)
    assert not services.local_login.allows(grace)


def test_what_was_signed_in_by_it_ends_with_it(services, off, grace):
    services.break_glass.open(WHY, actor="cli")
    session, handle = by_password(services, grace)
    assert services.sessions.load(handle) is not None
    assert services.break_glass.close(actor="cli") == 1
    assert services.sessions.load(handle) is None
    assert services.turn_local_login.settle() == 1
    assert services.repo.get(Session, session.id) is None
    assert len(audited(services, "break_glass.closed")) == 1


def test_closing_what_is_closed_does_nothing(services, off):
    assert services.break_glass.close(actor="cli") == 0
    assert audited(services, "break_glass.closed") == []


def test_opened_twice_it_is_open_until_the_later_end_and_closed_at_once(services, off, grace):
    services.break_glass.open(WHY, seconds=60, actor="cli")
    services.break_glass.open(WHY, seconds=600, actor="cli")
    services.clock.advance(61)
    assert services.local_login.allows(grace)
    services.break_glass.open(WHY, seconds=60, actor="cli")
    assert services.break_glass.close(actor="cli") == 2
    assert not services.local_login.allows(grace)


def test_every_page_can_ask_whether_it_is_open(services, off, grace):
    assert services.local_login.alarm() is None
    opened = services.break_glass.open(WHY, actor="cli")
    assert services.local_login.alarm().opened == (opened,)
    services.clock.advance(900)
    assert services.local_login.alarm() is None
