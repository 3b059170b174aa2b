"""What is accepted once is accepted by one caller, and forgotten when it would be refused anyway, on every node."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from idp.base.waiting import WouldWait, hurried
from idp.domain.grant import Seen
from idp.ports import Repository
from idp.services.once import CLOCKS_DIFFER_SECONDS, Once
from tests.support.clock import FakeClock


def test_the_first_one_wins_and_every_other_one_loses(repo: Repository, clock: FakeClock) -> None:
    once = Once(repo)
    with ThreadPoolExecutor(20) as pool:
        won = list(pool.map(lambda _: once.first("dpop", "key", "jti", clock() + 60), range(20)))
    assert sorted(won) == [False] * 19 + [True]


def test_kinds_and_owners_do_not_share_values(repo: Repository, clock: FakeClock) -> None:
    once = Once(repo)
    until = clock() + 60
    assert once.first("dpop", "a", "1", until)
    assert once.first("dpop", "b", "1", until)
    assert once.first("client_assertion", "a", "1", until)
    # Where owner and value meet cannot be moved.
    assert once.first("dpop", "a|1", "2", until)
    assert once.first("dpop", "a", "1|2", until)
    assert not once.first("dpop", "a", "1", until)


def test_nothing_is_taken_by_a_request_that_may_be_begun_again(repo: Repository, clock: FakeClock) -> None:
    once = Once(repo)
    with pytest.raises(WouldWait):
        hurried(once.first, "dpop", "a", "1", clock() + 60)
    assert once.first("dpop", "a", "1", clock() + 60)


def test_it_is_forgotten_after_its_time(repo: Repository, clock: FakeClock) -> None:
    once = Once(repo)
    assert once.first("dpop", "a", "1", clock() + 60)
    assert len(repo.find(Seen)) == 1
    clock.advance(60 + CLOCKS_DIFFER_SECONDS + 1)
    repo.sweep()
    assert repo.find(Seen) == []
    assert once.first("dpop", "a", "1", clock() + 60)


def test_it_outlives_its_time_for_nodes_whose_clocks_are_behind(repo: Repository, clock: FakeClock) -> None:
    """The clock of this node is ahead: it must not sweep away what another node still takes for valid."""
    once, until = Once(repo), clock() + 60
    assert once.first("dpop", "a", "1", until)
    clock.advance(60 + 30)
    repo.sweep()
    assert not once.first("dpop", "a", "1", until)
