"""Owns the claims about narrowings of tokens (RFC 9396): what is read, what is refused, what lies within what."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.api import acl
from idp.base import claims
from idp.base.errors import Refused
from idp.domain.narrowing import Details, narrowed, parse, within, without_handover

NOTES = {"type": "sheaf_documents", "collections": ["notes"], "rights": ["read", "update"]}
JOBS = {"type": "sheaf_queues", "queues": ["jobs"], "rights": ["publish"], "max_priority": 5}
ALONG = {"type": "sheaf_handover", "queue": "jobs"}


def test_what_is_written_is_what_is_read() -> None:
    assert parse(json.dumps([NOTES, JOBS, ALONG])) == (NOTES, JOBS, ALONG)
    without = {name: value for name, value in JOBS.items() if name != "max_priority"}
    assert parse(json.dumps([without]))[0]["max_priority"] == 9


@pytest.mark.parametrize(
    "given",
    [
        "",
        "{}",
        "[]",
        "[1]",
        "[[]]",
        "null",
        json.dumps(NOTES),
        json.dumps([{**NOTES, "type": "payment"}]),
        json.dumps([{**NOTES, "type": ["sheaf_documents"]}]),
        json.dumps([{**NOTES, "more": 1}]),
        json.dumps([{**NOTES, "max_priority": 1}]),
        json.dumps([{**NOTES, "rights": []}]),
        json.dumps([{**NOTES, "rights": ["publish"]}]),
        json.dumps([{**NOTES, "rights": "read"}]),
        json.dumps([{**NOTES, "rights": [{}]}]),
        json.dumps([{**NOTES, "collections": [""]}]),
        json.dumps([{**NOTES, "collections": ["x" * 101]}]),
        json.dumps([{**NOTES, "collections": ["a\u0000b"]}]),
        json.dumps([{**NOTES, "collections": ["n"] * 101}]),
        json.dumps([{**JOBS, "max_priority": True}]),
        json.dumps([{**JOBS, "max_priority": 10}]),
        json.dumps([{**JOBS, "max_priority": -1}]),
        json.dumps([{**JOBS, "max_priority": "5"}]),
        json.dumps([{"type": "sheaf_handover"}]),
        json.dumps([{**ALONG, "queues": ["jobs"]}]),
        json.dumps([NOTES] * 21),
        '[{"type": "sheaf_handover", "queue": "a", "queue": "b"}]',
        "[" * 5000,
        " " * 9000,
    ],
    ids=range(29),
)
def test_what_is_not_understood_is_refused(given: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(given)
    assert refused.value.code == "invalid_authorization_details"


def test_nothing_asked_is_all_that_was_granted_and_more_is_refused() -> None:
    granted: Details = (NOTES, JOBS)
    assert narrowed((), granted) == granted
    assert narrowed((NOTES,), ()) == (NOTES,)
    assert narrowed(({**NOTES, "rights": ["read"]},), granted) == ({**NOTES, "rights": ["read"]},)
    for wider in ({**NOTES, "collections": ["other"]}, {**NOTES, "rights": ["delete"]}, {**JOBS, "max_priority": 6}):
        with pytest.raises(Refused):
            narrowed((wider,), granted)


def test_only_an_exchange_makes_a_token_that_may_be_sent_along_and_only_once() -> None:
    assert narrowed((NOTES, ALONG), (NOTES,), handover=True) == (NOTES, ALONG)
    for refused in (
        lambda: narrowed((NOTES, ALONG), (NOTES,)),
        lambda: narrowed((NOTES, {**ALONG, "queue": "other"}), (NOTES, ALONG), handover=True),
        lambda: narrowed((NOTES,), (NOTES, ALONG), handover=True),
        lambda: without_handover((ALONG,)),
    ):
        with pytest.raises(Refused):
            refused()
    assert narrowed((NOTES, ALONG), (NOTES, ALONG), handover=True) == (NOTES, ALONG)


def test_both_halves_know_the_same_rights() -> None:
    assert set(claims.COLLECTION_RIGHTS) == {*acl.DOCUMENT_RIGHTS, *acl.COLLECTION_RIGHTS}
    assert set(claims.QUEUE_RIGHTS) == set(acl.QUEUE_RIGHTS)


names = st.lists(st.sampled_from("abc"), min_size=1, unique=True)
details = st.lists(
    st.one_of(
        st.builds(
            lambda n, r: {"type": "sheaf_documents", "collections": n, "rights": r},
            names,
            st.lists(st.sampled_from(["read", "update", "delete"]), min_size=1, unique=True),
        ),
        st.builds(
            lambda n, r, p: {"type": "sheaf_queues", "queues": n, "rights": r, "max_priority": p},
            names,
            st.lists(st.sampled_from(["publish", "consume"]), min_size=1, unique=True),
            st.integers(0, 9),
        ),
    ),
    min_size=1,
    max_size=4,
)


def allows(granted: list[dict[str, Any]], name: str, right: str, priority: int) -> bool:
    """The companion's question, in one line."""
    return any(
        name in (d.get("collections") or d.get("queues") or [])
        and right in d["rights"]
        and priority <= d.get("max_priority", 9)
        for d in granted
    )


@given(details, details)
def test_a_narrower_token_never_allows_what_the_wider_one_does_not(
    asked: list[dict[str, Any]], granted: list[dict[str, Any]]
) -> None:
    questions = [
        (n, r, p) for n in "abc" for r in ("read", "update", "delete", "publish", "consume") for p in range(10)
    ]
    expected = all(allows(granted, *q) for q in questions if allows(asked, *q))
    assert within(tuple(asked), tuple(granted)) is expected


class Counted(int):
    compared = 0

    def __le__(self, other: int) -> bool:
        Counted.compared += 1
        return int(self) <= int(other)


def test_the_largest_narrowings_are_compared_in_one_go_and_not_each_with_each() -> None:
    """Else one request to the token endpoint costs a quarter of a minute."""
    many = tuple({**JOBS, "queues": [f"{d}.{n}" for n in range(100)], "max_priority": Counted(5)} for d in range(14))
    assert within(many, many)
    assert Counted.compared <= 1400
