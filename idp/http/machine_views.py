"""The machine lane behind any WSGI server: one thin Flask view for each endpoint of the table.

Leaves everything else to idp.http.machine.
"""

from collections.abc import Callable

from flask import Flask, Response, request

from idp.http.machine import MAX_BODY_BYTES, Asked, Endpoint, Lane

_METHODS = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
)  # the lane itself refuses those that are not meant


def mount(app: Flask, lane: Lane) -> None:
    app.extensions["sheaf_lane"] = lane
    for endpoint in lane.endpoints:
        rule = endpoint.path + ("<path:_below>" if endpoint.path.endswith("/") else "")
        view = _view(lane, endpoint)
        app.add_url_rule(
            rule,
            f"machine:{endpoint.path}",
            view,
            methods=_METHODS,
            provide_automatic_options=False,
            strict_slashes=True,
        )


def _view(lane: Lane, endpoint: Endpoint) -> Callable[..., Response]:
    def view(_below: str = "") -> Response:
        told = lane.run(endpoint, _asked())
        return Response(told.body or None, told.status, told.headers)  # None: the length of a HEAD answer stays

    return view


def _asked() -> Asked:
    environ = request.environ
    too_long = (request.content_length or 0) > MAX_BODY_BYTES  # the lane refuses it by its length
    before = environ.get("werkzeug.proxy_fix.orig", environ)
    return Asked(
        request.method,
        request.path,
        request.query_string,
        {name.lower(): value for name, value in request.headers.items()},
        b"" if too_long else request.get_data(cache=False),
        request.remote_addr or "unknown",
        before.get("REMOTE_ADDR") or "unknown",
    )
