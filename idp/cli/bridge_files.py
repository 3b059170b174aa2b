"""Owns requests whose body or answer is a file: they pass through part by part, no faster than the slower side.

An upload has a thread from its first byte on, because its token is judged before anything of it is read; there are threads
of their own for that, and a pace below which an upload is cut off. A download has a thread only while a part is made.
"""

import asyncio
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, Final

UPLOADS: Final = 32  # at a time; whoever comes beyond is told so
PART_SECONDS: Final = 60.0  # for each part, either way: at least 4 KB/s

BUSY: Final = {
    "type": "urn:sheaf:problem:too_many_uploads", "title": "Too many uploads", "status": 503,
    "detail": "As many uploads as this node takes at once are under way. Try again in a moment.", "code": "too_many_uploads",
}  # fmt: skip
BUSY_HEADERS: Final = [("content-type", "application/problem+json"), ("retry-after", "5"), ("connection", "close")]

logger = logging.getLogger("idp.cli.bridge")
Environment = dict[str, Any]
Application = Callable[[Environment, Callable[..., Any]], Iterable[bytes]]


class Transfers:
    """pool: threads for what is short."""

    def __init__(self, application: Application, pool: Executor) -> None:
        self._application = application
        self._pool = pool
        self._uploads = ThreadPoolExecutor(UPLOADS, thread_name_prefix="upload")
        self._uploading = 0

    async def run(self, proto: Any, environment: Environment, headers: Mapping[str, str]) -> None:
        """environment: without a body."""
        loop = asyncio.get_running_loop()
        if environment["REQUEST_METHOD"] == "GET":
            status, answered, parts = await loop.run_in_executor(self._pool, self._begin, environment)
        elif self._uploading < UPLOADS:
            environment["wsgi.input"] = Incoming(proto, loop)
            environment["CONTENT_LENGTH"] = headers.get("content-length", "")
            self._uploading += 1
            try:
                status, answered, parts = await loop.run_in_executor(self._uploads, self._begin, environment)
            finally:
                self._uploading -= 1
        else:
            proto.response_bytes(503, BUSY_HEADERS, json.dumps(BUSY).encode())
            return
        try:
            first, second = await loop.run_in_executor(self._pool, lambda: (next(parts, b""), next(parts, b"")))
            if not second:
                proto.response_bytes(status, answered, first)
            else:
                await self._send(proto, status, answered, (first, second), parts)
        finally:
            await loop.run_in_executor(self._pool, parts.close)

    def _begin(self, environment: Environment) -> tuple[int, list[tuple[str, str]], "Parts"]:
        started: list[tuple[int, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            started[:] = [(int(status.split(" ", 1)[0]), headers)]

        parts = Parts(self._application(environment, start_response))
        return *started[0], parts

    async def _send(
        self, proto: Any, status: int, headers: list[tuple[str, str]], first: Iterable[bytes], parts: "Parts"
    ) -> None:
        """Through a pipe: whatever else is handed to granian it takes at once and keeps, however slowly the client reads; a
        pipe it reads as the client does. Two parts are more than a pipe holds, so when they are through, it has opened it."""
        loop = asyncio.get_running_loop()
        reading, writing = os.pipe()
        pipe = os.fdopen(writing, "wb")
        proto.response_file(status, headers, f"/dev/fd/{reading}")
        transport, flow = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
        writer = asyncio.StreamWriter(transport, flow, None, loop)
        try:
            try:
                for part in first:
                    await self._write(writer, part)
            finally:
                os.close(reading)  # with the one of granian left alone, writing fails when the client has gone
            while part := await loop.run_in_executor(self._pool, next, parts, b""):
                await self._write(writer, part)
            writer.close()
        except OSError:
            transport.abort()  # the client is too slow, or gone
        except Exception as error:  # noqa: BLE001  (whatever it is: the answer has begun, and can only break off)
            transport.abort()  # less than was promised: the client sees that the answer is broken
            logger.warning("answer broken off: %s", error)

    async def _write(self, writer: asyncio.StreamWriter, part: bytes) -> None:
        writer.write(part)
        async with asyncio.timeout(PART_SECONDS):
            await writer.drain()


class Parts(Iterator[bytes]):
    """An answer of WSGI, to be closed."""

    def __init__(self, answer: Iterable[bytes]) -> None:
        self._parts = iter(answer)
        self.close: Callable[[], None] = getattr(answer, "close", lambda: None)

    def __next__(self) -> bytes:
        return next(self._parts)


class Incoming:
    """The body of a request as a file, for the thread that reads it."""

    def __init__(self, proto: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._parts = proto.__aiter__()
        self._loop = loop
        self._left = b""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end, or when the client has gone. Raises OSError when nothing came for too long."""
        if not self._left:
            self._left = asyncio.run_coroutine_threadsafe(self._next(size), self._loop).result()
        found, self._left = self._left[:size], self._left[size:]
        return found

    async def _next(self, size: int) -> bytes:
        found = bytearray()
        try:
            async with asyncio.timeout(PART_SECONDS):
                while len(found) < size:
                    found += await anext(self._parts)
        except StopAsyncIteration:
            pass
        except RuntimeError:  # RSGIProtocolClosed
            return b""
        return bytes(found)
