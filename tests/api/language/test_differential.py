"""One definition, two compilers: random filters and pipelines give the same on a MongoDB server and in Python."""

import math
import random
import secrets
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest
from pymongo.errors import OperationFailure

from idp.api import language
from idp.base.errors import Refused
from tests.api.language import random_language
from tests.support.mongo import real_server

AT_MOST = 200
SYSTEM = {"version": 1, "created_at": "t", "created_by": "user:a", "updated_at": "t", "updated_by": "user:a"}
Collection = pymongo.collection.Collection[dict[str, Any]]


@pytest.fixture(scope="module")
def collection(mongo_uri: str) -> Iterator[Collection]:
    """On the stand-in, or on the real server that the environment names."""
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(real_server() or mongo_uri)
    name = f"language_{secrets.token_hex(4)}"
    yield client[name]["documents"]
    client.drop_database(name)
    client.close()


def stored(collection: Collection, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Store them as the MongoDB store does; gives them as queries see them."""
    collection.drop()
    collection.insert_many([{"_id": f"d{n:03}", **SYSTEM, "data": data} for n, data in enumerate(documents)])
    system = {"_" + name: value for name, value in SYSTEM.items()}
    return [data | {"_id": f"d{n:03}"} | system for n, data in enumerate(documents)]


def test_random_filters_find_the_same_documents(collection: Collection) -> None:
    dice = random.Random(2026)
    views = stored(collection, [random_language.data(dice) for _ in range(80)])
    found = 0
    for _ in range(300):
        filter = random_language.filter(dice)
        node = language.parse_filter(filter)
        matches = language.to_predicate(node)
        expected = [view["_id"] for view in views if matches(view)]
        assert [raw["_id"] for raw in collection.find(language.to_mongo(node)).sort("_id")] == expected, filter
        found += 0 < len(expected) < len(views)
    assert found > 80


def test_random_pipelines_give_the_same_rows(collection: Collection) -> None:
    dice = random.Random(7)
    views = stored(collection, [random_language.data(dice, least=1) for _ in range(60)])
    compared = 0
    for _ in range(200):
        given = random_language.pipeline(dice)
        try:
            pipeline = language.parse_pipeline(given)
            expected = language.run_pipeline(pipeline, iter(views), AT_MOST)
            rows = collection.aggregate(language.pipeline_to_mongo(pipeline, AT_MOST))
            actual = language.check_rows(pipeline, rows, AT_MOST)
        except Refused:  # two fields of one name, or lists that have no order: MongoDB's error
            continue
        except OperationFailure as error:
            if error.code == 1 and real_server() is None:  # the stand-in stumbles over sets of mixed types
                continue
            raise
        assert same(actual, expected), given
        compared += 1
    assert compared > 150


def same(a: Any, b: Any) -> bool:
    """true is not 1; 1 is 1.0; sums of floats may differ in their last digit."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, bool) or isinstance(b, bool) or not isinstance(a, (int, float)):
        return a is b or (type(a) is type(b) and bool(a == b))
    return isinstance(b, (int, float)) and (a == b or math.isclose(a, b, rel_tol=1e-12))
