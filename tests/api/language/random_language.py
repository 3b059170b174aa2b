"""Random documents, filters and pipelines: small enough that they meet one another often."""

import random
from collections.abc import Callable
from typing import Any

PATHS = ("a", "b", "c", "a.b", "b.a", "c.a.b", "a.c")
PATTERNS = ("^x", "y$", "^[xy]{1,2}$", "x|y", "[^x]", ".y", "(?:x|z)?y", "X")
TYPES = ("null", "bool", "number", "string", "object", "array")


def value(dice: random.Random, depth: int = 0, least: int = 0) -> Any:
    """least: how much there is in lists and objects."""
    kind = dice.random()
    if depth < 3 and kind < 0.25:
        return [value(dice, depth + 1, least) for _ in range(dice.randint(least, 3))]
    if depth < 3 and kind < 0.4:
        return data(dice, depth + 1, least)
    return dice.choice(
        [0, 1, 2, 3, 1.0, 2.5, -1, 2**53 + 1, 2**62, True, False, None, "", "x", "y", "xy", "X", "é\ny", "1"]
    )


def data(dice: random.Random, depth: int = 0, least: int = 0) -> dict[str, Any]:
    names = dice.sample("abc", dice.randint(least, 3))
    return {name: value(dice, depth, least) for name in (sorted(names) if least else names)}


def filter(dice: random.Random, depth: int = 0) -> dict[str, Any]:
    if depth < 2 and dice.random() < 0.25:
        return {dice.choice(("$and", "$or", "$nor")): [filter(dice, depth + 1) for _ in range(dice.randint(1, 3))]}
    return {dice.choice(PATHS): condition(dice, depth) for _ in range(dice.randint(1, 2))}


def condition(dice: random.Random, depth: int) -> Any:
    kind = dice.random()
    if kind < 0.2:
        return dice.choice([0, 1, 2.5, True, None, "x", ""])
    if kind < 0.3:
        return {"$elemMatch": _of_item(dice)}
    if kind < 0.4:
        return {"$all": [value(dice, 2) for _ in range(dice.randint(1, 2))]}
    if depth < 3 and kind < 0.5:
        return {"$not": _operators(dice)}
    return _operators(dice)


def _of_item(dice: random.Random) -> dict[str, Any]:
    """The stand-in knows no $or, $nor and $not in here, and takes no list in a list for an object without fields."""
    if dice.random() < 0.5:
        return _operators(dice)
    return {
        name: {"$in": [value(dice, 3) or 1, dice.choice((1, "x"))]} for name in dice.sample(("a", "b", "c", "a.b"), 2)
    }


def _operators(dice: random.Random) -> dict[str, Any]:
    return dict(dice.choice(_TESTS)(dice) for _ in range(dice.choice((1, 1, 2))))


_TESTS: list[Callable[[random.Random], tuple[str, Any]]] = [
    lambda dice: (dice.choice(("$eq", "$ne")), value(dice, 1)),
    lambda dice: (dice.choice(("$gt", "$gte", "$lt", "$lte")), dice.choice([0, 1, 2.5, 2**53, "x", ""])),
    lambda dice: (dice.choice(("$in", "$nin")), [value(dice, 2) for _ in range(dice.randint(0, 3))]),
    lambda dice: ("$size", dice.randint(0, 3)),
    lambda dice: ("$type", dice.sample(TYPES, dice.randint(1, 2))),
    lambda dice: ("$regex", dice.choice(PATTERNS)),
    lambda dice: ("$elemMatch", _of_item(dice)),
]


def pipeline(dice: random.Random, depth: int = 0) -> list[dict[str, Any]]:
    stages = [dice.choice(_STAGES)(dice) for _ in range(dice.randint(1, 4))]
    if depth == 0 and dice.random() < 0.15:
        stages.append({"$facet": {"f": pipeline(dice, 1), "g": pipeline(dice, 1)}})
    return stages


def _path(dice: random.Random) -> str:
    return "$" + dice.choice(("a", "b", "c", "_id", "n"))  # of paths through lists the stand-in makes something else


def _group(dice: random.Random) -> dict[str, Any]:
    key = dice.choice([None, _path(dice), {"x": _path(dice)}, {"x": _path(dice), "y": _path(dice)}])
    ops = ("$sum", "$avg", "$min", "$max", "$push", "$addToSet", "$first", "$last")
    fields = {name: {dice.choice(ops): _path(dice)} for name in dice.sample("abcn", dice.randint(0, 3))}
    return {"$group": {"_id": key, **fields, "k": {"$count": {}}}}


_STAGES: list[Callable[[random.Random], dict[str, Any]]] = [
    lambda dice: {"$match": filter(dice)},
    lambda dice: {"$match": filter(dice)},
    lambda dice: {"$project": {"a": 1, "c": 1, "n": _path(dice)}},
    lambda dice: {"$project": {"b": _path(dice), "c": 1}},
    lambda dice: {"$unwind": {"path": _path(dice), "preserveNullAndEmptyArrays": dice.random() < 0.5}},
    lambda dice: {"$unwind": "$" + dice.choice("abc")},
    _group,
    _group,
    lambda dice: {"$sort": {dice.choice("abcn"): dice.choice((1, -1))}},
    lambda dice: {"$limit": dice.randint(1, 30)},
    lambda dice: {"$skip": dice.randint(0, 5)},
    lambda dice: {"$count": "n"},
    lambda dice: {"$sortByCount": _path(dice)},
]
