"""How a MongoDB store searches: by index and not by looking at everything. Only a real server has a planner to be asked."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from idp.api import acl
from idp.api.document_store.contract import DocumentStore, Index
from tests.api.stores.conftest import Notes, open_store
from tests.support.mongo import real_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(real_server() is None, reason="IDP_TEST_MONGO_URI names no real MongoDB server"),
]
MANY = 3000
VISIBLE = "allow_1__id_1"
EVERYBODY, FEW = frozenset({"read:user:many"}), frozenset({"read:user:few"})


@pytest.fixture(scope="module")
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DocumentStore]:
    store = open_store("real mongo", request, tmp_path_factory)
    yield store
    store.close()


@pytest.fixture(scope="module")
def many(store: DocumentStore) -> Notes:
    """Thousands that one caller sees, three of which another one sees too."""
    notes = Notes(store, f"notes_{secrets.token_hex(4)}")
    store.ensure_index(notes.name, Index("n", ((("n",), 1),)))
    for start in range(0, MANY, 500):
        numbers = range(start, start + 500)
        notes.insert_all([notes.document(f"d{n:05}", {"n": n, "tags": ["a", "b"]}, rules(n)) for n in numbers])
    return notes


def rules(number: int) -> acl.Acl:
    who = ("many", "few") if number % (MANY // 3) == 7 else ("many",)
    return tuple(acl.Entry("user", one, ("read",)) for one in who)


@pytest.mark.parametrize(
    ("keys", "filter", "sort", "index"),
    [
        (EVERYBODY, {}, {}, VISIBLE),
        (FEW, {}, {}, VISIBLE),
        (FEW, {}, {"tags": 1}, VISIBLE),
        (EVERYBODY, {"n": 1500}, {}, "n"),
        (EVERYBODY, {}, {"n": 1}, "n"),
        (None, {"n": {"$gte": 2990}}, {}, "n"),
    ],
    ids=["page of many", "page of few", "few in an order of their own", "filter", "sort", "administrator"],
)
def test_a_search_examines_few_of_many(
    many: Notes, keys: frozenset[str] | None, filter: dict[str, Any], sort: dict[str, int], index: str
) -> None:
    told = many.store.explain(many.name, many.ask(filter, sort, keys=keys, limit=20))
    assert told["index"] == index
    assert told["examined"] <= 100
