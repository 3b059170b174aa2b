"""Owns REST: routes to operations, HTTP to requests, refusals to application/problem+json. No rights, no rules.

Every route judges the token of its own request before anything else of it is read.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

import idp
from idp.api.commands import OPERATIONS, DocumentReply, DocumentStamp, Nothing
from idp.api.problems import bad_request, problem
from idp.api.sender import Carried
from idp.api.wire import MAX_BODY_BYTES, read_json
from idp.base import ids
from idp.base.errors import Refused
from idp.base.log import event

if TYPE_CHECKING:
    from idp.api.app import Api

logger = logging.getLogger("idp.api.rest")


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    operation: str
    status: int = 200

    @property
    def has_body(self) -> bool:
        return self.method in ("POST", "PUT", "PATCH")


DOCUMENT = "/documents/<collection>/<id>"
QUEUE = "/queues/<name>"
ROUTES: Final = (
    Route("POST", "/documents/<collection>", "documents.insert", 201),
    Route("POST", "/documents/<collection>/query", "documents.query"),
    Route("GET", DOCUMENT, "documents.get"),
    Route("PUT", DOCUMENT, "documents.replace"),
    Route("PATCH", DOCUMENT, "documents.update"),
    Route("DELETE", DOCUMENT, "documents.delete", 204),
    Route("GET", DOCUMENT + "/acl", "documents.get_acl"),
    Route("PUT", DOCUMENT + "/acl", "documents.set_acl"),
    Route("PUT", QUEUE, "queues.declare"),
    Route("GET", QUEUE, "queues.get"),
    Route("POST", QUEUE + "/messages", "queues.publish", 201),
    Route("POST", QUEUE + "/take", "queues.take"),
    Route("POST", QUEUE + "/messages/<receipt>/ack", "queues.ack", 204),
    Route("POST", QUEUE + "/messages/<receipt>/reject", "queues.reject", 204),
)
BODY_OPTIONAL: Final = ("queues.take", "queues.ack", "queues.declare", "documents.query")
VERSIONED: Final = ("documents.replace", "documents.update", "documents.delete", "documents.set_acl")
HTTP_CODES: Final = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type"}


def create(api: "Api") -> Flask:
    app = Flask("idp.api", static_folder=None)
    app.extensions["sheaf"] = api
    # One more than allowed: a body without Content-Length is cut off there silently, and so told from one that fits.
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES + 1
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False  # a path is right or unknown, never redirected
    for route in ROUTES:
        view = partial(_serve, api, route)
        app.add_url_rule(route.path, f"{route.operation} {route.method}", view, methods=[route.method])
    app.add_url_rule("/", "description", partial(_description, api), methods=["GET"])
    app.add_url_rule("/healthz", "healthz", _alive, methods=["GET"])
    app.add_url_rule("/readyz", "readyz", partial(_ready, api), methods=["GET"])
    app.register_error_handler(Exception, _refuse)
    app.after_request(_add_headers)
    return app


def _serve(api: "Api", route: Route, **path: str) -> Response:
    caller = api.judge.judge(_authorization(), _carried())
    answer = api.run(route.operation, caller, partial(_members, route, path))
    if isinstance(answer, Nothing):
        return Response(status=route.status)
    response = Response(answer.model_dump_json(), route.status, mimetype="application/json")
    if isinstance(answer, (DocumentStamp, DocumentReply)):
        response.set_etag(str(answer.version))
    if route.operation == "documents.insert" and isinstance(answer, DocumentStamp):
        response.headers["Location"] = f"/documents/{path['collection']}/{answer.id}"
    return response


def _authorization() -> str | None:
    """The Authorization header. A token anywhere else would end up in logs and histories, so it is refused there."""
    if "access_token" in request.args:
        raise bad_request("token_in_wrong_place", "Send the token in the Authorization header, never in the URL.")
    found = request.headers.getlist("Authorization")
    if len(found) > 1 or (found and "," in found[0]):  # WSGI servers join two headers with a comma
        raise bad_request("several_tokens", "Send exactly one Authorization header.")
    return found[0] if found else None


def _carried() -> Carried:
    """What tells a sender: the one DPoP proof (RFC 9449 4.3), and what a proxy says about a certificate."""
    proofs = request.headers.getlist("DPoP")
    if len(proofs) > 1 or (proofs and "," in proofs[0]):
        raise bad_request("several_proofs", "Send exactly one DPoP header.")
    headers = {name.lower(): value for name, value in request.headers.items()}
    proof = proofs[0] if proofs else None
    return Carried(request.method, request.path, proof, request.remote_addr or "", headers)


def _members(route: Route, path: Mapping[str, str]) -> dict[str, Any]:
    """Body, path and If-Match make one request. A member of the path cannot be given again in the body."""
    if request.args:
        raise bad_request("unknown_parameter", "This API takes no query parameters.")
    members = _body(route)
    if twice := members.keys() & path.keys():
        raise bad_request("invalid_request", f"Given by the path already: {', '.join(sorted(twice))}.")
    if route.operation in VERSIONED and (wanted := _if_match()) is not None:
        if members.get("version", wanted) != wanted:
            raise bad_request("invalid_request", "If-Match and `version` name different versions.")
        members["version"] = wanted
    return {**members, **path}


def _body(route: Route) -> dict[str, Any]:
    raw = request.get_data(cache=False)
    if len(raw) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    if not route.has_body:
        if raw:
            raise bad_request("unexpected_body", "This request takes no body.")
        return {}
    if not raw and route.operation in BODY_OPTIONAL:
        return {}
    if request.mimetype != "application/json":
        raise Refused("unsupported_media_type", "Send JSON: Content-Type: application/json.", status=415)
    return read_json(raw)


def _if_match() -> int | None:
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    # Empty is not absent: the server hands on a header that is not ASCII as "", and its sender did set a condition.
    header = given.strip()
    text = header.strip('"')
    if header != f'"{text}"' or not text.isascii() or not text.isdigit() or len(text) > 18:
        raise bad_request("bad_if_match", 'If-Match takes one ETag of this API, for example "3".')
    return int(text)


def _refuse(error: Exception) -> Response:
    """The one mapping from any refusal or fault to an answer. The trace code stands in the log with the true reason."""
    trace = ids.trace_code()
    refused = _as_refused(error)
    level = logging.ERROR if refused.status >= 500 else logging.INFO
    event(
        logger,
        "refused",
        level,
        trace=trace,
        code=refused.code,
        status=refused.status,
        reason=refused.reason,
        method=request.method,
        path=request.path,
    )
    if not isinstance(error, (Refused, HTTPException)):
        logger.error("fault trace=%s", trace, exc_info=error)
    told = problem(refused, trace)
    response = Response(_json(told.body), told.status, mimetype="application/problem+json")
    response.headers.update(told.headers)
    return response


def _as_refused(error: Exception) -> Refused:
    if isinstance(error, Refused):
        return error
    if isinstance(error, HTTPException):
        status = error.code or 500
        headers = {name: value for name, value in error.get_headers() if name == "Allow"}
        limit = {"limit": MAX_BODY_BYTES} if status == 413 else {}
        code = HTTP_CODES.get(status, f"http_{status}")
        return Refused(code, error.description or error.name, status=status, headers=headers, detail=limit)
    return Refused("internal_error", "Something went wrong here. The trace code helps us find it.", status=500)


def _add_headers(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _description(api: "Api") -> Response:
    """What this is, for whoever opens the address: no token needed, nothing secret."""
    operations = [
        {
            "name": route.operation,
            "method": route.method,
            "path": route.path.replace("<", "{").replace(">", "}"),
            "scope": OPERATIONS[route.operation].scope,
            "summary": OPERATIONS[route.operation].summary,
        }
        for route in ROUTES
    ]
    about = {
        "name": "Sheaf companion API",
        "version": idp.__version__,
        "issuer": api.issuer,
        "audience": api.audience,
        "authorization": "Authorization: Bearer (or DPoP) <access token of the issuer for the audience>",
        "documentation": "docs/companion.md",
        "operations": operations,
    }
    return Response(_json(about), mimetype="application/json")


def _alive() -> Response:
    return Response(_json({"status": "ok"}), mimetype="application/json")


def _ready(api: "Api") -> Response:
    api.ready()
    return Response(_json({"status": "ok"}), mimetype="application/json")


def _json(body: Mapping[str, object]) -> str:
    return json.dumps(body)
