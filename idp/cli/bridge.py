"""Runs an application on granian's RSGI: a request gets a thread when its body is whole, and not before.

Endpoints for programs are called as they are (idp.http.machine), everything else as WSGI. granian's own WSGI interface
gives the thread first and waits for the body then, so that a handful of clients who never finish theirs stop everything.
Files of the companion are the exception, in bridge_files: their bodies and answers pass through part by part. Leaves limits
for each half to its application, and the server to idp.cli.listen.
"""

import asyncio
import io
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from idp.base.waiting import WouldWait, hurried
from idp.cli.bridge_files import Transfers
from idp.cli.syncing import Syncing
from idp.ports import StoreUnavailable

if TYPE_CHECKING:
    from idp.http.machine import Asked, Lane, Told

BODY_SECONDS = 15.0  # from the end of the headers to the end of the body
LOOK_SECONDS = 1.0
WAITING_THREADS = 32
# More than any half accepts (the companion 1 MiB), so that it sees what is too large and refuses that in its own words.
MAX_BODY_BYTES = 1_048_576 + 1024

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Bridge:
    """threads: how many requests are worked on at once. lane: the endpoints that need no WSGI; the short ones among them
    are answered right here, one after the other, between the threads. waits: the paths whose pages wait for other servers
    most of their time; they have threads of their own, so that they hold up nobody else. streams: the methods and paths whose
    bodies or answers are files. short: those that are answered right here, too, unless it turns out that they would wait."""

    def __init__(
        self,
        application: Application,
        threads: int,
        lane: "Lane | None" = None,
        waits: Callable[[str], bool] | None = None,
        streams: Callable[[str, str], bool] | None = None,
        short: Callable[[str, str], bool] | None = None,
    ) -> None:
        self._application = application
        self._streams = streams or (lambda method, path: False)
        self._short = short or (lambda method, path: False)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._waiting = ThreadPoolExecutor(
            WAITING_THREADS, thread_name_prefix="waiting"
        )  # begins none before it is used
        self._waits = waits or (lambda path: False)
        self._transfers = Transfers(application, self._pool)
        self._lane = lane
        self._reading = Reading()
        self._syncing: Syncing | None = None

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        headers = _headers(scope)
        if self._streams(scope.method, scope.path):
            await self._transfers.run(proto, environ(scope, headers, b""), headers)
            return
        try:
            body = await self._reading.body(scope, headers, proto)
        except (TimeoutError, EOFError) as error:
            proto.response_bytes(408 if isinstance(error, TimeoutError) else 400, [("connection", "close")], b"")
            return
        told = None if self._lane is None else await self._told(self._lane, scope, headers, body)
        if told is not None:
            proto.response_bytes(told.status, told.headers, told.body)
            return
        environment = environ(scope, headers, body)
        if self._short(scope.method, scope.path):
            try:
                status, answered, content = hurried(self._run, environment)
            except WouldWait:
                environment["wsgi.input"].seek(0)
            else:
                proto.response_bytes(status, answered, content)
                return
        loop = asyncio.get_running_loop()
        pool = self._waiting if self._waits(scope.path) else self._pool
        status, answered, content = await loop.run_in_executor(pool, self._run, environment)
        proto.response_bytes(status, answered, content)

    async def _told(self, lane: "Lane", scope: Any, headers: Mapping[str, str], body: bytes) -> "Told | None":
        """None: it is for the application."""
        endpoint, method, path = lane.find(scope.path), scope.method, scope.path
        run = partial(lane.run, endpoint) if endpoint is not None else lane.short_cut(method, path)
        if run is None:
            return None
        peer = scope.client.rpartition(":")[0].strip("[]")
        asked = lane.asked(method, path, scope.query_string.encode(), headers, body, peer)
        if lane.in_place(endpoint):
            try:
                return await self._in_place(lane, run, asked)
            except WouldWait:
                pass
            except StoreUnavailable as error:
                return None if endpoint is None else lane.refused(endpoint, asked, error)
        return await asyncio.get_running_loop().run_in_executor(self._pool, run, asked)

    async def _in_place(self, lane: "Lane", run: "Callable[[Asked], Told | None]", asked: "Asked") -> "Told | None":
        """Raises WouldWait, and StoreUnavailable when what was written has not come to the disk."""
        if lane.sync_later is None:
            return hurried(run, asked)
        told, wrote = lane.sync_later.run(hurried, run, asked)
        if wrote:
            self._syncing = self._syncing or Syncing(lane.sync_later)
            await self._syncing.done()
        return told

    def _run(self, environment: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
        started: list[tuple[int, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            started[:] = [(int(status.split(" ", 1)[0]), headers)]

        parts = self._application(environment, start_response)
        try:
            content = b"".join(parts)
        finally:
            close = getattr(parts, "close", None)
            if close:
                close()
        return *started[0], content


class Reading:
    """Bodies that are on their way, and since when: one clock for all, as a time-out of its own costs each more than all
    the rest of reading it."""

    def __init__(self) -> None:
        self._since: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()
        self._looking = False

    async def body(self, scope: Any, headers: Mapping[str, str], proto: Any) -> bytes:
        """Empty when there is none, or one that is refused by its length. Raises TimeoutError, and EOFError when it is
        shorter than was said."""
        length = headers.get("content-length", "")
        streamed = "transfer-encoding" in headers or (not length and scope.http_version == "2")  # RFC 9113 8.1.1
        if not streamed and not (length.isdigit() and 0 < int(length) <= MAX_BODY_BYTES):
            return b""
        task = self._begun()
        try:
            body: bytes = await _parts(proto) if streamed else await proto()
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            task.uncancel()
            raise TimeoutError from None
        except RuntimeError:  # RSGIProtocolClosed: the client has gone half-way
            raise EOFError from None
        finally:
            del self._since[task]
            self._overdue.discard(task)
        if not streamed and len(body) < int(length):
            raise EOFError
        return body

    def _begun(self) -> "asyncio.Task[Any]":
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        if not self._looking:
            self._looking = True
            loop.call_later(LOOK_SECONDS, self._look, loop)
        self._since[task] = loop.time()
        return task

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        latest = loop.time() - BODY_SECONDS
        for task in [task for task, since in self._since.items() if since < latest]:
            self._overdue.add(task)
            task.cancel()
        self._looking = bool(self._since)
        if self._looking:
            loop.call_later(LOOK_SECONDS, self._look, loop)


async def _parts(proto: Any) -> bytes:
    """Of a body that does not say its length."""
    body = bytearray()
    async for part in proto:
        body += part
        if len(body) > MAX_BODY_BYTES:
            break
    return bytes(body[:MAX_BODY_BYTES])


def _headers(scope: Any) -> dict[str, str]:
    """Those of one name joined, as RFC 9110 section 5.3 and RFC 6265 section 5.4 have it; names in lower case."""
    items, names = scope.headers.items(), scope.headers.keys()
    found: dict[str, str] = dict(items)
    if len(found) < len(items):
        found = {}
        for name, value in items:
            found[name] = f"{found[name]}{'; ' if name == 'cookie' else ','}{value}" if name in found else value
    if len(found) < len(names):
        # One that is not ASCII has no value here; without it a condition or a credential would seem not to have been sent.
        return {**dict.fromkeys(names, ""), **found}
    return found


def environ(scope: Any, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """PEP 3333. Text is bytes spelled in Latin-1 there."""
    host, _, port = scope.server.rpartition(":")
    client, _, client_port = scope.client.rpartition(":")
    found: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string.encode().decode("latin-1"),
        "SERVER_NAME": host.strip("[]"),
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": client.strip("[]"),
        "REMOTE_PORT": client_port,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        if "_" not in name:  # X_Forwarded_For would else pass for X-Forwarded-For
            found["HTTP_" + name.upper().replace("-", "_")] = value
    found["CONTENT_TYPE"] = found.pop("HTTP_CONTENT_TYPE", "")
    length = found.pop("HTTP_CONTENT_LENGTH", "")
    if found.pop("HTTP_TRANSFER_ENCODING", None) is not None or (body and not length):
        length = str(len(body))
    found["CONTENT_LENGTH"] = length
    if scope.authority:  # HTTP/2 has no Host (RFC 9113 8.3.1)
        found.setdefault("HTTP_HOST", scope.authority)
    return found
