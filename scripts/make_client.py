"""Writes clients/python/sheaf_client/operations.py from the commands of the companion: `python -m scripts.make_client`."""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from idp.api.commands import OPERATIONS, Effect, Nothing, Operation
from idp.api.transports.openapi import SCHEMAS, description

TARGET = Path(__file__).parents[1] / "clients" / "python" / "sheaf_client" / "operations.py"
HEAD = '''"""Every operation of the companion as a typed method. Written by scripts/make_client.py; do not edit."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Literal, NotRequired, TypedDict, cast

from sheaf_client.unset import UNSET, Unset

Call = Callable[[str, Mapping[str, Any]], Any]
AsyncCall = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
'''
SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
Schema = Mapping[str, Any]


def written() -> str:
    schemas: Mapping[str, Schema] = description("http://issuer", "http://api")["components"]["schemas"]
    requests = {operation.request.__name__ for operation in OPERATIONS.values()}
    answers = _needed(schemas, requests)
    parts = [HEAD, *(_typed_dict(name, schemas[name]) for name in answers), _effects()]
    areas = dict.fromkeys(name.partition(".")[0] for name in OPERATIONS)
    for is_async in (False, True):
        parts += [_area(area, schemas, is_async=is_async) for area in areas]
        parts.append(_all(areas, is_async=is_async))
    return "\n\n".join(part.strip("\n") + "\n" for part in parts)


def _needed(schemas: Mapping[str, Schema], requests: set[str]) -> list[str]:
    """What answers, and requests in their members, refer to; what is referred to stands first."""
    found: dict[str, None] = {}

    def visit(schema: object) -> None:
        for reference in _references(schema):
            if reference not in found:
                visit(schemas[reference])
                found.setdefault(reference)

    for name in sorted(requests & schemas.keys()):
        visit(schemas[name].get("properties", {}))
    for operation in OPERATIONS.values():
        if operation.response is not Nothing:
            visit({"$ref": SCHEMAS + operation.response.__name__})
    return list(found)


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(SCHEMAS)
        schema = list(schema.values())
    for part in schema if isinstance(schema, list) else ():
        yield from _references(part)


def _typed_dict(name: str, schema: Schema) -> str:
    lines = [f"class {name}(TypedDict):"]
    if said := schema.get("description"):
        lines += ['    """' + re.sub(r"\s+", " ", said) + '"""', ""]
    required = schema.get("required", [])
    for member, part in schema.get("properties", {}).items():
        kind = _type(part)
        lines.append(f"    {member}: {kind if member in required else f'NotRequired[{kind}]'}")
    return "\n".join(lines if schema.get("properties") else [*lines, "    pass"])


def _effects() -> str:
    names = sorted(name for name, operation in OPERATIONS.items() if issubclass(operation.request, Effect))
    lines = "\n".join(f'        "{name}",' for name in names)
    said = "# Those that change something: repeated safely only with an idempotency key."
    return f"{said}\nEFFECTS: Final = frozenset(\n    {{\n{lines}\n    }}\n)"


def _area(area: str, schemas: Mapping[str, Schema], *, is_async: bool) -> str:
    name = ("Async" if is_async else "") + area.title().replace("_", "")
    call = "AsyncCall" if is_async else "Call"
    lines = [f"class {name}:", f"    def __init__(self, call: {call}) -> None:", "        self._call = call"]
    for operation in OPERATIONS.values():
        if operation.name.startswith(area + "."):
            lines += ["", *_method(operation, schemas[operation.request.__name__], is_async=is_async)]
    return "\n".join(lines)


def _method(operation: Operation, request: Schema, *, is_async: bool) -> Iterator[str]:
    verb = operation.name.partition(".")[2]
    wait, keyword = ("await ", "async def") if is_async else ("", "def")
    gives = "None" if operation.response is Nothing else operation.response.__name__
    members = request.get("properties", {})
    required = request.get("required", [])
    yield f"    {keyword} {verb}("
    yield "        self,"
    if members:
        yield "        *,"
    for member in sorted(members, key=lambda one: (one not in required, one == "idempotency_key")):
        kind = _type(members[member], given=True)
        yield f"        {member}: {kind}," if member in required else f"        {member}: {_optional(kind)} = UNSET,"
    yield f"    ) -> {gives}:"
    said = re.sub(r"\s+", " ", f"{operation.summary}. {request.get('description', '')}").strip()
    yield f'        """{said}"""'
    given = "{" + ", ".join(f'"{member}": {member}' for member in members) + "}"
    call = f'{wait}self._call("{operation.name}", {given})'
    yield f"        {call}" if gives == "None" else f"        return cast({gives}, {call})"


def _optional(kind: str) -> str:
    return f"{kind.removesuffix(' | None')} | Unset | None" if kind.endswith(" | None") else f"{kind} | Unset"


def _all(areas: Mapping[str, None], *, is_async: bool) -> str:
    prefix = "Async" if is_async else ""
    lines = [
        f"class {prefix}Operations:",
        f"    def __init__(self, call: {prefix}Call) -> None:",
        *(f"        self.{area} = {prefix}{area.title().replace('_', '')}(call)" for area in areas),
    ]
    return "\n".join(lines)


def _type(schema: Schema, *, given: bool = False) -> str:
    """given: of a parameter, which takes any mapping and any sequence."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(SCHEMAS)
    if "enum" in schema or "const" in schema:
        return f"Literal[{', '.join(map(repr, schema.get('enum', [schema.get('const')])))}]"
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(part, given=given) for part in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"{'Sequence' if given else 'list'}[{_type(schema.get('items', {}), given=given)}]"
    if schema.get("type") == "object":
        inner = schema.get("additionalProperties", True)
        kind = _type(inner, given=given) if isinstance(inner, Mapping) else "Any"
        return f"{'Mapping' if given else 'dict'}[str, {kind}]"
    return SIMPLE.get(str(schema.get("type")), "Any")


def main() -> None:
    TARGET.write_text(written())
    sys.stdout.write(f"wrote {TARGET.name}\n")


if __name__ == "__main__":
    main()
