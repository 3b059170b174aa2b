"""Owns the frame protocol of WebSocket, TCP and Unix sockets: JSON objects in, JSON objects out, answered in any order.

A frame {id, operation, request, token?, dpop?} is answered with {id, result} or {id, problem}; a stream with {id, event} … until
it ends with {id, problem}. Each frame is judged by its own token or the connection's. How frames travel is left to websocket.py
and lines.py, what streams give to watch/.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from pydantic import Field

from idp.api.caller import MAX_TOKEN_CHARS, Caller
from idp.api.commands import OPERATIONS, Message, Nothing
from idp.api.commands.streams import STREAMS
from idp.api.node import Node
from idp.api.problems import bad_request, tell
from idp.api.sender import Carried
from idp.api.transports.http import unknown_operation
from idp.api.watch.stream import Stream
from idp.api.wire import MAX_BODY_BYTES, read_json, validated
from idp.base.dpop import MAX_PROOF
from idp.base.errors import Refused

MAX_FRAME_BYTES: Final = MAX_BODY_BYTES + 32_768  # the largest request, with its token and proof
AT_ONCE: Final = 16  # requests of one connection; the next one is read when one of them is done
MAX_STREAMS: Final = 100
SEND_SECONDS: Final = 30.0  # who takes nothing for so long is cut off
READ_HERE_BYTES: Final = 65_536  # reading a larger one would hold up the others

Send = Callable[[str], Awaitable[None]]


Name = Annotated[str, Field(min_length=1, max_length=64)] | int


class Cancel(Message):
    id: Name


class Frame(Message):
    """id: chosen by the client, not that of another frame that is still being answered. dpop: a proof (RFC 9449) with `htm`
    POST and `htu` API-URL/commands/OPERATION. priority: high, normal or low."""

    id: Name
    operation: str = Field(max_length=64)
    token: str | None = Field(None, max_length=MAX_TOKEN_CHARS, repr=False)
    dpop: str | None = Field(None, max_length=MAX_PROOF, repr=False)
    priority: str | None = None
    request: dict[str, Any] = Field({}, repr=False)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who holds the connection: as in Carried. transport: for the log."""

    transport: str
    address: str = ""
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    thumbprint: str | None = None


