"""Owns files over REST: bytes of a body become a file, a file becomes the body of an answer, whole or a range (RFC 9110 14).

Nothing here holds a whole file: parts come from the request as they arrive, and go out as the server asks for them. The
checksum travels in Repr-Digest (RFC 9530), the name in Content-Disposition (RFC 6266).
"""

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from flask import Flask, Response, request
from werkzeug.exceptions import ClientDisconnected
from werkzeug.http import parse_options_header

from idp.api.caller import Caller
from idp.api.commands import OPERATIONS
from idp.api.commands.files import FileReply, GetFile, NewContent, NewFile
from idp.api.files.contract import CHUNK_BYTES
from idp.api.files.files import Asking
from idp.api.problems import bad_request
from idp.api.transports.http import if_match
from idp.api.transports.routes import STREAMED, Route
from idp.api.wire import to_request
from idp.base.errors import Refused

if TYPE_CHECKING:
    from idp.api.gate import Api

_SHA256 = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_ASKED: Final = {"files.upload": NewFile, "files.replace": NewContent, "files.download": GetFile}
_PATTERNS: Final = [(route, re.compile(re.sub(r"<\w+>", "[^/]+", route.path))) for route in STREAMED]
Admit = Callable[[str], Caller]  # who sends this request for the operation


def add_routes(app: Flask, api: "Api", admit: Admit) -> None:
    for route in STREAMED:
        view = partial(_serve, api, admit, route)
        app.add_url_rule(route.path, f"{route.operation} streamed", view, methods=[route.method])
    app.extensions["sheaf_streams"] = is_streamed


def is_streamed(method: str, path: str) -> bool:
    """For the server: bodies of these requests are not to be read before, their answers not to be gathered."""
    return any(method == route.method and pattern.fullmatch(path) for route, pattern in _PATTERNS)


def _serve(api: "Api", admit: Admit, route: Route, **path: str) -> Response:
    operation = replace(OPERATIONS[route.operation], request=_ASKED[route.operation])
    caller = admit(route.operation)
    try:
        caller.require_scope(operation.scope)
        if request.args:
            raise bad_request("unknown_parameter", "This API takes no query parameters.")
        asking = _asking(api, caller, operation.scope)
        if route.method == "GET":
            return _download(api, asking, to_request(operation, path))
        asked: Any = to_request(operation, {**_said(), **path})
        return _upload(api, route, asking, asked)
    except Refused as refused:
        api.audit.note(refused, route.operation, caller, path)
        raise


def _asking(api: "Api", first: Caller, scope: str) -> Asking:
    """A transfer can be long: what the token is worth is asked again whenever rights are."""
    token = request.headers["Authorization"].partition(" ")[2].strip()

    def asking() -> Caller:
        caller = api.judge.again(token)
        caller.require_scope(scope)
        return api.roles.complete(caller)

    return asking


def _said() -> dict[str, Any]:
    """What the headers say of the file."""
    headers = request.headers
    members: dict[str, Any] = {}
    if given := headers.get("Content-Type"):  # WSGI tells none and an empty one in the same way
        members["type"] = given
    if (given := headers.get("Content-Disposition")) is not None:
        _, options = parse_options_header(given)
        if "filename" not in options:
            raise bad_request("bad_disposition", "Content-Disposition gives the name: attachment; filename*=UTF-8''….")
        members["name"] = options["filename"]
    if (given := headers.get("Repr-Digest")) is not None:
        found = _SHA256.search(given)
        if found is None:
            raise bad_request("bad_digest", "Repr-Digest holds a SHA-256: sha-256=:base64:.")
        members["sha256"] = base64.b64decode(found[1]).hex()
    if (given := headers.get("Idempotency-Key")) is not None:
        members["idempotency_key"] = given
    if (version := if_match(headers.get("If-Match"))) is not None:
        members["version"] = version
    return members


def _upload(api: "Api", route: Route, asking: Asking, asked: NewFile) -> Response:
    # Servers do not tell a body without a length that was cut off from one that ended.
    length = request.content_length if request.environ.get("CONTENT_LENGTH") else None
    if length is None:
        raise Refused("length_required", "Say how long the file is: Content-Length.", status=411)
    if length > api.files.max_bytes:
        raise api.files.too_large()
    request.max_content_length = length  # and not that of a request of JSON
    reply = api.files.receive(asking, asked, _parts(length))
    response = Response(reply.model_dump_json(), route.status, mimetype="application/json")
    response.headers["Location"] = f"/files/{asked.collection}/{reply.id}"
    return _with_validators(response, reply)


def _parts(length: int) -> Iterator[bytes]:
    """Raises Refused 400 when the sender goes before the end: what was stored until then is no file."""
    try:
        while length > 0:
            part = request.stream.read(min(length, CHUNK_BYTES))
            if not part:
                raise EOFError
            length -= len(part)
            yield part
    except (OSError, EOFError, ClientDisconnected):
        raise bad_request("upload_cut_off", "The upload ended before its Content-Length.") from None


def _download(api: "Api", asking: Asking, asked: Any) -> Response:
    reply, read = api.files.opened(asking, asked)
    start, stop, status = _range(reply)
    response = Response(read(start, stop), status, content_type=reply.type, direct_passthrough=True)
    response.content_length = stop - start
    response.headers["Accept-Ranges"] = "bytes"
    if status == 206:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{reply.size}"
    # The bytes are a stranger's: no browser shall take them for a page of this origin.
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(reply.name, safe='')}"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return _with_validators(response, reply)


def _range(reply: FileReply) -> tuple[int, int, int]:
    """(start, stop, status). One range is given; several, or what is no range, are as if not asked for (RFC 9110 14.2)."""
    asked = request.range
    fresh = request.headers.get("If-Range") in (None, f'"{reply.version}"')
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1 or not fresh:
        return 0, reply.size, 200
    start, end = asked.ranges[0]
    if start < 0:  # the last so many bytes: all, when there are fewer
        start = max(0, start + reply.size)
    stop = reply.size if end is None else min(end, reply.size)
    if start >= stop:
        headers = {"Content-Range": f"bytes */{reply.size}"}
        message = f"The file has {reply.size} bytes."
        raise Refused("range_not_satisfiable", message, status=416, headers=headers)
    return start, stop, 206


def _with_validators(response: Response, reply: FileReply) -> Response:
    response.set_etag(str(reply.version))
    digest = base64.b64encode(bytes.fromhex(reply.sha256)).decode()
    response.headers["Repr-Digest"] = f"sha-256=:{digest}:"
    return response
