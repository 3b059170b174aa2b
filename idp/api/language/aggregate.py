"""Owns what may be computed over documents: parses a pipeline into stages, and refuses every other stage by its name.

A closed list: no stage reaches another collection, writes, or computes with code. Compiled by running.py (Python) and
mongo.py. So that both answer alike, every pipeline is completed: ties are broken, and nothing depends on an order that
was not asked for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from idp.api.language.filter import all_hold, parse_filter, unknown
from idp.api.language.order import MAX_SORT, Sort
from idp.api.language.paths import Path, check_apart, parse_path
from idp.api.language.stages import (
    Accumulate,
    Count,
    Facet,
    Group,
    Hide,
    Leading,
    Limit,
    Match,
    Pipeline,
    Project,
    Skip,
    SortBy,
    Stage,
    Unwind,
)
from idp.api.problems import bad_request, quoted

MAX_STAGES = 20
MAX_FACETS = 5
MAX_FACET_ROWS = 1000
MAX_FIELDS = 50
MAX_COUNT = 2**31 - 1
ACCUMULATORS: Final = ("$sum", "$avg", "$min", "$max", "$count", "$push", "$addToSet", "$first", "$last")
_OF_AN_ORDER: Final = ("$push", "$first", "$last")
BY_ID: Final = (("_id",),)


def parse_pipeline(given: Sequence[Mapping[str, Any]], hidden: Iterable[Path] = ()) -> Pipeline:
    """hidden: fields that the stages do not get to see. Raises Refused 400: unknown_operator, bad_operand, bad_field_name,
    reserved_field, conflicting_paths, bad_pattern, query_too_complex."""
    stages = _stages(given, inside=False)
    first = next((n for n, stage in enumerate(stages) if not isinstance(stage, Match)), len(stages))
    matches, rest = stages[:first], stages[first:]
    start: list[Stage] = [Match(all_hold([stage.where for stage in matches if isinstance(stage, Match)]))]
    completed = _completed(rest, list(BY_ID))
    if isinstance(completed[0], SortBy):
        start.append(completed.pop(0))
    if hidden := tuple(hidden):
        start.append(Hide(hidden))
    return (*start, *completed)


def leading(pipeline: Pipeline) -> Leading:
    first, *rest = pipeline
    where = first.where if isinstance(first, Match) else all_hold([])
    if rest and isinstance(rest[0], SortBy):
        return Leading(where, rest[0].sort, tuple(rest[1:]))
    return Leading(where, None, tuple(rest))


def _stages(given: object, *, inside: bool) -> list[Stage]:
    if not isinstance(given, list) or len(given) > MAX_STAGES:
        raise bad_request("query_too_complex", f"A pipeline is a list of at most {MAX_STAGES} stages.")
    stages: list[Stage] = []
    for number, stage in enumerate(given):
        if not isinstance(stage, dict) or len(stage) != 1:
            raise bad_request("bad_operand", "A stage is an object with one operator.")
        ((op, operand),) = stage.items()
        if op == "$facet":
            if inside or number != len(given) - 1:
                raise bad_request("bad_operand", "$facet is the last stage, and holds no further one.", operator=op)
            stages.append(_facet(operand))
        elif op in _PARSE:
            stages += _PARSE[op](operand)
        else:
            raise unknown(op, "pipeline", STAGES)
    return stages


def _completed(stages: list[Stage], ties: list[Path], ordered: bool = False) -> list[Stage]:
    """With all orders that are relied on, and all ties broken; ends in one order."""
    done: list[Stage] = []
    for given in stages:
        stage = given
        if not ordered and _relies_on_order(stage):
            done.append(_sort_by_ties(ties))
            ordered = True
        if isinstance(stage, SortBy):
            stage, ordered = SortBy(_with_ties(stage.sort, ties)), True
        elif isinstance(stage, Project):
            stage = replace(stage, kept=(*stage.kept, *(tie for tie in ties if tie not in stage.kept)))
        elif isinstance(stage, Unwind):
            stage = replace(stage, position=f"_place{len(ties)}")
            ties = [*ties, (stage.position,)]
        elif isinstance(stage, Group):
            ties, ordered = list(BY_ID), False
        elif isinstance(stage, Count):
            ties, ordered = [], True
        elif isinstance(stage, Facet):
            inner = ((name, tuple(_completed(list(inside), ties, ordered))) for name, inside in stage.pipelines)
            stage, ties, ordered = Facet(tuple(inner)), [], True
        done.append(stage)
    if not ordered:
        done.append(_sort_by_ties(ties))
    return [*done, Hide(tuple(ties[1:]))] if ties[1:] else done


def _relies_on_order(stage: Stage) -> bool:
    if isinstance(stage, Group):
        return any(field.op in _OF_AN_ORDER for field in stage.fields)
    return isinstance(stage, (Limit, Skip))


def _sort_by_ties(ties: list[Path]) -> SortBy:
    return SortBy(tuple((tie, 1) for tie in ties))


def _with_ties(sort: Sort, ties: list[Path]) -> Sort:
    there = {path for path, _ in sort}
    return (*sort, *((tie, 1) for tie in ties if tie not in there))


# --- single stages -------------------------------------------------------------------------------------------------


def _match(operand: Any) -> list[Stage]:
    return [Match(parse_filter(operand, _named))]


def _project(operand: Any) -> list[Stage]:
    kept: list[Path] = []
    made: list[tuple[str, Path]] = []
    for name, value in _fields("$project", operand).items():
        if isinstance(value, str):
            made.append((_new_name(name), _expression("$project", value)))
        elif value is True or (isinstance(value, int) and value == 1):
            kept.append(_named(name))
        else:
            _refuse_expression("$project", value, "1 for a field that stays, or the path of a value: $address.city")
    check_apart([*kept, *((name,) for name, _ in made)])
    return [Project(tuple(kept), tuple(made))]


def _unwind(operand: Any) -> list[Stage]:
    given = operand if isinstance(operand, dict) else {"path": operand}
    for name in given:
        if name not in ("path", "preserveNullAndEmptyArrays"):
            raise unknown(name, "$unwind", ("path", "preserveNullAndEmptyArrays"))
    keep = given.get("preserveNullAndEmptyArrays", False)
    if not isinstance(keep, bool):
        raise bad_request("bad_operand", "preserveNullAndEmptyArrays takes true or false.", operator="$unwind")
    return [Unwind(_expression("$unwind", given.get("path")), keep, "")]


def _group(operand: Any) -> list[Stage]:
    given = dict(_fields("$group", operand))
    if "_id" not in given:
        raise bad_request("bad_operand", "$group takes _id: a path, null, or an object of paths.", operator="$group")
    key = given.pop("_id")
    if isinstance(key, dict):
        named = {_new_name(name): _expression("$group", value) for name, value in _fields("$group", key).items()}
        return [Group(named, _accumulators(given))]
    return [Group(() if key is None else _expression("$group", key), _accumulators(given))]


def _accumulators(given: dict[str, Any]) -> tuple[Accumulate, ...]:
    fields: list[Accumulate] = []
    for name, value in given.items():
        if not isinstance(value, dict) or len(value) != 1:
            raise bad_request(
                "bad_operand", f"{quoted(name)} takes one of {', '.join(ACCUMULATORS)}.", operator="$group"
            )
        ((op, operand),) = value.items()
        if op not in ACCUMULATORS:
            raise unknown(op, "$group", ACCUMULATORS)
        fields.append(Accumulate(_new_name(name), *_accumulated(op, operand)))
    return tuple(fields)


def _accumulated(op: str, operand: Any) -> tuple[str, Path | float]:
    if op == "$count":
        if operand != {}:
            raise bad_request("bad_operand", "$count in a group takes {}.", operator=op)
        return "$sum", 1
    if op == "$sum" and isinstance(operand, (int, float)) and not isinstance(operand, bool):
        return op, operand
    return op, _expression(op, operand)


def _sort(operand: Any) -> list[Stage]:
    given = _fields("$sort", operand)
    if len(given) > MAX_SORT:
        raise bad_request("query_too_complex", f"Sort by at most {MAX_SORT} fields.", operator="$sort")
    if any(isinstance(way, bool) or way not in (1, -1) for way in given.values()):
        raise bad_request("bad_operand", "$sort takes 1 or -1 for each field.", operator="$sort")
    return [SortBy(tuple((_named(name), int(way)) for name, way in given.items()))]


def _limit(operand: Any) -> list[Stage]:
    return [Limit(_number("$limit", operand, 1))]


def _skip(operand: Any) -> list[Stage]:
    return [Skip(_number("$skip", operand, 0))]


def _count(operand: Any) -> list[Stage]:
    if not isinstance(operand, str):
        raise bad_request("bad_operand", "$count takes the name of the field for the number.", operator="$count")
    return [Count(_new_name(operand))]


def _sort_by_count(operand: Any) -> list[Stage]:
    group = Group(_expression("$sortByCount", operand), (Accumulate("count", "$sum", 1),))
    return [group, SortBy(((("count",), -1),))]


def _facet(operand: Any) -> Facet:
    given = _fields("$facet", operand)
    if len(given) > MAX_FACETS:
        raise bad_request("query_too_complex", f"$facet takes at most {MAX_FACETS} pipelines.", operator="$facet")
    return Facet(tuple((_new_name(name), tuple(_stages(inner, inside=True))) for name, inner in given.items()))


_PARSE: Final = {
    "$match": _match,
    "$project": _project,
    "$unwind": _unwind,
    "$group": _group,
    "$sort": _sort,
    "$skip": _skip,
    "$limit": _limit,
    "$count": _count,
    "$sortByCount": _sort_by_count,
}
STAGES: Final = (*_PARSE, "$facet")


# --- operands ------------------------------------------------------------------------------------------------------


def _named(name: str) -> Path:
    """The key of a group may be an object, so unlike in a document there is something inside _id."""
    if name.startswith("_id."):
        return ("_id", *parse_path(name.removeprefix("_id."), inside=True))
    return parse_path(name)


def _new_name(name: str) -> str:
    if name.startswith("$"):
        raise unknown(name, "new field", ("names and paths",))
    path = parse_path(name, writable=True)
    if len(path) > 1:
        raise bad_request("bad_field_name", f"{quoted(name)}: a new field has a name without dots.", field=name[:60])
    return name


def _expression(op: str, value: Any) -> Path:
    if not isinstance(value, str) or not value.startswith("$"):
        _refuse_expression(op, value, "the path of a value: $address.city")
    if value.startswith("$$"):
        raise unknown(value, op, ("the path of a value: $address.city",))
    return _named(value[1:])


def _refuse_expression(op: str, value: Any, takes: str) -> None:
    if isinstance(value, dict):
        for name in value:
            if name.startswith("$"):
                raise unknown(name, op, (takes,))
    raise bad_request("bad_operand", f"{op} takes {takes}.", operator=op)


def _fields(op: str, operand: Any) -> dict[str, Any]:
    if not isinstance(operand, dict) or not 1 <= len(operand) <= MAX_FIELDS:
        raise bad_request("bad_operand", f"{op} takes an object of 1 to {MAX_FIELDS} fields.", operator=op)
    return operand


def _number(op: str, operand: Any, least: int) -> int:
    if isinstance(operand, bool) or not isinstance(operand, int) or not least <= operand <= MAX_COUNT:
        raise bad_request("bad_operand", f"{op} takes a whole number from {least} to {MAX_COUNT}.", operator=op)
    return operand
