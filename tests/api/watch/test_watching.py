"""No hole and nothing twice: watchers that begin anywhere, beside a reader that lags, with few lines kept, while others write."""

import asyncio
import random
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from idp.api.document_store.contract import Past, PositionLost
from idp.api.problems import unavailable
from idp.api.watch import feed, watching
from idp.api.watch.changes import Begun
from idp.base.errors import Refused
from tests.support.loops import run_loop

COLLECTIONS = ("a", "b", "c")


class Lines:
    """A store that has nothing but a feed. broken: what the next reads of it raise."""

    def __init__(self, chance: random.Random) -> None:
        self.lines: list[Past] = []
        self.broken: list[Exception] = []
        self._chance = chance
        self._came = threading.Condition()

    def write(self, collection: str) -> None:
        with self._came:
            number = len(self.lines) + 1
            self.lines.append(Past(collection, f"doc_{number}", 1, "insert", "", "", None, {}, position=f"p{number}"))
            self._came.notify_all()

    def position(self) -> str:
        return f"p{len(self.lines)}"

    def feed(self, after: str, limit: int, wait_seconds: float) -> list[Past]:
        if self.broken:
            raise self.broken.pop()
        number = int(after.removeprefix("p"))
        with self._came:
            self._came.wait_for(lambda: len(self.lines) > number, wait_seconds)
            return self.lines[number : number + self._chance.randint(1, limit)]


class Told:
    """In place of Changes: everybody may see everything."""

    def begin(self, caller: Any, asked: Any) -> Begun:
        return Begun("", asked.after)

    def alive(self, begun: Begun, position: str) -> Any:
        return SimpleNamespace(action="alive", token=position)

    def told(self, caller: Any, asked: Any, begun: Begun, lines: Sequence[Past]) -> list[Any]:
        assert {line.collection for line in lines} == {asked.collection}
        return [SimpleNamespace(action="insert", token=line.position, id=line.id) for line in lines]


class Node:
    def __init__(self, store: Lines) -> None:
        self.api = SimpleNamespace(store=store, changes=Told())
        self.feed = feed.Feed(store)  # type: ignore[arg-type]

    def clock(self) -> float:
        return 0.0

    async def work(self, function: Any, *given: Any) -> Any:
        return await asyncio.to_thread(function, *given)


def stream(collection: str, after: str | None) -> Any:
    asked = SimpleNamespace(collection=collection, after=after)
    return SimpleNamespace(asked=asked, caller_at=lambda now: None)


async def watch(node: Node, collection: str, after: str | None, until: str) -> tuple[str, list[str]]:
    """Where it began, and the ids that were told."""
    began, ids = None, []
    async for change in watching.watch(node, stream(collection, after)):  # type: ignore[arg-type]
        began = began or change.token
        if change.action == "insert":
            ids.append(change.id)
            if change.id == until:
                return began, ids
    raise AssertionError


async def waits(node: Node, watcher: "asyncio.Task[Any]") -> None:
    """Until the watcher waits for what comes, or has ended."""
    while not watcher.done() and not node.feed._waiting.get("a"):
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("seed", range(8))
def test_whoever_watches_is_told_each_line_once_and_in_order(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    for module in (feed, watching):
        monkeypatch.setattr(module, "BATCH", 3)
    monkeypatch.setattr(feed, "KEPT_LINES", chance.choice([2, 5, 40]))
    monkeypatch.setattr(feed, "WAIT_SECONDS", 0.02)
    monkeypatch.setattr(watching, "ALIVE_SECONDS", 0.005)
    store = Lines(chance)
    for _ in range(chance.randint(0, 60)):
        store.write(chance.choice(COLLECTIONS))

    async def scene() -> None:
        node = Node(store)
        node.feed.start()
        asked, watchers = [], []
        for _ in range(150):
            store.write(chance.choice(COLLECTIONS))
            if chance.random() < 0.2:
                asked.append(
                    (chance.choice(COLLECTIONS), chance.choice([None, f"p{chance.randint(0, len(store.lines))}"]))
                )
                watchers.append(asyncio.create_task(watch(node, *asked[-1], until=f"last-{asked[-1][0]}")))
            if chance.random() < 0.3:
                await asyncio.sleep(chance.choice([0, 0.001, 0.01]))
        await asyncio.sleep(0.02)
        for collection in COLLECTIONS:
            number = len(store.lines) + 1
            store.lines.append(
                Past(collection, f"last-{collection}", 1, "insert", "", "", None, {}, position=f"p{number}")
            )
        for (collection, after), (began, ids) in zip(asked, await asyncio.gather(*watchers), strict=True):
            start = int((after or began).removeprefix("p"))
            assert ids == [line.id for line in store.lines[start:] if line.collection == collection]
        node.feed.stop()

    run_loop(scene())


@pytest.mark.parametrize(("error", "code"), [(unavailable("store", "x"), "store_unavailable"), (PositionLost(), "position_lost"),
                                             (ZeroDivisionError(), "store_unavailable")], ids=["down", "lost", "fault"])  # fmt: skip
def test_a_feed_that_breaks_ends_every_watch_loudly_and_goes_on(
    error: Exception, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "WAIT_SECONDS", 0.02)
    monkeypatch.setattr(feed, "RETRY_SECONDS", 0.02)
    store = Lines(random.Random(0))

    async def scene() -> None:
        node = Node(store)
        node.feed.start()
        watcher = asyncio.create_task(watch(node, "a", None, until=""))
        await waits(node, watcher)
        store.write("a")
        while not watcher.done():  # who does not wait at the moment of a break finds everything there after it
            await waits(node, watcher)
            store.broken[:] = [error]
            await asyncio.sleep(0.05)
        store.broken.clear()
        with pytest.raises(Refused) as refused:
            await watcher
        assert refused.value.code == code
        again = asyncio.create_task(watch(node, "a", "p1", until="doc_2"))
        store.write("a")
        assert (await again)[1] == ["doc_2"]
        node.feed.stop()

    run_loop(scene())
