"""Owns the least a WSGI application can do: the floor that the figures of `make bench` stand on.

Used when oidc-provider, the yardstick, is not installed.
"""

from collections.abc import Callable, Iterable
from typing import Any


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = b'{"issuer":"","keys":[],"active":false,"email":"","access_token":"","refresh_token":"none"}'
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
