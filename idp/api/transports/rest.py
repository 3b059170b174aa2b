"""Owns what of REST is served by Flask: files, health, descriptions, and the answers to paths and methods that are none.

The routes that take and give JSON are left to lane.py, which stands in front of it.
"""

import json
from collections.abc import Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

import idp
from idp.api.caller import Caller
from idp.api.commands import OPERATIONS
from idp.api.problems import tell
from idp.api.sender import Carried
from idp.api.transports import rest_files
from idp.api.transports.http import authorization, cors, proof, token_in_url
from idp.api.transports.lane import COMMANDS, Lane
from idp.api.transports.routes import ROUTES, STREAMED
from idp.api.wire import MAX_BODY_BYTES
from idp.base.errors import Refused

if TYPE_CHECKING:
    from idp.api.gate import Api

HTTP_CODES: Final = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type"}


def create(api: "Api", origins: Collection[str] = (), *, here: bool = False) -> Flask:
    """origins: of pages that may use this from a browser. here: what is short may be answered where requests arrive, one after
    the other, since nothing is asked of another machine."""
    app = Flask("idp.api", static_folder=None)
    app.extensions["sheaf"] = api
    # One more than allowed: a body without Content-Length is cut off there silently, and so told from one that fits.
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES + 1
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False  # a path is right or unknown, never redirected
    for route in ROUTES:
        app.add_url_rule(route.path, f"{route.operation} {route.method}", _unknown, methods=[route.method])
    rest_files.add_routes(app, api, partial(_caller, api))
    app.add_url_rule(COMMANDS, "commands", _unknown, methods=["POST"])
    app.add_url_rule("/", "description", partial(_description, api), methods=["GET"])
    app.add_url_rule("/companion.proto", "proto", _proto, methods=["GET"])
    app.add_url_rule("/openapi.json", "openapi", partial(_openapi, api), methods=["GET"])
    app.add_url_rule("/healthz", "healthz", _alive, methods=["GET"])
    app.add_url_rule("/readyz", "readyz", partial(_ready, api), methods=["GET"])
    app.register_error_handler(Exception, _refuse)
    app.before_request(partial(_preflight, origins))
    app.after_request(partial(_add_headers, origins))
    lane = Lane(api, origins, app.wsgi_app)
    app.wsgi_app = lane  # type: ignore[method-assign]
    if here:
        app.extensions["sheaf_short"] = lane.is_short
    return app


def _unknown(**_: str) -> Response:
    """The lane has answered already whatever fits; Flask knows these paths for the methods that do not."""
    raise Refused("not_found", "There is nothing here.", status=404)


def _caller(api: "Api", operation: str) -> Caller:
    if "access_token" in request.args:
        raise token_in_url()
    headers = {name.lower(): value for name, value in request.headers.items()}
    shown = proof(request.headers.getlist("DPoP"))
    carried = Carried(request.method, request.path, shown, request.remote_addr or "", headers)
    return api.admit(operation, authorization(request.headers.getlist("Authorization")), carried)


def _refuse(error: Exception) -> Response:
    told = tell(_from_http(error), method=request.method, path=request.path)
    response = Response(_json(told.body), told.status, mimetype="application/problem+json")
    response.headers.update(told.headers)
    return response


def _from_http(error: Exception) -> Exception:
    if not isinstance(error, HTTPException):
        return error
    status = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    limit = {"limit": MAX_BODY_BYTES} if status == 413 else {}
    code = HTTP_CODES.get(status, f"http_{status}")
    return Refused(code, error.description or error.name, status=status, headers=headers, detail=limit)


def _preflight(origins: Collection[str]) -> Response | None:
    """What a browser asks before a page's request (Fetch 4.8); it brings no token."""
    asked = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    return Response(status=204) if asked and request.headers.get("Origin") in origins else None


def _add_headers(origins: Collection[str], response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.update(cors(request.headers.get("Origin"), origins))
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
        for route in ROUTES + STREAMED
    ]
    about = {
        "name": "Sheaf companion API",
        "version": idp.__version__,
        "issuer": api.issuer,
        "audience": api.audience,
        "authorization": "Authorization: Bearer (or DPoP) <access token of the issuer for the audience>",
        "documentation": "docs/companion.md",
        "transports": api.transports,
        "operations": operations,
    }
    return Response(_json(about), mimetype="application/json")


def _openapi(api: "Api") -> Response:
    from idp.api.transports.openapi import description  # only for whoever asks

    return Response(_json(description(api.issuer, api.url)), mimetype="application/json")


def _proto() -> Response:
    from idp.api.transports.proto_schema import schema, text  # as above

    return Response(text(schema()), mimetype="text/plain")


def _alive() -> Response:
    return Response(_json({"status": "ok"}), mimetype="application/json")


def _ready(api: "Api") -> Response:
    api.ready()
    return Response(_json({"status": "ok"}), mimetype="application/json")


def _json(body: Mapping[str, object]) -> str:
    return json.dumps(body)
