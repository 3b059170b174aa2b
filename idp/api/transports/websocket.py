"""Owns WebSocket (RFC 6455, as ASGI hands it on): one frame is one message. The frames themselves are framed.py's."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from idp.api.node import Node
from idp.api.problems import tell
from idp.api.transports.framed import Connection, Peer
from idp.api.transports.http import check_origin, headers_of, token_in_url
from idp.base.errors import Refused

GOING_AWAY = 1001
CLOSE_SECONDS = 1.0


async def serve(node: Node, scope: Any, receive: Any, send: Any, origins: Collection[str]) -> None:
    await receive()  # websocket.connect
    headers = headers_of(scope)
    # A browser sends its cookies to us from any page; ours count nothing, but a page of strangers has no business here.
    try:
        check_origin(headers.get("origin"), origins)
        if scope["query_string"]:
            raise token_in_url()
    except Refused as refused:
        tell(refused, transport="websocket")
        await send({"type": "websocket.close"})  # not accepted yet: a 403
        return
    task = asyncio.current_task()
    assert task
    connection = Connection(
        node, Peer("websocket", (scope["client"] or ("",))[0], headers),
        lambda text: send({"type": "websocket.send", "text": text}), task.cancel,
    )  # fmt: skip
    try:
        with node.connected(connection):
            await send({"type": "websocket.accept"})
            while (message := await receive())["type"] == "websocket.receive":
                await connection.take(message.get("bytes") or (message.get("text") or "").encode())
    except asyncio.CancelledError:  # hung up; who takes nothing is not waited for
        with suppress(TimeoutError, OSError, RuntimeError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await send({"type": "websocket.close", "code": GOING_AWAY})
    except Refused as refused:
        tell(refused, transport="websocket")
        await send({"type": "websocket.close"})
    finally:
        connection.end()
