"""Owns what all streams of this process share: the threads that work for them, the feed, who is connected, tokens judged again.

Framing is left to transports/, what streams give to watch/, the process itself to streams.py.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, TypeVar

from idp.api.caller import Caller
from idp.api.commands.streams import STREAMS
from idp.api.sender import Carried
from idp.api.watch.consuming import consume
from idp.api.watch.feed import Feed
from idp.api.watch.stream import Stream
from idp.api.watch.watching import watch
from idp.api.wire import validated
from idp.base.clock import Clock
from idp.base.errors import Refused

if TYPE_CHECKING:
    from idp.api.gate import Api

logger = logging.getLogger("idp.api.streams")
P = ParamSpec("P")
R = TypeVar("R")

JUDGES: Final = 4
LOOK_SECONDS: Final = 0.5  # with the four seconds of caller.RECHECK_SECONDS a revocation bites within five
UNKNOWN_SECONDS: Final = 10.0  # a connection that shows no good token
QUIET_SECONDS: Final = 300.0  # one that does nothing
MAX_CONNECTIONS: Final = 4000
MAX_UNKNOWN: Final = 1000  # each may hold a frame in memory
SOURCES: Final[Mapping[str, Any]] = {"documents.watch": watch, "queues.consume": consume}


class Connected(Protocol):
    """What a transport has open. since, quiet_since: by time.monotonic."""

    known: bool
    since: float
    quiet_since: float

    hang_up: Callable[[], object]

    @property
    def idle(self) -> bool: ...


class Node:
    """On the event loop. threads: how many operations run at once."""

    def __init__(self, api: "Api", clock: Clock, threads: int) -> None:
        self.api = api
        self.clock = clock
        self.feed = Feed(api.store)
        self.closing: Refused | None = None
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="operation")
        self._judges = ThreadPoolExecutor(JUDGES, thread_name_prefix="judge")
        self._streams: set[Stream] = set()
        self._connections: set[Connected] = set()
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.feed.start()
        self._looking = asyncio.create_task(self._look())

    async def ready(self) -> None:
        """Raises Refused 503."""
        if self.closing:
            raise self.closing
        await self.work(self.api.ready)

    async def work(self, function: Callable[P, R], *given: P.args, **_: P.kwargs) -> R:
        """Call it in a thread: everything that may wait for a store, a broker or the identity provider."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *given)

    def begin(self, operation: str, authorization: str | None, carried: Carried, members: Mapping[str, Any]) -> Stream:
        """Of what a stream may begin. In a thread. Raises Refused."""
        return self.opened(operation, authorization, self.api.admit(operation, authorization, carried), members)

    def opened(self, operation: str, authorization: str | None, caller: Caller, members: Mapping[str, Any]) -> Stream:
        """The same for whoever was admitted already."""
        asked = STREAMS[operation]
        try:
            caller.require_scope(asked.scope)
            token = (authorization or "").partition(" ")[2].strip(" ")
            return Stream(token, caller, validated(asked.request, members), asked.scope)
        except Refused as refused:
            self.api.audit.note(refused, operation, caller, members)
            raise

    @contextmanager
    def connected(self, connection: Connected) -> Iterator[None]:
        """Raises Refused 503."""
        if self.closing:
            raise self.closing
        unknown = sum(not one.known for one in self._connections)
        if len(self._connections) >= MAX_CONNECTIONS or unknown >= MAX_UNKNOWN:
            message = "Too many are connected here. Try again in a moment."
            raise Refused("too_many_connections", message, status=503, headers={"Retry-After": "5"})
        self._connections.add(connection)
        try:
            yield
        finally:
            self._connections.discard(connection)

    @asynccontextmanager
    async def following(self, operation: str, stream: Stream) -> AsyncIterator[AsyncIterator[Any]]:
        """The events of a stream. Comes out as the Refused with which it ended."""
        if self.closing:
            raise self.closing
        self._streams.add(stream)
        try:
            async with stream.running(), aclosing(SOURCES[operation](self, stream)) as events:
                yield events
        finally:
            self._streams.discard(stream)

    async def drain(self, seconds: float) -> None:
        """Takes nothing new, tells streams that they end, lets requests end, and hangs up."""
        self.closing = Refused(
            "closing", "This node is stopping. Connect again.", status=503, headers={"Retry-After": "1"}
        )
        for stream in list(self._streams):
            stream.end(self.closing)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and (self._streams or not all(c.idle for c in self._connections)):
            await asyncio.sleep(0.05)
        for connection in list(self._connections):
            connection.hang_up()

    def close(self) -> None:
        if self._looking:
            self._looking.cancel()
        self.feed.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._judges.shutdown(wait=True, cancel_futures=True)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                self._hang_up_on_idlers(time.monotonic())
                await self._judge_again()
            except Exception:
                # Were it to end, no stream would end with its token any more.
                logger.exception("fault while looking after streams")

    def _hang_up_on_idlers(self, now: float) -> None:
        for connection in list(self._connections):
            unknown = not connection.known and now - connection.since > UNKNOWN_SECONDS
            if unknown or (connection.idle and now - connection.quiet_since > QUIET_SECONDS):
                connection.hang_up()

    async def _judge_again(self) -> None:
        streams: dict[str, list[Stream]] = {}
        for stream in self._streams:
            streams.setdefault(stream.token, []).append(stream)
        tokens = list(streams)
        loop = asyncio.get_running_loop()
        parts = [tokens[n::JUDGES] for n in range(JUDGES) if tokens[n::JUDGES]]
        for judged in await asyncio.gather(*(loop.run_in_executor(self._judges, self._judged, part) for part in parts)):
            for token, verdict in judged.items():
                for stream in streams[token]:
                    stream.judged(token, verdict)

    def _judged(self, tokens: Sequence[str]) -> Mapping[str, Caller | Refused]:
        found: dict[str, Caller | Refused] = {}
        for token in tokens:
            try:
                found[token] = self.api.judge.again(token)
            except Refused as refused:
                found[token] = refused
                if refused.status == 503:  # the identity provider does not answer: nobody waits for it twice
                    return dict.fromkeys(tokens, refused) | found
        return found
