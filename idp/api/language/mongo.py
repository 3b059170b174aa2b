"""Owns the MongoDB compiler of filters and pipelines. Of the client it passes on values and names of fields, nothing else."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from idp.api.language.aggregate import MAX_FACET_ROWS, leading
from idp.api.language.filter import Combine, Compare, ElemMatch, Node
from idp.api.language.paths import SYSTEM_FIELDS, Path, mongo_path
from idp.api.language.regex import Regex
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

Placed = Callable[[Path], str]


def to_mongo(node: Node, placed: Placed = mongo_path) -> dict[str, Any]:
    """placed: where a field is; by default in the stored form of documents."""
    if not isinstance(node, Combine):
        return {placed(node.path): _condition(node)}
    parts = [to_mongo(part, placed) for part in node.parts]
    return _together(parts) if node.op == "$and" else {node.op: parts}


def _together(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """All of them in one object; under $and only what says the same of a field once more."""
    whole: dict[str, Any] = {}
    again: list[dict[str, Any]] = []
    for name, condition in (item for part in parts for item in part.items()):
        there = whole.setdefault(name, {} if isinstance(condition, dict) else condition)
        if isinstance(there, dict) and not there.keys() & condition.keys():
            there.update(condition)
        elif there is not condition:
            again.append({name: condition})
    return whole | {"$and": [*whole.get("$and", []), *again]} if again else whole


def _condition(node: Compare | ElemMatch) -> dict[str, Any]:
    if isinstance(node, ElemMatch):
        return {"$elemMatch": _of_item(node.test) if node.of_values else to_mongo(node.test, ".".join)}
    operand = node.operand
    if isinstance(operand, Regex):
        return {node.op: operand.source}
    return {node.op: list(operand) if isinstance(operand, tuple) else operand}


def _of_item(node: Node) -> dict[str, Any]:
    """The tests of one item stand beside one another; they have different operators."""
    tests = node.parts if isinstance(node, Combine) else (node,)
    return {op: operand for test in tests if not isinstance(test, Combine) for op, operand in _condition(test).items()}


# --- pipelines -----------------------------------------------------------------------------------------------------


def pipeline_to_mongo(pipeline: Pipeline, at_most: int) -> list[dict[str, Any]]:
    """Stages behind the store's own $match (rights, expiry) on the stored form. What begins a pipeline stays on the stored
    form, where the indexes are; the rest sees documents as contract.view shows them. At most at_most + 1 rows."""
    first = leading(pipeline)
    stages: list[dict[str, Any]] = [{"$match": where}] if (where := to_mongo(first.where)) else []
    if first.sort:
        stages.append({"$sort": {mongo_path(path): way for path, way in first.sort}})
    seen = {name: "$" + ("_id" if name == "_id" else attribute) for name, attribute in SYSTEM_FIELDS.items()}
    stages.append({"$replaceWith": {"$mergeObjects": ["$data", seen]}})
    return [*stages, *_stages((*first.rest, Limit(at_most + 1)))]


def _stages(pipeline: Pipeline) -> list[dict[str, Any]]:
    return [made for stage in pipeline for made in _STAGES[type(stage)](stage)]


def _facet(stage: Facet) -> list[dict[str, Any]]:
    cut = Limit(MAX_FACET_ROWS + 1)
    return [{"$facet": {name: _stages((*inner, cut)) for name, inner in stage.pipelines}}]


def _project(stage: Project) -> list[dict[str, Any]]:
    kept = {".".join(path): 1 for path in stage.kept}
    return [{"$project": kept | {name: _value(path) for name, path in stage.made}}]


def _hide(stage: Hide) -> list[dict[str, Any]]:
    if () in stage.paths:
        return [{"$project": dict.fromkeys(SYSTEM_FIELDS, 1)}]
    return [{"$unset": [".".join(path) for path in stage.paths]}]


def _unwind(stage: Unwind) -> list[dict[str, Any]]:
    path, position = _value(stage.path), stage.position
    return [{"$unwind": {"path": path, "includeArrayIndex": position, "preserveNullAndEmptyArrays": stage.keep_empty}}]


def _group(stage: Group) -> list[dict[str, Any]]:
    key: Any = None
    if isinstance(stage.key, dict):  # what is not there would be left out of the key
        key = {name: {"$ifNull": [_value(path), None]} for name, path in stage.key.items()}
    elif stage.key:
        key = _value(stage.key)
    fields = {field.name: {field.op: _operand(field.operand)} for field in stage.fields}
    sets = [field.name for field in stage.fields if field.op == "$addToSet"]
    in_order = {name: {"$sortArray": {"input": "$" + name, "sortBy": 1}} for name in sets}
    return [{"$group": {"_id": key, **fields}}, *([{"$set": in_order}] if in_order else [])]


def _operand(operand: Path | float) -> str | float:
    return _value(operand) if isinstance(operand, tuple) else operand


def _value(path: Path) -> str:
    return "$" + ".".join(path)


_STAGES: Final[Mapping[type[Stage], Callable[[Any], list[dict[str, Any]]]]] = {
    Match: lambda stage: [{"$match": to_mongo(stage.where, ".".join)}],
    Hide: _hide,
    Project: _project,
    Unwind: _unwind,
    Group: _group,
    SortBy: lambda stage: [{"$sort": {".".join(path): way for path, way in stage.sort}}],
    Limit: lambda stage: [{"$limit": stage.count}],
    Skip: lambda stage: [{"$skip": stage.count}],
    Count: lambda stage: [{"$group": {"_id": None, stage.name: {"$sum": 1}}}, {"$project": {"_id": 0}}],
    Facet: _facet,
}
