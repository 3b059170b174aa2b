"""Work items against a model of a few lines: whatever is added, taken, settled and left lying, both say the same."""

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idp.api.caller import Caller
from idp.api.commands.work_items import AddItem, CompleteItem, FailItem, QueryItems, TakeItem
from idp.api.document_store.sqlite import SqliteDocumentStore
from idp.api.once import Once
from idp.api.queues.chains import Chains
from idp.api.queues.declarations import Declarations, Wanted
from idp.api.queues.standing import Standing
from idp.api.queues.work_items import WorkItems
from idp.api.roles import Roles
from tests.support.clock import FakeClock

ADA = Caller("usr_ada", "app", frozenset(), frozenset(), 1e10, "t")
ATTEMPTS, LEASE = 2, 10


class Model:
    """Items as [state, priority, due, attempts], in the order of adding."""

    def __init__(self) -> None:
        self.items: list[list[Any]] = []

    def pass_time(self, now: float) -> None:
        for item in self.items:
            if item[0] in ("delayed", "taken") and item[2] <= now:
                item[0] = "failed" if item[0] == "taken" and item[3] >= ATTEMPTS else "ready"

    def take(self, now: float) -> int | None:
        self.pass_time(now)
        ready = [n for n, item in enumerate(self.items) if item[0] == "ready"]
        if not ready:
            return None
        first = min(ready, key=lambda n: (-self.items[n][1], n))
        self.items[first][0], self.items[first][2] = "taken", now + LEASE
        self.items[first][3] += 1
        return first


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 9), st.sampled_from([0, 0, 7])),
        st.tuples(st.just("take")),
        st.tuples(st.just("complete"), st.integers(0, 5)),
        st.tuples(st.just("fail"), st.integers(0, 5), st.sampled_from([0, 5])),
        st.tuples(st.just("wait"), st.sampled_from([1, 4, LEASE])),
    ),
    max_size=40,
)


class Both:
    """The facade on a store, and the model; each verb does the same with both."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.model = FakeClock(), Model()
        self.store = SqliteDocumentStore(folder / f"{len(list(folder.iterdir()))}.db")
        once, declarations = Once(self.store, self.clock), Declarations(self.store, self.clock)
        chains = Chains(declarations, Standing(Roles(self.store, once, self.clock)))
        self.facade = WorkItems(self.store, declarations, chains, once, self.clock)
        wanted = Wanted("q", "work_items", None, False, {"max_deliveries": ATTEMPTS})
        self.store.commit(declarations.declared(ADA, wanted, self.clock())[0])
        self.ids: list[str] = []
        self.held: dict[int, str] = {}

    def add(self, priority: int, delay: int) -> None:
        self.ids.append(self.facade.add(ADA, AddItem(name="q", payload={}, priority=priority, delay_seconds=delay)).id)
        self.model.items.append(["delayed" if delay else "ready", priority, self.clock() + delay, 0])

    def take(self) -> None:
        taken = self.facade.take(ADA, TakeItem(name="q", lease_seconds=LEASE)).item
        expected = self.model.take(self.clock())
        assert (taken and taken.id) == (None if expected is None else self.ids[expected])
        if taken and expected is not None:
            self.held[expected] = taken.receipt

    def complete(self, number: int) -> None:
        if item := self._held(number):
            self.facade.complete(ADA, CompleteItem(name="q", id=self.ids[number], receipt=self.held.pop(number)))
            item[0] = "completed"

    def fail(self, number: int, delay: int) -> None:
        if item := self._held(number):
            receipt = self.held.pop(number)
            asked = FailItem(name="q", id=self.ids[number], receipt=receipt, reason="x", delay_seconds=delay)
            self.facade.fail(ADA, asked)
            item[0] = "failed" if item[3] >= ATTEMPTS else "delayed" if delay else "ready"
            item[2] = self.clock() + delay

    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    def _held(self, number: int) -> list[Any] | None:
        return self.model.items[number] if number in self.held and self.model.items[number][0] == "taken" else None


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_whatever_is_done_with_work_items_they_are_where_a_simple_model_says(tmp_path: Path, steps: Any) -> None:
    both = Both(tmp_path)
    for verb, *rest in steps:
        both.clock.advance(0.01)  # ids sort by time of creation
        both.model.pass_time(both.clock())
        getattr(both, verb)(*rest)
    both.model.pass_time(both.clock())
    found = both.facade.query(ADA, QueryItems(name="q")).items
    assert [item.state for item in found] == [item[0] for item in both.model.items]
    both.store.close()
