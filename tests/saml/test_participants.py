"""Who got an assertion in a session: remembered for as long as that session can last, and none forgotten."""

from dataclasses import replace
from typing import Any

import pytest

from idp.crypto.seal import Seal
from idp.domain.saml import SamlParticipant
from idp.domain.session import Session
from idp.saml import names
from idp.services.participants import Participants
from tests.support.clock import FakeClock

WIKI, MAIL = "https://wiki.example", "https://mail.example"
ADA = {"Format": names.PERSISTENT, "value": "ada"}


@pytest.fixture
def participants(repo: Any) -> Participants:
    return Participants(repo, Seal(b"k" * 32))


def session(clock: FakeClock) -> Session:
    return Session("d", "sid_1", "user_1", clock(), clock() + 43_200, clock(), clock(), ("pwd",))


def joined(participants: Participants, repo: Any, at: Session, name: dict[str, str], sp: str = WIKI) -> bool:
    made = participants.new(sp, at, name, at.last_seen_at)
    if made is not None:
        repo.insert(made)
    return made is not None


def test_a_participant_of_one_session_is_stored_once(participants: Participants, repo: Any, clock: FakeClock) -> None:
    here = session(clock)
    assert joined(participants, repo, here, ADA)
    assert not joined(participants, repo, here, ADA)
    assert joined(participants, repo, here, ADA, MAIL)


def test_who_proves_themselves_anew_has_apps_that_are_known_for_as_long_as_the_session_lasts(
    participants: Participants, repo: Any, clock: FakeClock
) -> None:
    """The sid stays, the end moves on: an app that nobody remembers would never be told of a sign-out."""
    here = session(clock)
    for _ in range(4):
        here = replace(here, expires_at=clock() + 43_200, last_seen_at=clock())
        joined(participants, repo, here, ADA)
        clock.advance(40_000)
    clock.set(here.expires_at - 1)
    assert [one.sp_id for one in participants.of("sid_1")] == [WIKI], "and named once"
    assert {one.sid for one in participants.named(WIKI, ADA)} == {"sid_1"}


def test_an_app_that_takes_many_names_does_not_make_the_others_forgotten(
    participants: Participants, repo: Any, clock: FakeClock
) -> None:
    here = session(clock)
    fresh = [{"Format": names.TRANSIENT, "value": str(number)} for number in range(4_000)]
    made = [participants.new(WIKI, here, name, clock()) for name in fresh]
    repo.insert_all(*(one for one in made if isinstance(one, SamlParticipant)))
    others = {f"{MAIL}/{number}" for number in range(9)}
    for sp in others:
        joined(participants, repo, here, ADA, sp)
    assert {one.sp_id for one in participants.of("sid_1")} == {WIKI, *others}
