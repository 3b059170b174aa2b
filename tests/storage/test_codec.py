"""The stored form of records: what was written can be read, what cannot be read is refused by name."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

import pytest

from idp.domain.attempt import LoginAttempt, Proof, Wants
from idp.domain.session import Session
from idp.storage.codec import WrongShape, codec, dumps, loads
from idp.storage.collections import COLLECTIONS
from tests.storage.examples import example


@dataclass(frozen=True, slots=True)
class Inner:
    seconds: float
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    id: str
    count: int
    ratio: float
    kind: Literal["a", "b"]
    inner: Inner | None = None
    inners: tuple[Inner, ...] = ()
    words: frozenset[str] = frozenset()
    extra: Mapping[str, Any] = field(default_factory=dict)
    flag: bool = False


SAMPLE = Sample(
    "1", 2, 0.5, "a", Inner(1.0), (Inner(2.0, "x"), Inner(3.0)), frozenset({"b", "a"}), {"k": [1, None]}, True
)


def through_text(record: Any) -> Any:
    return codec(type(record)).decode(loads(dumps(codec(type(record)).encode(record))))


@pytest.mark.parametrize("kind", [collection.kind for collection in COLLECTIONS], ids=lambda kind: kind.__name__)
def test_every_stored_kind_comes_back_equal(kind: type[Any]) -> None:
    record = example(kind)
    assert through_text(record) == record


def test_nested_and_repeated_parts_come_back_with_their_own_types() -> None:
    read = through_text(SAMPLE)
    assert read == SAMPLE
    assert isinstance(read.inner, Inner)
    assert isinstance(read.inners[1], Inner)
    assert isinstance(read.words, frozenset)


def test_an_attempt_under_way_comes_back_with_its_proof_and_wishes() -> None:
    attempt = example(LoginAttempt, proof=Proof("usr_1", 5.0, ("pwd",)), wants=Wants(max_age=10.0), waiting=None)
    assert through_text(attempt) == attempt


def test_equal_records_have_equal_text() -> None:
    other = replace(SAMPLE, words=frozenset(["a", "b"]))
    assert dumps(codec(Sample).encode(SAMPLE)) == dumps(codec(Sample).encode(other))


def test_a_field_that_an_older_row_lacks_takes_its_default() -> None:
    assert codec(Sample).decode({"id": "1", "count": 1, "ratio": 1, "kind": "a"}) == Sample("1", 1, 1.0, "a")


def test_a_field_of_a_newer_version_is_ignored() -> None:
    plain = codec(Sample).encode(SAMPLE)
    assert codec(Sample).decode({**plain, "invented_later": {"x": 1}}) == SAMPLE


def test_a_whole_number_of_seconds_is_read_as_a_float() -> None:
    read = codec(Inner).decode({"seconds": 5})
    assert type(read.seconds) is float


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"id": None}, "Sample.id"),
        ({"id": {"$ne": ""}}, "Sample.id"),
        ({"count": True}, "Sample.count"),
        ({"count": "1"}, "Sample.count"),
        ({"ratio": "0.5"}, "Sample.ratio"),
        ({"kind": "c"}, "Sample.kind"),
        ({"inner": []}, "Sample.inner"),
        ({"inner": {"seconds": "soon"}}, "Inner.seconds"),
        ({"inners": [1]}, "Sample.inners"),
        ({"inners": {"0": {}}}, "Sample.inners"),
        ({"words": ["a", 1]}, "Sample.words"),
        ({"extra": "text"}, "Sample.extra"),
        ({"flag": 1}, "Sample.flag"),
    ],
)
def test_a_stored_value_of_the_wrong_type_is_refused_by_the_name_of_its_field(
    change: dict[str, Any], named: str
) -> None:
    with pytest.raises(WrongShape, match=named):
        codec(Sample).decode({**codec(Sample).encode(SAMPLE), **change})


def test_a_missing_field_without_default_is_refused_by_name() -> None:
    with pytest.raises(WrongShape, match=r"Sample\.kind: missing"):
        codec(Sample).decode({"id": "1", "count": 1, "ratio": 1})


@pytest.mark.parametrize("plain", [None, [], "text", 7])
def test_something_that_is_no_object_is_refused(plain: Any) -> None:
    with pytest.raises(WrongShape):
        codec(Sample).decode(plain)


@pytest.mark.parametrize(
    "change",
    [
        {"id": 7},
        {"id": None},
        {"count": True},
        {"kind": "c"},
        {"inner": {"seconds": 1.0}},
        {"inners": (None,)},
        {"words": frozenset({1})},
    ],
)
def test_what_could_not_be_read_again_is_not_written(change: dict[str, Any]) -> None:
    with pytest.raises(WrongShape, match="Sample"):
        codec(Sample).encode(replace(SAMPLE, **change))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", {1, 2}, object(), "lone \ud800 surrogate"])
def test_what_json_has_no_form_for_is_not_written(value: object) -> None:
    with pytest.raises(WrongShape):
        dumps(codec(Sample).encode(replace(SAMPLE, extra={"deep": [value]})))


def test_a_cycle_is_not_written() -> None:
    cycle: dict[str, Any] = {}
    cycle["self"] = cycle
    with pytest.raises(WrongShape):
        dumps(codec(Sample).encode(replace(SAMPLE, extra=cycle)))


def test_a_key_of_a_mapping_must_be_text() -> None:
    with pytest.raises(WrongShape, match="extra"):
        codec(Sample).encode(replace(SAMPLE, extra={1: "x"}))  # type: ignore[dict-item]


def test_subclasses_of_text_and_read_only_mappings_are_stored_as_what_they_mean() -> None:
    class Name(StrEnum):
        ADA = "ada"

    read = through_text(replace(SAMPLE, id=Name.ADA, extra=MappingProxyType({"k": MappingProxyType({"x": 1})})))
    assert type(read.id) is str
    assert read.extra == {"k": {"x": 1}}


@pytest.mark.parametrize("text", ["", "{", "[1,2", b"\xff\xfe\x00", "[" * 100_000])
def test_text_that_is_not_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(WrongShape):
        loads(text)


def test_a_refusal_never_repeats_the_value() -> None:
    secret = "hunter2-hunter2"
    with pytest.raises(WrongShape) as refusal:
        codec(Sample).decode({**codec(Sample).encode(SAMPLE), "kind": secret, "inner": secret})
    assert secret not in str(refusal.value)


def test_a_class_with_a_hint_that_has_no_stored_form_is_refused_when_it_is_declared() -> None:
    @dataclass(frozen=True)
    class Strange:
        id: str
        when: complex

    with pytest.raises(TypeError, match="complex"):
        codec(Strange)


def test_reading_and_writing_a_session_takes_microseconds() -> None:
    """Generous by a factor of twenty: it guards against a codec that inspects types anew for every record."""
    session = example(Session)
    encode, decode = codec(Session).encode, codec(Session).decode
    plain = json.loads(dumps(encode(session)))
    start = time.process_time()
    for _ in range(2000):
        encode(session)
        decode(plain)
    assert (time.process_time() - start) / 2000 < 200e-6
