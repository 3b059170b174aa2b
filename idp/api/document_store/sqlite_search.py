"""Owns searches in the embedded document store: which way is shortest, who sees a candidate, what is made of matches.

Several ways (sqlite_plans.py) walk in turn until the first one has the answer: the cost is a small multiple of the best
way's, whatever the data. An answer does not depend on which one that was.
"""

import heapq
import sqlite3
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice
from typing import Any

from idp.api import language
from idp.api.document_store.contract import PAGE_BYTES, QUERY_SECONDS, Document, Find, Found, Sight, page_of, view
from idp.api.document_store.sqlite_plans import COLUMNS, Plan, Search, leaps, plans
from idp.api.document_store.sqlite_schema import ACL, DATA, EXPIRES, Row, sees, to_document
from idp.api.problems import bad_request
from idp.base.waiting import about_to_wait

FIRST_TURN = 32  # candidates; a turn is as long as all before it, so that few turns are needed
WITHOUT_DATA = COLUMNS.replace("d.data", "'{}'")
SHORT_SECONDS = 0.005  # what takes longer is asked again where it holds up nobody
PROBED = 2000  # candidates, of a search that must be decided before it begins
Runner = Generator[None, None, Any]
Match = tuple[Document, int]  # with the size of its data
Candidates = Iterator[Match | None]  # None: is not what is asked for


def find(connection: sqlite3.Connection, collection: str, asked: Find) -> Found:
    search = _search(connection, collection, asked)
    found: Found = _Race(search, asked.sight).run(_pager(search, asked))
    return found


def explain(connection: sqlite3.Connection, collection: str, asked: Find) -> dict[str, Any]:
    search = _search(connection, collection, asked)
    race = _Race(search, asked.sight)
    race.run(_pager(search, asked))
    ways = [
        {"index": p.name, "sorted": p.sorted, "examined": n} for p, n in zip(race.plans, race.examined, strict=True)
    ]
    return {
        "index": race.winner.name,
        "examined": sum(race.examined),
        "engine": {"sqlite": sqlite3.sqlite_version, "ways": ways},
    }


def count(connection: sqlite3.Connection, collection: str, where: language.Node, sight: Sight, at_most: int) -> int:
    columns = WITHOUT_DATA if _anything(where) else COLUMNS
    race = _Race(Search(connection, collection, where, sight.keys, columns=columns), sight)

    def counter(matches: Candidates, _plan: Plan) -> Runner:
        number = 0
        for match in matches:
            yield
            number += match is not None
            if number == at_most:
                break
        return number

    return int(race.run(counter))


def distinct(
    connection: sqlite3.Connection,
    collection: str,
    path: language.Path,
    where: language.Node,
    sight: Sight,
    at_most: int,
) -> list[Any]:
    search = Search(connection, collection, where, sight.keys)
    values: dict[bytes, Any] = {}  # of all ways together

    def collector(matches: Candidates, _plan: Plan) -> Runner:
        for match in matches:
            yield
            for value in language.distinct_values(view(match[0]), path) if match else ():
                values.setdefault(language.key_of(value), value)
                if len(values) > at_most:
                    return

    _Race(search, sight, [*leaps(search, path, values), *plans(search)]).run(collector)
    return [values[key] for key in sorted(values)]


def aggregate(
    connection: sqlite3.Connection, collection: str, stages: language.Pipeline, sight: Sight, at_most: int
) -> list[dict[str, Any]]:
    leading = language.leading(stages)
    race = _Race(Search(connection, collection, leading.where, sight.keys, leading.sort), sight)
    number = race.shortest()
    rest = leading.rest if race.plans[number].sorted else stages[1:]  # without its first $match
    views = (view(match[0]) for match in race.candidates(number) if match)
    return language.run_pipeline(rest, views, at_most, race.in_time)


def _search(connection: sqlite3.Connection, collection: str, asked: Find) -> Search:
    return Search(connection, collection, asked.where, asked.sight.keys, asked.sort, asked.after or "")


def _anything(where: language.Node) -> bool:
    return isinstance(where, language.Combine) and where.op == "$and" and not where.parts


class _Race:
    def __init__(self, search: Search, sight: Sight, ways: list[Plan] | None = None) -> None:
        self.plans = ways or plans(search)
        self.examined = [0] * len(self.plans)
        self.winner = self.plans[0]
        self._search, self._sight = search, sight
        self.in_time = _limit_of_time()
        self._matches = None if _anything(search.where) else language.to_predicate(search.where, self.in_time)

    def run(self, work: Callable[[Candidates, Plan], Runner]) -> Any:
        """work: takes candidates, yields after each, returns the answer."""
        return self._first([work(self.candidates(number), plan) for number, plan in enumerate(self.plans)])

    def shortest(self) -> int:
        """The number of the plan that ends soonest, or is most promising among long ones."""
        self._first([_walk(plan) for plan in self.plans])
        return self.plans.index(self.winner)

    def candidates(self, number: int) -> Candidates:
        for row in self.plans[number].walk():
            self.in_time()
            self.examined[number] += 1
            yield self._judge(row)

    def _first(self, runners: Sequence[Runner]) -> Any:
        turn = FIRST_TURN
        while True:
            for number, runner in enumerate(runners):
                try:
                    for _ in range(turn):
                        next(runner)
                except StopIteration as end:
                    self.winner = self.plans[number]
                    return end.value
            turn *= 2

    def _judge(self, row: Row) -> Match | None:
        expired = row[EXPIRES] is not None and row[EXPIRES] <= self._sight.now
        if expired or not sees(row[ACL], self._sight.keys) or row[1] <= self._search.after:
            return None
        document = to_document(row)
        return (document, len(row[DATA])) if self._matches is None or self._matches(view(document)) else None


def _walk(plan: Plan) -> Runner:
    for _ in islice(plan.walk(), PROBED):
        yield


def _pager(search: Search, asked: Find) -> Callable[[Candidates, Plan], Runner]:
    return lambda matches, plan: _page(matches, asked) if plan.sorted else _sorted_page(search, matches, asked)


def _page(matches: Candidates, asked: Find) -> Runner:
    """Of matches in the order that is asked for: reads no further than the page."""
    documents: list[Document] = []
    skipped = size = 0
    for match in matches:
        yield
        if match is None:
            continue
        if skipped < asked.skip:
            skipped += 1
            continue
        if len(documents) == asked.limit or size >= PAGE_BYTES:
            return Found(documents, more=True)
        documents.append(match[0])
        size += match[1]
    return Found(documents, more=False)


def _sorted_page(search: Search, matches: Candidates, asked: Find) -> Runner:
    """Of matches in any order. Only places and ids are held meanwhile; the documents of the page are read again."""
    needed = asked.skip + asked.limit + 1
    best: list[tuple[bytes, str]] = []
    for match in matches:
        yield
        if match is not None:
            best.append((language.place(view(match[0]), asked.sort), match[0].id))
            if len(best) >= 2 * needed:
                best = heapq.nsmallest(needed, best)
    ids = [id for _, id in heapq.nsmallest(needed, best)[asked.skip :]]
    return page_of(((to_document(row), len(row[DATA])) for id in ids for row in search.rows([id])), asked.limit)


def _limit_of_time() -> language.Tick:
    """To be called while a query works. Raises Refused 400 query_too_slow."""
    begun = time.monotonic()

    def in_time() -> None:
        if (passed := time.monotonic() - begun) > SHORT_SECONDS:
            about_to_wait()
        if passed > QUERY_SECONDS:
            raise bad_request("query_too_slow", f"The query took longer than {QUERY_SECONDS:g} s. Narrow it.")

    return in_time
