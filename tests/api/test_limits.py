"""Owns the claims about rate limits: per user, client and address, shared by nodes, never exceeded, and loud."""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from idp.api.counters.contract import Counters
from idp.api.counters.sqlite import SqliteCounters
from idp.api.limits import Limits, network_of
from idp.api.problems import unavailable
from idp.base.errors import Refused
from tests.support.clock import FakeClock


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=pytest.mark.slow)])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Counters]]:
    """The counters as each of several nodes opens them."""
    opened: list[Counters] = []
    database = f"api_{secrets.token_hex(4)}"

    def open_() -> Counters:
        if request.param == "sqlite":
            counters: Counters = SqliteCounters(tmp_path / "limits.db")
        else:
            from idp.api.counters.mongo import MongoCounters

            counters = MongoCounters(f"{request.getfixturevalue('mongo_uri')}/{database}")
        opened.append(counters)
        return counters

    yield open_
    for counters in opened:
        counters.close()


def allowed(limits: Limits, times: int, kind: str = "user", who: str = "ada") -> int:
    count = 0
    for _ in range(times):
        with suppress(Refused):
            limits.take(kind, who)
            count += 1
    return count


def test_two_nodes_together_never_allow_more_than_the_limit(node: Callable[[], Counters], clock: FakeClock) -> None:
    first, second = (Limits(node(), clock, {"user": 40}) for _ in range(2))
    assert allowed(first, 30) == 30
    assert allowed(second, 30) == 10
    assert allowed(first, 5) == 0
    assert allowed(first, 5, who="bob") == 5, "another user has a limit of their own"


def test_a_minute_later_there_is_a_new_minute(node: Callable[[], Counters], clock: FakeClock) -> None:
    limits = Limits(node(), clock, {"user": 3})
    assert allowed(limits, 5) == 3
    with pytest.raises(Refused) as refused:
        limits.take("user", "ada")
    assert (refused.value.code, refused.value.status) == ("too_many_requests", 429)
    wait = int(refused.value.headers["Retry-After"])
    assert 1 <= wait <= 61
    clock.advance(wait)
    assert allowed(limits, 5) == 3


def test_many_threads_of_many_nodes_do_not_get_past_it(node: Callable[[], Counters], clock: FakeClock) -> None:
    nodes = [Limits(node(), clock, {"user": 50}) for _ in range(3)]
    counts: list[int] = []
    threads = [threading.Thread(target=lambda n=n: counts.append(allowed(n, 20))) for n in nodes * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) <= 50
    assert sum(counts) >= 40, "what is reserved and not spent is at most a share for each node"


def test_a_limit_of_nothing_is_no_limit(tmp_path: Path, clock: FakeClock) -> None:
    limits = Limits(SqliteCounters(tmp_path / "limits.db"), clock, {"user": 0})
    assert allowed(limits, 1000) == 1000
    limits.take_address("192.0.2.1")
    limits.take_caller("usr_ada", "app")
    limits.close()


def test_without_the_shared_counters_each_node_goes_on_with_its_share(clock: FakeClock) -> None:
    class Gone:
        def reserve(self, *_: object) -> int:
            raise unavailable("store", "gone")

        def close(self) -> None: ...

    limits = Limits(Gone(), clock, {"user": 40})  # type: ignore[arg-type]
    assert allowed(limits, 10) == 10
    assert allowed(limits, 100) == 30, "and that far by itself"
    clock.advance(61)
    assert allowed(limits, 100) == 40


def test_an_app_that_calls_for_itself_counts_as_a_client_only(tmp_path: Path, clock: FakeClock) -> None:
    limits = Limits(SqliteCounters(tmp_path / "limits.db"), clock, {"user": 1, "client": 3})
    for _ in range(3):
        limits.take_caller("app", "app")
    with pytest.raises(Refused) as refused:
        limits.take_caller("app", "app")
    assert refused.value.detail == {"limit": 3, "per": "client"}
    limits.close()


def test_addresses_are_counted_as_networks_where_one_has_many() -> None:
    assert network_of("192.0.2.7") == "192.0.2.7"
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff") == "2001:db8::/64"
    assert network_of("::ffff:192.0.2.7") == "192.0.2.7"
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert network_of("unix") == "unix"
