"""Owns the description of the REST transport as OpenAPI 3.1, made from the commands and the table of routes: nothing is said twice.

Serving it is left to rest.py.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from pydantic.json_schema import models_json_schema

import idp
from idp.api.commands import OPERATIONS, Effect, Nothing, Operation
from idp.api.transports.routes import BODY_OPTIONAL, ROUTES, STREAMED, VERSIONED, Route

SCHEMAS: Final = "#/components/schemas/"
BYTES: Final = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")

Schema = dict[str, Any]


@lru_cache(maxsize=4)
def description(issuer: str, server: str) -> Schema:
    """server: the address under which clients reach this API."""
    components = _components()
    paths: dict[str, Schema] = {}
    for route in ROUTES + STREAMED:
        path = _VARIABLE.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sheaf companion API",
            "version": idp.__version__,
            "description": "Documents and queues, where every request carries its own token.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "openIdConnect",
                    "openIdConnectUrl": f"{issuer.rstrip('/')}/.well-known/openid-configuration",
                    "description": "An access token of the issuer for the audience of this API, as Bearer or DPoP.",
                }
            },
            "responses": {"Problem": _problem()},
        },
    }


def _components() -> dict[str, Schema]:
    models = {model for o in OPERATIONS.values() for model in (o.request, o.response) if model is not Nothing}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, top = models_json_schema([(model, "validation") for model in ordered], ref_template=SCHEMAS + "{model}")
    return dict(sorted(top["$defs"].items()))


def _operation(route: Route, components: Mapping[str, Schema]) -> Schema:
    operation = OPERATIONS[route.operation]
    named = _VARIABLE.findall(route.path)
    request = components[operation.request.__name__]
    said: Schema = {
        "operationId": operation.name.replace(".", "_"),
        "summary": operation.summary,
        "tags": [operation.name.partition(".")[0]],
        "security": [{"token": [operation.scope]}],
        "parameters": [*_in_path(named, request), *_headers(route, operation)],
        "responses": {str(route.status): _answer(operation), "default": {"$ref": "#/components/responses/Problem"}},
    }
    body = _without(request, {*named, "idempotency_key"})
    if route in STREAMED:
        content = {"requestBody": {"required": True, "content": BYTES}} if route.has_body else {}
        return said | content
    if route.has_body and body["properties"]:
        required = route.operation not in BODY_OPTIONAL
        said["requestBody"] = {"required": required, "content": {"application/json": {"schema": body}}}
    return said


def _in_path(named: Iterable[str], request: Schema) -> list[Schema]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": request.get("properties", {}).get(name, {"type": "string"}),
        }
        for name in named
    ]


def _headers(route: Route, operation: Operation) -> list[Schema]:
    headers = []
    if issubclass(operation.request, Effect):
        said = "The same key with the same request has its effect once, and gives the same answer, for a day."
        headers.append(_header("Idempotency-Key", said))
    if route.operation in VERSIONED:
        headers.append(_header("If-Match", "The ETag that the document must still have."))
    return headers


def _header(name: str, said: str) -> Schema:
    return {"name": name, "in": "header", "required": False, "description": said, "schema": {"type": "string"}}


def _answer(operation: Operation) -> Schema:
    if operation.response is Nothing:
        return {"description": "Done."}
    if operation.name == "files.download":
        return {"description": "The bytes of the file.", "content": BYTES}
    schema = {"$ref": SCHEMAS + operation.response.__name__}
    return {"description": "The answer.", "content": {"application/json": {"schema": schema}}}


def _without(schema: Schema, names: set[str]) -> Schema:
    """What is left for the body when these members come by other ways."""
    kept = {name: part for name, part in schema.get("properties", {}).items() if name not in names}
    required = [name for name in schema.get("required", ()) if name not in names]
    body: Schema = {"type": "object", "properties": kept, "additionalProperties": False}
    return body | ({"required": required} if required else {})


def _problem() -> Schema:
    text = {"type": "string"}
    members = {"type": text, "title": text, "status": {"type": "integer"}, "detail": text, "code": text, "trace": text}
    schema = {"type": "object", "properties": members, "required": sorted(members)}
    return {"description": "A refusal (RFC 9457).", "content": {"application/problem+json": {"schema": schema}}}
