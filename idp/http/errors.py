"""One mapping from Refused (and everything unexpected) to an answer: a page for people, JSON for machine endpoints.

Each carries a trace code that also stands in the log and in the store. OAuth and SAML doors map what belongs to their
client themselves and leave the rest to this.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from flask import Flask, Response, current_app, g, jsonify, make_response, request
from werkzeug.exceptions import HTTPException

from idp.base.errors import Refused
from idp.http import seeing
from idp.http.refusals import of_fault, of_status, of_store, place
from idp.http.render import page, sentence
from idp.ports import StoreUnavailable

_log = logging.getLogger("idp.errors")

JsonDoor = Callable[[Refused, str], Response]


def set_up_errors(app: Flask) -> None:
    app.register_error_handler(Refused, answer)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(StoreUnavailable, _store)
    app.register_error_handler(Exception, _unexpected)


def machine_endpoint(prefix: str, door: JsonDoor, app: Flask) -> None:
    """Refusals below this path are rendered by `door(refused, trace)` instead of as a page."""
    app.extensions.setdefault("sheaf_doors", {})[prefix] = door


def answer(refused: Refused) -> Response:
    trace = seeing.kept(
        request.path.split("/")[1] or "home", refused, method=request.method, endpoint=request.endpoint or ""
    )
    g.sheaf_trace = trace
    door = _door()
    response = door(refused, trace) if door else _page(refused, trace)
    response.headers.extend(refused.headers)
    response.headers["Cache-Control"] = "no-store"
    return response


def _door() -> JsonDoor | None:
    doors: dict[str, JsonDoor] = current_app.extensions.get("sheaf_doors", {})
    for prefix, door in doors.items():
        if request.path == prefix or request.path.startswith(prefix + "/"):
            return door
    return None


def _page(refused: Refused, trace: str) -> Response:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    html = page(
        "error.html", code=refused.code, sentence=sentence(refused), trace=trace, now=now, status=refused.status
    )
    return make_response(html, refused.status)


def plain_json(refused: Refused, trace: str) -> Response:
    """{"error", "error_description", "trace"} (RFC 6749 5.2 names)."""
    response = jsonify(error=refused.code, error_description=refused.message, trace=trace, **refused.detail)
    response.status_code = refused.status
    return response


def _http(error: HTTPException) -> Response:
    if error.response is not None and error.code is not None and error.code < 400:
        return make_response(error.get_response())
    allow = {"Allow": ", ".join(sorted(error.valid_methods))} if getattr(error, "valid_methods", None) else {}  # type: ignore[attr-defined]
    return answer(of_status(error.code or 500, request.method, request.path, allow))


def _store(error: StoreUnavailable) -> Response:
    return answer(of_store(error))


def _unexpected(error: Exception) -> Response:
    _log.exception("fault at %s %r", request.method, place(request.path))
    return answer(of_fault(error, request.method, request.path))
