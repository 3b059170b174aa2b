"""Owns how many may wait for one upstream: a slow one keeps nobody from the others, a quick one may have many at once."""

from contextlib import ExitStack

import pytest

from idp.base.errors import Refused
from idp.http.waiting_room import waits
from idp.upstream.room import ALWAYS, MOST, PATIENCE_SECONDS, Room
from tests.support.clock import FakeClock


def _full(room: Room, provider: str, stack: ExitStack, number: int) -> None:
    for _ in range(number):
        stack.enter_context(room.place(provider))


def test_while_an_upstream_is_slow_few_wait_for_it_and_nobody_is_kept_from_another(clock: FakeClock) -> None:
    room = Room(clock)
    with ExitStack() as stack:
        _full(room, "slow", stack, ALWAYS)
        clock.advance(PATIENCE_SECONDS)

        with pytest.raises(Refused) as refused, room.place("slow"):
            pass
        _full(room, "other", stack, ALWAYS)

    assert (refused.value.code, refused.value.status) == ("upstream_busy", 503)
    assert "slow" in refused.value.reason
    assert "slow" not in refused.value.message.split()[0]


def test_many_may_come_at_once_to_one_that_answers(clock: FakeClock) -> None:
    room = Room(clock)
    with ExitStack() as stack:
        _full(room, "quick", stack, MOST)

        with pytest.raises(Refused), room.place("quick"):
            pass
    clock.advance(100)
    with ExitStack() as stack:
        _full(room, "quick", stack, MOST)


def test_a_place_is_free_again_however_the_asking_ended(clock: FakeClock) -> None:
    room = Room(clock)
    for _ in range(ALWAYS + 1):
        with pytest.raises(ZeroDivisionError), room.place("slow"):
            1 / 0  # noqa: B018
        clock.advance(PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/upstream/corp/callback", True),
        ("/upstream/corp/acs", True),
        (f"/flow/{'h' * 43}/upstream/corp", True),
        (f"/flow/{'h' * 43}/directory/ad", True),
        (f"/flow/{'h' * 43}/where", True),
        ("/saml/logout/run", True),
        ("/account/link/corp", True),
        (f"/flow/{'h' * 43}/password", False),
        (f"/flow/{'h' * 43}", False),
        ("/sign-in", False),
        ("/token", False),
        ("/account", False),
    ],
)
def test_pages_that_ask_an_upstream_have_threads_of_their_own_and_no_others(path: str, expected: bool) -> None:
    assert waits(path) is expected
