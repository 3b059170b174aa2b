"""Owns server-sent events over HTTP (WHATWG HTML 9.2): `POST /commands/documents.watch`, answered with a stream of events.

Judging, rights and what is given are those of every stream; the token of the last event may come as Last-Event-ID.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from idp.api.node import Node
from idp.api.problems import Problem, bad_request, tell
from idp.api.sender import Carried
from idp.api.transports.framed import SEND_SECONDS
from idp.api.transports.http import authorization, check_origin, cors, headers_of, proof, token_in_url, values_of
from idp.api.watch.stream import Stream
from idp.api.wire import MAX_BODY_BYTES, read_json
from idp.base.errors import Refused

OPERATION = "documents.watch"  # queues.consume needs a way back, for acks
BODY_SECONDS = 15.0
PATH = f"/commands/{OPERATION}"

Send = Callable[[dict[str, Any]], Awaitable[None]]


async def serve(node: Node, scope: Any, receive: Any, send: Send, origins: Collection[str]) -> None:
    origin = headers_of(scope).get("origin")
    begun = False
    try:
        check_origin(origin, origins)
        stream = await _stream(node, scope, receive)
        leaving = asyncio.create_task(_cancel_when_gone(receive, asyncio.current_task()))
        try:
            async with node.following(OPERATION, stream) as events:
                async for event in events:
                    if not begun:
                        begun = True
                        await send(_start(200, "text/event-stream", cors(origin, origins)))
                    async with asyncio.timeout(SEND_SECONDS):
                        await send(_part("change", event.model_dump_json(exclude_unset=True), event.token))
        finally:
            leaving.cancel()
    except (asyncio.CancelledError, OSError, TimeoutError):  # it has gone, or takes nothing any more
        return
    except Exception as error:  # noqa: BLE001  (the one place where these are refused; told and logged)
        told = tell(error, transport="events", path=scope["path"])
        if not begun:
            await answer(send, told, cors(origin, origins))
            return
        await send(_part("problem", json.dumps(told.body)))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def answer(send: Send, told: Problem, more: Mapping[str, str]) -> None:
    body = json.dumps(told.body).encode()
    await reply(send, told.status, "application/problem+json", body, {**told.headers, **more})


async def reply(send: Send, status: int, kind: str, body: bytes, more: Mapping[str, str]) -> None:
    await send(_start(status, kind, more))
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _stream(node: Node, scope: Any, receive: Any) -> Stream:
    headers = headers_of(scope)
    if b"access_token" in scope["query_string"]:
        raise token_in_url()
    if scope["query_string"]:
        raise bad_request("unknown_parameter", "This API takes no query parameters.")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused("unsupported_media_type", "Send JSON: Content-Type: application/json.", status=415)
    carried = Carried("POST", PATH, proof(values_of(scope, b"dpop")), (scope["client"] or ("",))[0], headers)
    presented = authorization(values_of(scope, b"authorization"))
    # Before the body: nobody's bytes are kept for somebody who shows no good token.
    caller = await node.work(node.api.admit, OPERATION, presented, carried)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            raw = await _body(receive)
    except TimeoutError:
        raise Refused("slow_body", f"Send the whole request within {BODY_SECONDS:g} seconds.", status=408) from None
    members = await node.work(read_json, raw)
    if (last := headers.get("last-event-id")) and members.setdefault("after", last) != last:
        raise bad_request("invalid_request", "Last-Event-ID and `after` differ.")
    return await node.work(node.opened, OPERATION, presented, caller, members)


async def _body(receive: Any) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ConnectionError
        body += message["body"]
        more = message.get("more_body", False)
        if len(body) > MAX_BODY_BYTES:
            raise Refused("body_too_large", f"A request is at most {MAX_BODY_BYTES} bytes.", status=413)
    return bytes(body)


async def _cancel_when_gone(receive: Any, task: "asyncio.Task[Any] | None") -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    assert task
    task.cancel()


def _start(status: int, kind: str, more: Mapping[str, str]) -> dict[str, Any]:
    headers = {"Content-Type": kind, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **more}
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": raw}


def _part(kind: str, data: str, id: str | None = None) -> dict[str, Any]:
    """Neither holds a line feed: one is JSON, the other base64."""
    text = f"event: {kind}\n" + (f"id: {id}\n" if id else "") + f"data: {data}\n\n"
    return {"type": "http.response.body", "body": text.encode(), "more_body": True}
