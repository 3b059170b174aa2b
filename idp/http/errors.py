"""One mapping from Refused (and everything unexpected) to an answer: a page for people, JSON for machine endpoints.

Each carries a trace code that also stands in the log and in the store. OAuth and SAML doors map what belongs to their
client themselves and leave the rest to this.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from flask import Flask, Response, current_app, jsonify, make_response, request
from werkzeug.exceptions import HTTPException

from idp.base.errors import Refused
from idp.http.parts import parts
from idp.http.render import page, sentence
from idp.ports import StoreUnavailable

_log = logging.getLogger("idp.errors")

JsonDoor = Callable[[Refused, str], Response]
LONGEST_WORD = 34  # public ids are shown; secrets have 43 characters
_WORDS = {
    400: ("bad_request", "The request could not be understood."),
    404: ("not_found", "There is no page at this address."),
    405: ("method_not_allowed", "This address does not accept this kind of request."),
    413: ("too_large", "What was sent is larger than we accept."),
    415: ("unsupported_media_type", "This address accepts forms only."),
}


def set_up_errors(app: Flask) -> None:
    app.register_error_handler(Refused, answer)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(StoreUnavailable, _store)
    app.register_error_handler(Exception, _unexpected)


def machine_endpoint(prefix: str, door: JsonDoor, app: Flask) -> None:
    """Refusals below this path are rendered by `door(refused, trace)` instead of as a page."""
    app.extensions.setdefault("sheaf_doors", {})[prefix] = door


def answer(refused: Refused) -> Response:
    trace = parts().traces.keep(
        request.path.split("/")[1] or "home", refused, method=request.method, endpoint=request.endpoint or ""
    )
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
    status = error.code or 500
    code, sentence = _WORDS.get(status, ("bad_request", "The request could not be answered."))
    allow = {"Allow": ", ".join(sorted(error.valid_methods))} if getattr(error, "valid_methods", None) else {}  # type: ignore[attr-defined]
    return answer(
        Refused(code, sentence, status=status, reason=f"{request.method} {_place()!r}: {status}", headers=allow)
    )


def _store(error: StoreUnavailable) -> Response:
    return answer(
        Refused(
            "store_unavailable",
            "We cannot reach our store right now. Wait a moment, then try again.",
            status=503,
            reason=str(error),
            headers={"Retry-After": "5"},
        )
    )


def _unexpected(error: Exception) -> Response:
    refused = Refused(
        "fault",
        "Something broke on our side; it is not your fault and it is logged. Try again, and tell us the code below.",
        status=500,
        reason=f"{type(error).__name__} at {request.method} {_place()!r}",
    )
    _log.exception("fault at %s %r", request.method, _place())
    return answer(refused)


def _place() -> str:
    """The path for the log, without what is long enough to be a handle or a set-up token."""
    parts_of_path = request.path[:400].split("/")
    return "/".join(part if len(part) <= LONGEST_WORD else "…" for part in parts_of_path)[:200]
