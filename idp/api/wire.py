"""Owns the one way in which foreign bytes become a request: `read_json` (or read_value), then the model of the operation.

Whether the caller may do it is left to the operation.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from idp.api.commands import Message, Operation
from idp.api.language import MAX_INTEGER
from idp.api.problems import bad_request

M = TypeVar("M", bound=Message)
MAX_BODY_BYTES = 1_048_576
# Far below what a reader of JSON can follow: what is accepted here must still be writable in every answer.
MAX_BODY_NESTING = 100


def read_json(raw: bytes) -> dict[str, Any]:
    """The JSON object of a request. Raises Refused 400 malformed_json, as read_value."""
    tree = read_value(raw)
    if not isinstance(tree, dict):
        raise bad_request("malformed_json", "The body must be a JSON object.")
    return tree


def read_value(raw: bytes) -> Any:
    """Any JSON. Raises Refused 400 malformed_json for what cannot be stored or read one way only: duplicate names, NaN and
    infinity, integers beyond 64 bits, lone surrogates, nesting without end."""
    try:
        tree = _READER.decode(raw.decode())
        _check_nesting(tree)
        json.dumps(tree, ensure_ascii=False).encode()  # a lone surrogate cannot be encoded
    except (ValueError, RecursionError) as error:
        raise bad_request(
            "malformed_json", "The body is not JSON that can be accepted.", why=str(error)[:120]
        ) from None
    return tree


def _check_nesting(tree: object) -> None:
    level, depth = [tree], 0
    while level := [part for part in level if isinstance(part, (dict, list))]:
        depth += 1
        if depth > MAX_BODY_NESTING:
            raise ValueError(f"it is nested more than {MAX_BODY_NESTING} deep")
        level = [inner for part in level for inner in (part.values() if isinstance(part, dict) else part)]


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object holds the same name twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _int64(text: str) -> int:
    if len(text) > 20 or abs(value := int(text)) > MAX_INTEGER:
        raise ValueError("an integer has more than 64 bits")
    return value


_READER = json.JSONDecoder(
    object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_finite, parse_int=_int64
)


def to_request(operation: Operation, members: Mapping[str, Any]) -> Message:
    """Raises Refused 400 invalid_request with every member that is wrong."""
    return validated(operation.request, members)


def validated(model: type[M], members: Mapping[str, Any]) -> M:
    """As to_request."""
    try:
        return model.model_validate(dict(members))
    except ValidationError as error:
        wrong = [
            {
                "field": ".".join(str(part) for part in e["loc"])[:120],
                "problem": e["msg"].removeprefix("Value error, ")[:200],
            }
            for e in error.errors(include_url=False, include_input=False, include_context=False)[:20]
        ]
        first = f"{wrong[0]['field']}: {wrong[0]['problem']}".lstrip(": ")
        raise bad_request("invalid_request", f"The request is not valid: {first}.", errors=wrong) from None