class Connection:
    """One connection, on the event loop. `take` is given its frames in their order; `send` sends one frame and waits while
    the client is slow, hang_up ends the connection at once."""

    def __init__(self, node: Node, peer: Peer, send: Send, hang_up: Callable[[], object]) -> None:
        self._node = node
        self._peer = peer
        self._raw_send = send
        self.hang_up = hang_up
        self._token: str | None = None
        self._open: dict[str | int, asyncio.Task[None]] = {}
        self._streams: dict[str | int, Stream] = {}
        self._followed = 0  # streams, also those that have not begun yet
        self._room = asyncio.Semaphore(AT_ONCE)
        self.known = False  # has shown a good token
        self.since = self.quiet_since = time.monotonic()

    @property
    def idle(self) -> bool:
        return not self._open

    async def take(self, raw: bytes) -> None:
        """Begins what the frame asks for. Returns when the next one may be read."""
        self.quiet_since = time.monotonic()
        name: str | int | None = None
        try:
            tree = read_json(raw) if len(raw) <= READ_HERE_BYTES else await self._node.work(read_json, raw)
            name = tree.get("id") if isinstance(tree.get("id"), (str, int)) else None
            frame = validated(Frame, tree)
            self._check(frame)
            if own := _OWN.get(frame.operation):
                await self._tell(frame.id, "result", await own(self, frame))
                return
        except Exception as error:  # noqa: BLE001  (the one place where frames are refused; told and logged)
            await self._refuse(name, error)
            return
        await self._begin(frame)

    def end(self) -> None:
        """The connection is gone: so is everything that runs for it."""
        for task in list(self._open.values()):
            task.cancel()

    def _check(self, frame: Frame) -> None:
        if frame.id in self._open:
            raise bad_request("duplicate_id", "A frame with this id is still being answered.")
        if frame.operation not in OPERATIONS and frame.operation not in STREAMS and frame.operation not in _OWN:
            raise unknown_operation(frame.operation)
        if self._node.closing:
            raise self._node.closing
        if frame.operation in STREAMS and self._followed >= MAX_STREAMS:
            raise Refused("too_many_streams", f"A connection has at most {MAX_STREAMS} streams.", status=429)

    async def _begin(self, frame: Frame) -> None:
        stream = frame.operation in STREAMS
        if stream:
            self._followed += 1
        else:
            await self._room.acquire()
        task = asyncio.create_task(self._follow(frame) if stream else self._answer(frame))
        self._open[frame.id] = task

        def done(_: object) -> None:
            del self._open[frame.id]
            if stream:
                self._followed -= 1
            else:
                self._room.release()

        task.add_done_callback(done)

    async def _answer(self, frame: Frame) -> None:
        try:
            text = await self._node.work(self._run, frame)
            await self._send(f'{{"id":{json.dumps(frame.id)},"result":{text}}}')
        except Exception as error:  # noqa: BLE001  (as in take)
            await self._refuse(frame.id, error, frame.operation)
            return
        self._settle(frame)

    def _run(self, frame: Frame) -> str:
        given = lambda: frame.request, self._authorization(frame), self._carried(frame)
        return self._node.api.answer(frame.operation, self._judged(frame), *given).model_dump_json()

    def _judged(self, frame: Frame) -> Caller:
        """Raises Refused 401, 429, 503. In a thread: the identity provider may be asked."""
        caller = self._node.api.admit(frame.operation, self._authorization(frame), self._carried(frame))
        self.known = True
        return caller

    def _authorization(self, frame: Frame) -> str | None:
        token = self._token if frame.token is None else frame.token
        return None if token is None else f"{'DPoP' if frame.dpop else 'Bearer'} {token}"

    def _carried(self, frame: Frame) -> Carried:
        path, peer = f"/commands/{frame.operation}", self._peer
        return Carried("POST", path, frame.dpop, peer.address, peer.headers, peer.thumbprint, frame.priority)

    async def _follow(self, frame: Frame) -> None:
        try:
            given = frame.operation, self._authorization(frame), self._carried(frame), frame.request
            stream = self._streams[frame.id] = await self._node.work(self._node.begin, *given)
            self.known = True
            async with self._node.following(frame.operation, stream) as events:
                async for event in events:
                    await self._tell(frame.id, "event", event.model_dump_json(exclude_unset=True))
        except Exception as error:  # noqa: BLE001  (as in take)
            await self._refuse(frame.id, error, frame.operation)
        finally:
            self._streams.pop(frame.id, None)

    def _settle(self, frame: Frame) -> None:
        """A message that was acked or rejected makes room for another one."""
        if frame.operation in ("queues.ack", "queues.reject"):
            for stream in self._streams.values():
                stream.settled(str(frame.request["receipt"]))

    async def _tell(self, name: str | int, what: str, text: str) -> None:
        await self._send(f'{{"id":{json.dumps(name)},"{what}":{text}}}')

    async def _refuse(self, name: str | int | None, error: Exception, operation: str | None = None) -> None:
        told = tell(error, transport=self._peer.transport, operation=operation)
        body = {**told.body, **{k: v for k, v in told.headers.items() if k == "Retry-After"}}
        await self._send(json.dumps({"id": name, "problem": body}))

    async def _send(self, text: str) -> None:
        """Who takes nothing is cut off."""
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._raw_send(text)
        except (OSError, RuntimeError, TimeoutError):  # gone, or as good as that
            self.hang_up()

    # --- operations of the connection itself ---------------------------------------------------------------------------

    async def _set_token(self, frame: Frame) -> str:
        """From now on the token of frames without one, and of the streams of the same user and client."""
        validated(Nothing, frame.request)
        if frame.token is None:
            raise bad_request("invalid_request", "The request is not valid: token: Field required.")
        caller = await self._node.work(self._judged, frame)
        self._token = frame.token
        for stream in self._streams.values():
            stream.renew(frame.token, caller)
        return json.dumps({"expires_at": caller.expires_at})

    async def _cancel(self, frame: Frame) -> str:
        """When it is answered, the stream has ended."""
        of = validated(Cancel, frame.request).id
        if of in self._streams:
            self._open[of].cancel()
            await asyncio.wait([self._open[of]])
        return "{}"

    async def _ping(self, frame: Frame) -> str:
        validated(Nothing, frame.request)
        return "{}"


_OWN: Final[dict[str, Callable[[Connection, Frame], Awaitable[str]]]] = {
    "connection.token": Connection._set_token,
    "connection.cancel": Connection._cancel,
    "connection.ping": Connection._ping,
}
