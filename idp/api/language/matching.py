"""Owns the Python compiler of filters: whether one document, as contract.view shows it, is meant."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from idp.api.language.filter import Combine, Compare, ElemMatch, Node
from idp.api.language.order import BOOLEAN, LIST, NULL, NUMBER, OBJECT, TEXT, bracket, key_of
from idp.api.language.paths import MISSING, Path, elements, ends

Predicate = Callable[[Mapping[str, Any]], bool]
Test = Callable[[Any], bool]
Tick = Callable[[], None]

_OPPOSITE: Final = {"$ne": "$eq", "$nin": "$in"}
_TYPES: Final = {"null": NULL, "bool": BOOLEAN, "number": NUMBER, "string": TEXT, "object": OBJECT, "array": LIST}
_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$gt": lambda a, b: a > b,
    "$gte": lambda a, b: a >= b,
    "$lt": lambda a, b: a < b,
    "$lte": lambda a, b: a <= b,
}


def no_tick() -> None: ...


def to_predicate(node: Node, tick: Tick = no_tick) -> Predicate:
    """tick: called before each comparison with one document, and may raise: a single document can be long work."""
    if isinstance(node, Combine):
        return _combined(node.op, [to_predicate(part, tick) for part in node.parts])
    test = _reaching(node, tick)
    return lambda view: tick() or test(view)  # type: ignore[func-returns-value]


def item_test(node: ElemMatch, tick: Tick = no_tick) -> Test:
    """Whether one item of a list satisfies the node."""
    if node.of_values:
        return _single(node.test, tick)
    inner = to_predicate(node.test, tick)
    # A list in a list has positions for names, and no filter can name a position.
    return lambda item: isinstance(item, (dict, list)) and inner(item if isinstance(item, dict) else {})


def _combined(op: str, parts: list[Test]) -> Test:
    if op == "$and":
        return lambda found: all(part(found) for part in parts)
    if op == "$or":
        return lambda found: any(part(found) for part in parts)
    return lambda found: not any(part(found) for part in parts)


def _reaching(node: Compare | ElemMatch, tick: Tick) -> Predicate:
    path: Path = node.path
    if isinstance(node, ElemMatch) or node.op == "$size":
        test = _single(node, tick)
        return lambda view: any(test(found) for found in ends(view, path))
    if node.op in _OPPOSITE:
        positive = _reaching(Compare(path, _OPPOSITE[node.op], node.operand), tick)
        return lambda view: not positive(view)
    if node.op == "$exists":
        return lambda view: any(found is not MISSING for found in ends(view, path)) is node.operand
    return _anywhere(path, _single(node, tick))


def _anywhere(path: Path, test: Test) -> Predicate:
    """For any of the elements. Most fields lie in objects only, and this runs for every document: so without a generator."""

    def predicate(view: Mapping[str, Any]) -> bool:
        value: Any = view
        for part in path:
            if isinstance(value, list):
                return any(map(test, elements(view, path)))
            value = value.get(part, MISSING) if isinstance(value, dict) else MISSING
        return test(value) or (isinstance(value, list) and any(map(test, value)))

    return predicate


def _single(node: Node, tick: Tick) -> Test:
    """The test of one value by itself; lists are not looked into."""
    if isinstance(node, Combine):
        return _combined(node.op, [_single(part, tick) for part in node.parts])
    if isinstance(node, ElemMatch):
        test = item_test(node, tick)
        return lambda found: isinstance(found, list) and any(tick() or test(item) for item in found)  # type: ignore[func-returns-value]
    op, operand = node.op, node.operand
    if op in _OPPOSITE:
        positive = _single(Compare((), _OPPOSITE[op], operand), tick)
        return lambda found: not positive(found)
    if op == "$regex":
        return lambda found: isinstance(found, str) and operand.found_in(found, tick)
    if op == "$size":
        return lambda found: isinstance(found, list) and len(found) == operand
    if op == "$type":
        wanted = {_TYPES[name] for name in operand}
        return lambda found: found is not MISSING and bracket(found) in wanted
    return _comparison(op, operand)


def _comparison(op: str, operand: Any) -> Test:
    if op == "$in":
        return _one_of(operand)
    kind = bracket(operand)
    if op != "$eq":
        ordered = _ORDER[op]
        return lambda found: bracket(found) == kind and ordered(found, operand)
    if kind == NULL:
        return lambda found: found is None or found is MISSING
    if kind in (OBJECT, LIST):
        key = key_of(operand)
        return lambda found: bracket(found) == kind and key_of(found) == key
    return lambda found: bool(found == operand) and bracket(found) == kind


def _one_of(operands: tuple[Any, ...]) -> Test:
    simple = frozenset((bracket(one), one) for one in operands if bracket(one) not in (OBJECT, LIST))
    whole = frozenset(key_of(one) for one in operands if bracket(one) in (OBJECT, LIST))

    def test(found: Any) -> bool:
        kind = bracket(found)
        if kind in (OBJECT, LIST):
            return bool(whole) and key_of(found) in whole
        return (kind, None if found is MISSING else found) in simple

    return test
