"""Fair shares of one process."""

import threading
from collections.abc import Callable, Iterator

import pytest

from idp.api.dispatch.dispatch import LEAST_THREADS, MOST_THREADS
from idp.api.dispatch.shares import LINE, Shares
from idp.base.errors import Refused
from idp.cli.bridge import WAITING_THREADS
from tests.support.running import until

LOW, NORMAL, HIGH = 0, 1, 2


class Crowd:
    """Threads that take a turn each and stay until they are told to leave."""

    def __init__(self, shares: Shares) -> None:
        self.shares = shares
        self.inside: list[str] = []
        self.threads: list[threading.Thread] = []
        self.leave: dict[str, threading.Event] = {}

    def come(self, name: str, who: str = "ada", rank: int = NORMAL) -> None:
        before = self.waiting(who)
        leave = self.leave[name] = threading.Event()

        def run() -> None:
            with self.shares.turn(who, rank, 20):
                self.inside.append(name)
                leave.wait(20)

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()
        until(lambda: name in self.inside or self.waiting(who) > before, "it is inside or in the line")

    def go(self, name: str, *, then: str) -> None:
        many = len(self.inside)
        self.leave[name].set()
        until(lambda: self.inside[many:] == [then], "the next one is inside", every=0.001)

    def waiting(self, who: str) -> int:
        return sum(len(lane.waiting) for (name, _), lane in self.shares._lanes.items() if name == who)

    def end(self) -> None:
        for leave in self.leave.values():
            leave.set()
        for thread in self.threads:
            thread.join(20)


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    crowd = Crowd(Shares(4))
    yield crowd
    crowd.end()


def test_one_caller_never_has_more_than_half_of_the_threads_and_low_ones_a_quarter(crowd: Crowd) -> None:
    for n in range(3):
        crowd.come(f"normal {n}")
        crowd.come(f"low {n}", rank=LOW)
    assert sorted(crowd.inside) == ["low 0", "normal 0", "normal 1"]
    crowd.come("of another", who="bob")
    assert "of another" in crowd.inside


def test_the_line_is_in_order_of_priority_then_of_arrival(crowd: Crowd) -> None:
    for name, rank in (("a", NORMAL), ("b", NORMAL), ("c", NORMAL), ("d", NORMAL), ("e", HIGH)):
        crowd.come(name, rank=rank)
    crowd.go("a", then="e")
    crowd.go("b", then="c")
    crowd.go("e", then="d")


def test_a_line_has_an_end(crowd: Crowd) -> None:
    for n in range(2 + LINE):
        crowd.come(f"{n}")
    for rank in (NORMAL, HIGH):
        with pytest.raises(Refused) as refused, crowd.shares.turn("ada", rank, 20):
            pass
        assert (refused.value.code, refused.value.status) == ("too_many_waiting", 429)
        assert refused.value.headers["Retry-After"]


def test_who_gives_up_leaves_no_gap(crowd: Crowd) -> None:
    crowd.come("a")
    crowd.come("b")
    with pytest.raises(Refused), crowd.shares.turn("ada", NORMAL, 0.01):
        pass
    crowd.come("c")
    crowd.go("a", then="c")


def test_what_fails_gives_its_turn_back(crowd: Crowd) -> None:
    turn: Callable[[], object] = lambda: crowd.shares.turn("ada", NORMAL, 20)  # noqa: E731
    for _ in range(9):
        with pytest.raises(ZeroDivisionError), turn():  # type: ignore[attr-defined]
            _ = 1 // 0
    assert crowd.shares._lanes == {}


def test_one_caller_never_holds_all_threads_that_wait_in_a_process() -> None:
    for threads in range(LEAST_THREADS, MOST_THREADS + 1):
        assert threads // 2 + threads // 4 <= threads * 3 // 4
        assert threads // 2 + threads // 4 + LINE <= WAITING_THREADS - threads // 4
