"""Owns the Python compiler of pipelines: runs them over documents as contract.view shows them, bounded in memory.

The end of a pipeline for both compilers, what may come out of it, stands here too.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from idp.api.language import steps
from idp.api.language.aggregate import MAX_FACET_ROWS
from idp.api.language.data import Data
from idp.api.language.matching import Tick, no_tick
from idp.api.language.stages import (
    Count,
    Facet,
    Group,
    Hide,
    Limit,
    Match,
    Pipeline,
    Project,
    Skip,
    SortBy,
    Stage,
    Unwind,
)
from idp.api.language.steps import Held, Rows, Step, too_large
from idp.api.problems import bad_request

MAX_RESULT_BYTES = 4_000_000


def run_pipeline(pipeline: Pipeline, views: Iterable[Data], at_most: int, tick: Tick = no_tick) -> list[Data]:
    """pipeline: the whole or leading().rest. At most at_most + 1 rows; reads no further than it must. Raises Refused 400
    query_too_large, parallel_lists, and what check_rows raises."""
    line = _Line((*pipeline, Limit(at_most + 1)), Held(), tick)
    return check_rows(pipeline, line.flow(views), at_most)


def check_rows(pipeline: Pipeline, rows: Rows, at_most: int) -> list[Data]:
    """What may be answered: numbers that JSON has, facets and everything together within bounds. Raises Refused 400
    number_out_of_range, query_too_large."""
    result: list[Data] = []
    size = 0
    for row in rows:
        try:
            size += len(json.dumps(row, allow_nan=False))
        except ValueError:
            raise bad_request(
                "number_out_of_range", "A result of the aggregation leaves the range of numbers."
            ) from None
        if size > MAX_RESULT_BYTES:
            raise too_large(f"The result is larger than {MAX_RESULT_BYTES} bytes.")
        result.append(row)
        if len(result) > at_most:
            break
    if (
        pipeline
        and isinstance(pipeline[-1], Facet)
        and any(len(v) > MAX_FACET_ROWS for row in result for v in row.values())
    ):
        raise too_large(f"A facet has more than {MAX_FACET_ROWS} rows. Use $limit in it.")
    return result


class _Line:
    """Stages one after the other."""

    def __init__(self, pipeline: Pipeline, held: Held, tick: Tick) -> None:
        self._steps = [
            _MAKE[type(stage)](stage, held, tick, pipeline[number:]) for number, stage in enumerate(pipeline, 1)
        ]
        self._tick = tick

    def flow(self, rows: Rows) -> Iterator[Data]:
        for row in rows:
            yield from self.push(row)
            if self.full:
                break
        yield from self.end()

    @property
    def full(self) -> bool:
        return any(step.full for step in self._steps)

    def push(self, row: Data, first: int = 0) -> Rows:
        rows: Rows = (row,)
        for step in self._steps[first:]:
            rows = self._through(step, rows)
        return rows

    def end(self) -> Iterator[Data]:
        for number, step in enumerate(self._steps, 1):
            for row in step.end():
                yield from self.push(row, number)

    def _through(self, step: Step, rows: Rows) -> Iterator[Data]:
        for row in rows:
            self._tick()  # one document can become very many
            yield from step.push(row)


class _Facets(Step):
    def __init__(self, stage: Facet, held: Held, tick: Tick) -> None:
        cut = Limit(MAX_FACET_ROWS + 1)
        self._lines = {name: _Line((*inner, cut), held, tick) for name, inner in stage.pipelines}
        self._rows: dict[str, list[Data]] = {name: [] for name in self._lines}
        self._held = held

    def push(self, row: Data) -> Rows:
        for name, line in self._lines.items():
            self._keep(name, line.push(row))
        return ()

    def _keep(self, name: str, rows: Rows) -> None:
        for row in rows:
            self._held.add(row)
            self._rows[name].append(row)

    @property
    def full(self) -> bool:  # type: ignore[override]
        return all(line.full for line in self._lines.values())

    def end(self) -> Rows:
        for name, line in self._lines.items():
            self._keep(name, line.end())
        return (self._rows,)


_MAKE: Final[Mapping[type[Stage], Callable[..., Step]]] = {
    Match: lambda stage, held, tick, after: steps.matching(stage, tick),
    Hide: lambda stage, held, tick, after: steps.hiding(stage),
    Project: lambda stage, held, tick, after: steps.projecting(stage),
    Unwind: lambda stage, held, tick, after: steps.unwinding(stage),
    Group: lambda stage, held, tick, after: steps.Grouping(stage, held),
    SortBy: lambda stage, held, tick, after: steps.Sorting(stage, _wanted(after), held),
    Limit: lambda stage, held, tick, after: steps.Cutting(0, stage.count),
    Skip: lambda stage, held, tick, after: steps.Cutting(stage.count, None),
    Count: lambda stage, held, tick, after: steps.Counting(stage.name),
    Facet: lambda stage, held, tick, after: _Facets(stage, held, tick),
}


def _wanted(after: Pipeline) -> int | None:
    """How many rows the stages behind a sort take, when they say so at once."""
    skipped = 0
    for stage in after:
        if isinstance(stage, Skip):
            skipped += stage.count
        elif isinstance(stage, Limit):
            return skipped + stage.count
        elif not isinstance(stage, (Hide, Project)):
            break
    return None
