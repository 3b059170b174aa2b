"""Positions in the feed: each one of them is a place from which exactly the rest follows."""

import pytest

from idp.api.document_store.contract import Overtaken, Past, Write
from tests.api.stores.conftest import Notes


def write(notes: Notes, id: str, version: int = 1) -> Write:
    line = notes.line(id, version, {"whole": {}})
    return Write("insert" if version == 1 else "update", notes.document(id, version=version), version - 1, line)


def read_all(notes: Notes, after: str, at_once: int = 100) -> list[Past]:
    lines: list[Past] = []
    while found := notes.store.feed(lines[-1].position if lines else after, at_once, 0):
        lines += found
    return lines


def test_from_every_position_exactly_the_rest_follows_with_the_same_positions(notes: Notes) -> None:
    start = notes.store.position()
    notes.store.commit([write(notes, f"d{number}") for number in range(4)])
    notes.store.commit([write(notes, "e")])
    lines = read_all(notes, start)
    assert len({line.position for line in lines}) == 5
    for at_once in (1, 2):
        assert read_all(notes, start, at_once) == lines
    for number, line in enumerate(lines):
        assert read_all(notes, line.position) == lines[number + 1 :]


def test_the_end_of_the_feed_is_behind_everything_that_was_written(notes: Notes) -> None:
    notes.store.commit([write(notes, "before")])
    end = notes.store.position()
    assert notes.store.feed(end, 10, 0) == []
    notes.store.commit([write(notes, "behind")])
    assert [line.id for line in notes.store.feed(end, 10, 0)] == ["behind"]


def test_what_was_not_written_is_not_in_the_feed(notes: Notes) -> None:
    start = notes.store.position()
    notes.insert("silent")
    with pytest.raises(Overtaken):
        notes.store.commit([write(notes, "a"), write(notes, "silent", 7)])
    assert notes.store.feed(start, 10, 0) == []
