"""Owns the single stages of a pipeline in Python: each takes one document and passes on what comes of it at once.

What a stage must hold is counted. How stages stand behind one another is left to running.py.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from idp.api.language.accumulators import ACCUMULATE, Accumulator
from idp.api.language.data import Data, project
from idp.api.language.matching import Tick, to_predicate
from idp.api.language.order import key_of, place
from idp.api.language.paths import MISSING, SYSTEM_FIELDS, Path
from idp.api.language.stages import Group, Hide, Match, Project, SortBy, Unwind
from idp.api.problems import bad_request
from idp.base.errors import Refused

MAX_HELD_BYTES = 32_000_000
Rows = Iterable[Data]


def too_large(message: str) -> Refused:
    return bad_request("query_too_large", message)


class Held:
    """Counts what the stages keep of documents, about."""

    def __init__(self) -> None:
        self.bytes = 0

    def add(self, value: Any) -> int:
        """Gives what it weighs."""
        weight = _weight(value)
        self.bytes += weight
        if self.bytes > MAX_HELD_BYTES:
            raise too_large("The aggregation would hold too much in memory. Narrow it with $match and $project.")
        return weight


def _weight(value: Any) -> int:
    if isinstance(value, dict):
        return 100 + sum(_weight(inner) + 50 for inner in value.values())
    if isinstance(value, list):
        return 100 + sum(map(_weight, value))
    return 50 + len(value) if isinstance(value, (str, bytes)) else 30


class Step:
    """full: it takes no more documents."""

    full = False

    def push(self, row: Data) -> Rows:
        raise NotImplementedError

    def end(self) -> Rows:
        return ()


# --- stages that look at one document ------------------------------------------------------------------------------


class Each(Step):
    def __init__(self, change: Callable[[Data], Rows]) -> None:
        self.push = change  # type: ignore[method-assign,assignment]


def matching(stage: Match, tick: Tick) -> Step:
    matches = to_predicate(stage.where, tick)
    return Each(lambda row: (row,) if matches(row) else ())


def hiding(stage: Hide) -> Step:
    def hide(row: Data) -> Rows:
        for path in stage.paths:
            row = without(row, path) if path else {name: row[name] for name in SYSTEM_FIELDS if name in row}
        return (row,)

    return Each(hide)


def projecting(stage: Project) -> Step:
    def change(row: Data) -> Rows:
        result = project(row, stage.kept)
        for name, path in stage.made:
            if (value := value_at(row, path)) is not MISSING:
                result[name] = value
        return (result,)

    return Each(change)


def unwinding(stage: Unwind) -> Step:
    def unwind(row: Data) -> Iterator[Data]:
        value = _inside(row, stage.path)
        if isinstance(value, list) and value:
            for number, item in enumerate(value):
                yield _with(row, stage.path, item) | {stage.position: number}
        elif value is None or value is MISSING or value == []:
            if stage.keep_empty:
                yield (row if value is None else without(row, stage.path)) | {stage.position: None}
        else:
            yield row | {stage.position: None}

    return Each(unwind)


# --- stages that hold something ------------------------------------------------------------------------------------


class Grouping(Step):
    def __init__(self, stage: Group, held: Held) -> None:
        self._stage, self._held = stage, held
        self._groups: dict[bytes, tuple[Any, list[Accumulator]]] = {}

    def push(self, row: Data) -> Rows:
        id = self._id(row)
        key = key_of(id)
        if key not in self._groups:
            self._held.add(id)
            self._held.add(key)
            made = [ACCUMULATE[field.op](self._held.add) for field in self._stage.fields]
            self._groups[key] = (id, made)
        for field, accumulator in zip(self._stage.fields, self._groups[key][1], strict=True):
            accumulator.add(value_at(row, field.operand) if isinstance(field.operand, tuple) else field.operand)
        return ()

    def _id(self, row: Data) -> Any:
        key = self._stage.key
        if isinstance(key, dict):
            return {name: _or_null(value_at(row, path)) for name, path in key.items()}
        return _or_null(value_at(row, key)) if key else None

    def end(self) -> Iterator[Data]:
        for id, accumulators in self._groups.values():
            results = (accumulator.result() for accumulator in accumulators)
            yield {"_id": id} | {field.name: result for field, result in zip(self._stage.fields, results, strict=True)}


class Sorting(Step):
    """wanted: so many of the first rows are asked for by what follows; of the others none is held for long."""

    def __init__(self, stage: SortBy, wanted: int | None, held: Held) -> None:
        self._stage, self._wanted, self._held = stage, wanted, held
        self._rows: list[tuple[bytes, int, int, Data]] = []  # place, number (rows do not compare), weight, row
        self._number = self._weight = self._kept = 0

    def push(self, row: Data) -> Rows:
        weight = self._held.add(row)
        self._weight += weight
        self._number += 1
        self._rows.append((place(row, self._stage.sort), self._number, weight, row))
        if self._wanted is not None and len(self._rows) > self._wanted and self._weight > 2 * self._kept + 1_000_000:
            self._forget(self._wanted)
        return ()

    def _forget(self, wanted: int) -> None:
        self._rows = heapq.nsmallest(wanted, self._rows)
        self._kept = sum(weight for _, _, weight, _ in self._rows)
        self._held.bytes -= self._weight - self._kept
        self._weight = self._kept

    def end(self) -> Iterator[Data]:
        return (row for _, _, _, row in sorted(self._rows))


class Cutting(Step):
    """skip of the rows go, then count of them pass; None: all."""

    def __init__(self, skip: int, count: int | None) -> None:
        self._skip, self._count = skip, count

    @property
    def full(self) -> bool:  # type: ignore[override]
        return self._count == 0

    def push(self, row: Data) -> Rows:
        if self._skip:
            self._skip -= 1
            return ()
        if self._count is not None:
            if not self._count:
                return ()
            self._count -= 1
        return (row,)


class Counting(Step):
    def __init__(self, name: str) -> None:
        self._name, self._count = name, 0

    def push(self, _row: Data) -> Rows:
        self._count += 1
        return ()

    def end(self) -> Rows:
        return ({self._name: self._count},) if self._count else ()


# --- values --------------------------------------------------------------------------------------------------------


def value_at(value: Any, path: Path) -> Any:
    """As MongoDB's expression "$a.b": of a list of objects the list of their values; MISSING where nothing is."""
    if not path:
        return value
    if isinstance(value, dict):
        return value_at(value.get(path[0], MISSING), path[1:])
    if isinstance(value, list):
        found = (value_at(item, path) for item in value if isinstance(item, dict))
        return [one for one in found if one is not MISSING]
    return MISSING


def _or_null(value: Any) -> Any:
    return None if value is MISSING else value


def _inside(value: Any, path: Path) -> Any:
    """Through objects only."""
    for part in path:
        value = value.get(part, MISSING) if isinstance(value, dict) else MISSING
    return value


def _with(row: Mapping[str, Any], path: Path, value: Any) -> Data:
    """A row with another value at a path that is there."""
    inner = value if len(path) == 1 else _with(row[path[0]], path[1:], value)
    return {**row, path[0]: inner}


def without(row: Data, path: Path) -> Data:
    """A row without the field, through lists of objects."""
    if path[0] not in row:
        return row
    if len(path) == 1:
        return {name: value for name, value in row.items() if name != path[0]}
    return {**row, path[0]: _without_inside(row[path[0]], path[1:])}


def _without_inside(value: Any, path: Path) -> Any:
    if isinstance(value, list):
        return [_without_inside(item, path) for item in value]
    return without(value, path) if isinstance(value, dict) else value
