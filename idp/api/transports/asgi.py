"""Owns the ASGI application for streams: WebSocket at /frames, server-sent events, health. Everything else is on REST.

Serving it, and TCP and Unix sockets beside it, is left to streams.py.
"""

import json
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final

from idp.api.node import Node
from idp.api.problems import tell
from idp.api.transports import events, websocket
from idp.api.transports.http import cors, headers_of
from idp.base.errors import Refused

FRAMES: Final = "/frames"

App = Callable[[Any, Any, Any], Awaitable[None]]


def create(node: Node, origins: Collection[str]) -> App:
    """origins: of pages that may use this from a browser."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket" and scope["path"] == FRAMES:
            await websocket.serve(node, scope, receive, send, origins)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        elif (scope["method"], scope["path"]) == ("POST", events.PATH):
            await events.serve(node, scope, receive, send, origins)
        else:
            await _plain(node, scope, send, origins)

    return app


async def _plain(node: Node, scope: Any, send: Any, origins: Collection[str]) -> None:
    method, path = scope["method"], scope["path"]
    more = cors(headers_of(scope).get("origin"), origins)
    try:
        if (method, path) == ("OPTIONS", events.PATH) and "Access-Control-Allow-Origin" in more:
            body: dict[str, str] = {}
        elif method == "GET" and path in ("/healthz", "/readyz"):
            if path == "/readyz":
                await node.ready()
            body = {"status": "ok"}
        else:
            raise Refused(
                "not_found", "Here are WebSocket, server-sent events and health; the rest is on REST.", status=404
            )
    except Exception as error:  # noqa: BLE001  (the one place where these are refused; told and logged)
        await events.answer(send, tell(error, method=method, path=path), more)
        return
    await events.reply(send, 200, "application/json", json.dumps(body).encode(), more)
