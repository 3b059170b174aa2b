"""Whatever JSON is given as a filter, a sort, an update or a pipeline: it is understood, or refused as a bad request."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from idp.api import language
from idp.api.language import aggregate, update
from idp.base.errors import Refused

WORDS = (
    *language.COMPARISONS, *language.COMBINATIONS, *update.OPERATORS, *aggregate.STAGES, *aggregate.ACCUMULATORS,
    "$each", "$slice", "path", "preserveNullAndEmptyArrays", "_id", "_version", "_acl", "_place1", "a", "b", "a.b", "a.0", "", "$",
    "$a", "$$ROOT", "$where", "a\0",
)  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(WORDS), st.text(max_size=3),
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(WORDS), JSON, max_size=3)
DATA = st.dictionaries(st.sampled_from(["a", "b"]), st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2), max_leaves=6
))  # fmt: skip
STAGES = st.dictionaries(st.sampled_from(aggregate.STAGES), OBJECTS | JSON, min_size=1, max_size=1)
hostile = settings(deadline=None, derandomize=True, max_examples=200)


@contextmanager
def bad_requests(*statuses: int) -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        if refused.status not in statuses:
            raise


@hostile
@given(OBJECTS, DATA)
def test_as_a_filter(given: dict[str, Any], data: dict[str, Any]) -> None:
    with bad_requests(400):
        node = language.parse_filter(given)
        assert language.to_predicate(node)(data) in (True, False)
        assert set(_names(language.to_mongo(node))) <= {"_id", "version", "data", *language.COMBINATIONS}
        assert not [path for path in language.touched(node) if path[0] in ("_acl", "_place1")]


def _names(compiled: dict[str, Any]) -> list[str]:
    """First parts of the names in a compiled filter; operands are not looked into."""
    inner = [part for name in language.COMBINATIONS for part in compiled.get(name, [])]
    return [name.split(".")[0] for name in compiled] + [name for part in inner for name in _names(part)]


@hostile
@given(OBJECTS, DATA)
def test_as_an_update(given: dict[str, Any], data: dict[str, Any]) -> None:
    with bad_requests(400, 409):
        language.check_data(language.apply(data, language.parse_update(given), inserting=True))


@hostile
@given(st.lists(STAGES, max_size=3), st.lists(DATA, max_size=3))
def test_as_a_pipeline(given: list[dict[str, Any]], data: list[dict[str, Any]]) -> None:
    with bad_requests(400):
        pipeline = language.parse_pipeline(given)
        rows = language.run_pipeline(pipeline, [one | {"_id": str(n)} for n, one in enumerate(data)], 10)
        assert not [row for row in rows if "_place1" in row]
        stages = [name for stage in language.pipeline_to_mongo(pipeline, 10) for name in stage]
        assert set(stages) <= {*aggregate.STAGES, "$replaceWith", "$unset", "$set"}


@hostile
@given(st.dictionaries(st.sampled_from(WORDS), st.sampled_from([1, -1]), max_size=4), DATA)
def test_as_a_sort(given: dict[str, int], data: dict[str, Any]) -> None:
    with bad_requests(400):
        assert language.place(data, language.parse_sort(given))
