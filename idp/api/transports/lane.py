"""Owns the JSON routes of REST as plain WSGI: HTTP to requests, answers and refusals back. No rights, no rules.

It stands in front of the Flask application of rest.py, which costs several times as much for each request and has all the rest:
files, health, descriptions, and the answers to paths and methods that are none of these. RFC 9110, RFC 9457.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from idp.api.commands import OPERATIONS, Message, Nothing
from idp.api.commands.documents import DocumentReply, DocumentStamp
from idp.api.problems import bad_request, tell
from idp.api.sender import Carried
from idp.api.transports.http import authorization, cors, if_match, proof, token_in_url, unknown_operation
from idp.api.transports.routes import BODY_OPTIONAL, ROUTES, VERSIONED, Route
from idp.api.wire import MAX_BODY_BYTES, read_json
from idp.base.errors import Refused

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from idp.api.gate import Api

ALWAYS: Final = [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]
COMMANDS: Final = "/commands/<operation>"
SHORT: Final = frozenset({"documents.get", "documents.query"})
STATUS_LINES: Final = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}

Headers = list[tuple[str, str]]
Answer = tuple[int, Headers, bytes]


class Lane:
    """origins: of pages that may use this from a browser. others: the application for everything else."""

    def __init__(self, api: "Api", origins: Collection[str], others: "WSGIApplication") -> None:
        self._api = api
        self._origins = origins
        self._others = others
        self._table = _table()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if not path.isascii():
            path = path.encode("latin-1").decode(errors="replace")  # PEP 3333: bytes spelled in Latin-1
        found = self._found(method, path)
        if found is None:
            return self._others(environ, start_response)
        route, values = found
        named = dict(zip(route.variables, values, strict=True))
        try:
            status, headers, body = self._answer(environ, path, route.route, named)
        except Exception as error:  # noqa: BLE001  (the one place where these are refused; told and logged)
            told = tell(error, method=method, path=path)
            kind = ("Content-Type", "application/problem+json")
            status, headers, body = told.status, [kind, *told.headers.items()], json.dumps(told.body).encode()
        headers += [*ALWAYS, *cors(environ.get("HTTP_ORIGIN"), self._origins).items()]
        if status != HTTPStatus.NO_CONTENT:
            headers.append(("Content-Length", str(len(body))))
        start_response(STATUS_LINES[status], headers)
        return [] if method == "HEAD" else [body]

    def is_short(self, method: str, path: str) -> bool:
        """Does its answer cost less than changing to a thread and back, when the documents are in a file here?"""
        found = self._found(method, path)
        return found is not None and found[0].route.operation in SHORT

    def _found(self, method: str, path: str) -> "tuple[_Leaf, tuple[str, ...]] | None":
        return _find(self._table.get("GET" if method == "HEAD" else method, {}), path.split("/")[1:], ())

    def _answer(self, environ: "WSGIEnvironment", path: str, route: Route, named: Mapping[str, str]) -> Answer:
        operation = route.operation or named["operation"]
        if not route.operation:
            if operation not in OPERATIONS:
                raise unknown_operation(operation)
            route, named = Route("POST", path, operation), {}
        query = environ["QUERY_STRING"]
        if query and any(name == "access_token" for name, _ in parse_qsl(query, keep_blank_values=True)):
            raise token_in_url()
        presented, carried = authorization(_one(environ, "HTTP_AUTHORIZATION")), _carried(environ, path)
        caller = self._api.admit(operation, presented, carried)
        members = partial(_members, environ, route, named)
        return _told(route, named, self._api.answer(operation, caller, members, presented, carried))


# --- which route ---------------------------------------------------------------------------------------------------


class _Leaf:
    __slots__ = ("route", "variables")

    def __init__(self, route: Route) -> None:
        self.route = route
        self.variables = tuple(part.strip("<>") for part in route.path.split("/") if part.startswith("<"))


# Segment of the path -> what follows; None for a variable one, "" for the end.
Tree = dict[str | None, Any]


def _table() -> dict[str, Tree]:
    table: dict[str, Tree] = {}
    for route in (*ROUTES, Route("POST", COMMANDS, "")):
        place = table.setdefault(route.method, {})
        for segment in route.path.split("/")[1:]:
            place = place.setdefault(None if segment.startswith("<") else segment, {})
        place[""] = _Leaf(route)
    return table


def _find(tree: Tree, segments: list[str], values: tuple[str, ...]) -> tuple[_Leaf, tuple[str, ...]] | None:
    """What is written out goes before what is variable."""
    if not segments:
        leaf = tree.get("")
        return None if leaf is None else (leaf, values)
    first, others = segments[0], segments[1:]
    if not first:
        return None
    if first in tree and (found := _find(tree[first], others, values)):
        return found
    return _find(tree[None], others, (*values, first)) if None in tree else None


# --- the request ---------------------------------------------------------------------------------------------------


def _one(environ: "WSGIEnvironment", name: str) -> list[str]:
    """Two headers of one name were joined by the server with a comma."""
    return [environ[name]] if name in environ else []


def _carried(environ: "WSGIEnvironment", path: str) -> Carried:
    headers = {name[5:].lower().replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_")}
    shown = proof(_one(environ, "HTTP_DPOP"))
    peer, priority = environ.get("REMOTE_ADDR", ""), environ.get("HTTP_SHEAF_PRIORITY")
    return Carried(environ["REQUEST_METHOD"], path, shown, peer, headers, priority=priority)


def _members(environ: "WSGIEnvironment", route: Route, named: Mapping[str, str]) -> dict[str, Any]:
    """Body, path and headers make one request. A member of the path cannot be given again in the body."""
    if environ["QUERY_STRING"].strip("&"):
        raise bad_request("unknown_parameter", "This API takes no query parameters.")
    members = _body(environ, route)
    if twice := members.keys() & named.keys():
        raise bad_request("invalid_request", f"Given by the path already: {', '.join(sorted(twice))}.")
    if route.operation in VERSIONED and (wanted := if_match(environ.get("HTTP_IF_MATCH"))) is not None:
        if members.get("version", wanted) != wanted:
            raise bad_request("invalid_request", "If-Match and `version` name different versions.")
        members["version"] = wanted
    if (key := environ.get("HTTP_IDEMPOTENCY_KEY")) is not None:
        if members.get("idempotency_key", key) != key:
            raise bad_request("invalid_request", "Idempotency-Key and `idempotency_key` differ.")
        members["idempotency_key"] = key
    return {**members, **named}


def _body(environ: "WSGIEnvironment", route: Route) -> dict[str, Any]:
    raw = _raw(environ)
    if not route.has_body:
        if raw:
            raise bad_request("unexpected_body", "This request takes no body.")
        return {}
    if not raw and route.operation in BODY_OPTIONAL:
        return {}
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused("unsupported_media_type", "Send JSON: Content-Type: application/json.", status=415)
    return read_json(raw)


def _raw(environ: "WSGIEnvironment") -> bytes:
    given = environ.get("CONTENT_LENGTH") or ""
    length = int(given) if given.isascii() and given.isdigit() and len(given) < 20 else 0
    if not given and environ.get("wsgi.input_terminated"):
        length = MAX_BODY_BYTES + 1
    raw: bytes = b"" if length > MAX_BODY_BYTES and given else environ["wsgi.input"].read(length) if length else b""
    if length > MAX_BODY_BYTES and (given or len(raw) > MAX_BODY_BYTES):
        said = f"A request is at most {MAX_BODY_BYTES} bytes."
        raise Refused("body_too_large", said, status=413, detail={"limit": MAX_BODY_BYTES})
    return raw


# --- the answer ----------------------------------------------------------------------------------------------------


def _told(route: Route, named: Mapping[str, str], answer: Message) -> Answer:
    if isinstance(answer, Nothing) and route.status == HTTPStatus.NO_CONTENT:
        return route.status, [], b""
    headers: Headers = [("Content-Type", "application/json")]
    if named and isinstance(answer, (DocumentStamp, DocumentReply)):
        headers.append(("ETag", f'"{answer.version}"'))
    if route.operation == "documents.insert" and named and isinstance(answer, DocumentStamp):
        headers.append(("Location", f"/documents/{named['collection']}/{answer.id}"))
    return route.status, headers, answer.model_dump_json().encode()
