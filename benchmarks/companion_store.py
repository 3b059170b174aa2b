"""Owns the figures of the embedded document store alone: what a get, a write and each kind of search cost, few and many documents.

Run by itself: python -m benchmarks.companion_store [--documents 1000000]. CPU time of one thread; nothing is asserted.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from idp.api import acl, language
from idp.api.document_store.contract import Document, Find, Index, Past, Sight, Write
from idp.api.document_store.sqlite import SqliteDocumentStore

NAME, AT = "things", "2026-11-21T00:00:00.000000Z"
FEW = 100  # documents that the user "few" may read, spread over all
EVERYONE, OF_FEW = frozenset({"read:everyone:", "read:user:ada"}), frozenset({"read:user:few", "read:role:none"})
INDEXES = {"age": 1, "state": 1, "mail": 1}
Query = tuple[str, dict[str, object], dict[str, int], frozenset[str] | None]
QUERIES: list[Query] = [  # (title, filter, sort, keys)
    ("page, administrator", {}, {}, None),
    ("page, all visible", {}, {}, EVERYONE),
    ("page, last", {"_id": {"$gte": "~"}}, {}, EVERYONE),
    ("page, few visible", {}, {}, OF_FEW),
    ("by unique value", {"mail": "m7"}, {}, EVERYONE),
    ("by state (a third)", {"state": "s1"}, {}, EVERYONE),
    ("by range", {"age": {"$gte": 10, "$lt": 11}}, {}, EVERYONE),
    ("sorted, all visible", {}, {"age": -1}, EVERYONE),
    ("sorted, few visible", {}, {"age": -1}, OF_FEW),
    ("state, sorted by age", {"state": "s1"}, {"age": 1}, EVERYONE),
    ("without index, found soon", {"plain": 3}, {}, EVERYONE),
]


def main() -> None:
    wanted = argparse.ArgumentParser(description="Measure the embedded document store.")
    wanted.add_argument("--documents", type=int, default=100_000, help="how many the large collection holds")
    many = wanted.parse_args().documents
    with tempfile.TemporaryDirectory(prefix="sheaf-bench-") as folder:
        stores = {count: filled(Path(folder) / f"{count}.db", count) for count in (1000, many)}
        print(f"{'CPU ms':32}" + "".join(f"{count:>12,}" for count in stores) + "   examined")
        for title, work in WORK.items():
            print(f"{title:32}" + "".join(f"{work(store, count):12.3f}" for count, store in stores.items()))
        for title, filter, sort, keys in QUERIES:
            print_query(stores, title, asked(filter, sort, keys))
        for store in stores.values():
            store.close()


def print_query(stores: dict[int, SqliteDocumentStore], title: str, ask: Find) -> None:
    costs = [cost(lambda store=store: store.find(NAME, ask)) for store in stores.values()]  # type: ignore[misc]
    plans = [store.explain(NAME, ask) for store in stores.values()]
    examined = " / ".join(f"{plan['examined']} by {plan['index'] or 'reader'}" for plan in plans)
    print(f"{title:32}" + "".join(f"{one:12.3f}" for one in costs) + f"   {examined}")


def asked(filter: dict[str, object], sort: dict[str, int], keys: frozenset[str] | None) -> Find:
    return Find(language.parse_filter(filter), language.parse_sort(sort), Sight(keys, 0.0), 20)


def document(number: int, every: int, version: int = 1) -> Document:
    data = {
        "age": number % 1000 / 10, "state": f"s{number % 3}", "mail": f"m{number}", "plain": number % 7,
        "text": "x" * 200, "tags": ["a", "b"], "place": {"city": "Bern", "zip": 3000 + number % 100},
    }  # fmt: skip
    rules: acl.Acl = (acl.Entry("everyone", "", ("read",)), acl.Entry("user", "owner", acl.DOCUMENT_RIGHTS))
    if number % every == 0:
        rules += (acl.Entry("user", "few", ("read",)),)
    return Document(NAME, f"doc_{number:026}", version, AT, "user:owner", AT, "user:owner", rules, data)


def insert(one: Document) -> Write:
    past = Past(NAME, one.id, one.version, "insert", AT, "user:owner", one.acl, {"whole": one.data})
    return Write("insert", one, one.version - 1, past)


def filled(path: Path, count: int) -> SqliteDocumentStore:
    store = SqliteDocumentStore(path)
    for start in range(0, count, 500):
        store.commit([insert(document(number, count // FEW)) for number in range(start, min(start + 500, count))])
    began = time.process_time()
    for field, way in INDEXES.items():
        store.ensure_index(NAME, Index(field, ((language.parse_path(field), way),), unique=field == "mail"))
    print(f"{len(INDEXES)} indexes over {count:,} documents: {time.process_time() - began:.1f} s")
    return store


def get(store: SqliteDocumentStore, count: int) -> float:
    return cost(lambda: store.get(NAME, document(count // 2, 2).id, 0.0)) - cost(lambda: document(count // 2, 2))


def insert_one(store: SqliteDocumentStore, count: int) -> float:
    numbers = iter(range(count, 2 * count))
    return cost(lambda: store.commit([insert(document(next(numbers), 10**9))]), 200)


def update_one(store: SqliteDocumentStore, count: int) -> float:
    versions = iter(range(2, 1000))
    return cost(lambda: store.commit([insert(document(5, 10**9, next(versions)))]), 200)


def count_all(store: SqliteDocumentStore, _count: int) -> float:
    return cost(lambda: store.count(NAME, language.parse_filter({}), Sight(EVERYONE, 0.0), 1000), 20)


WORK: dict[str, Callable[[SqliteDocumentStore, int], float]] = {
    "get": get,
    "insert with history, 3 indexes": insert_one,
    "replace with history, 3 indexes": update_one,
    "count, up to 1000": count_all,
}


def cost(work: Callable[[], object], times: int = 100) -> float:
    """Median of five, in ms."""
    rounds = []
    for _ in range(5):
        began = time.thread_time()
        for _ in range(times // 5):
            work()
        rounds.append((time.thread_time() - began) / (times // 5) * 1000)
    return statistics.median(rounds)


if __name__ == "__main__":
    main()
