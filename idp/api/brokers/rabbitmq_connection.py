"""Owns the one connection to RabbitMQ of a process: the thread and event loop it lives in, its channels, its return after a loss.

What is said on it is left to rabbitmq_link.py, rabbitmq_places.py and rabbitmq_nodes.py.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError as Late
from typing import Any, Generic, TypeVar

import pika
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.channel import Channel
from pika.exceptions import AMQPError, ChannelWrongStateError, NackError, UnroutableError
from pika.spec import Basic

from idp.api.problems import unavailable
from idp.base import ids
from idp.base.errors import Misconfigured
from idp.base.log import event

logger = logging.getLogger("idp.api.rabbitmq")
T = TypeVar("T")
L = TypeVar("L")

CALL_SECONDS = 8.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 2.0
Got = tuple[Basic.GetOk, pika.BasicProperties, bytes]


class Line:
    """A channel with answers to await. Everybody who awaits one is told when it closes."""

    def __init__(self, raw: Channel) -> None:
        self.raw = raw
        self._awaited: set[asyncio.Future[Any]] = set()
        self._got: asyncio.Future[Got | None] | None = None
        raw.add_on_close_callback(self._on_close)
        raw.add_callback(lambda _frame: self._answer_get(None), [Basic.GetEmpty], one_shot=False)

    def awaited(self) -> "asyncio.Future[Any]":
        future = asyncio.get_running_loop().create_future()
        self._awaited.add(future)
        future.add_done_callback(self._awaited.discard)
        return future

    async def call(self, method: Callable[..., object], *args: Any, **named: Any) -> Any:
        """A method of `raw` that the broker answers."""
        future = self.awaited()
        method(*args, callback=lambda frame: _fulfil(future, frame), **named)
        return (await future).method

    async def get(self, place: str) -> Got | None:
        """One at a time on a line."""
        if (
            not self.raw.is_open
        ):  # it would complain of the get that was under way when it closed, and not as of a fault
            raise ChannelWrongStateError
        self._got = self.awaited()
        self.raw.basic_get(
            place, lambda _channel, method, properties, body: self._answer_get((method, properties, body))
        )
        return await self._got

    def _answer_get(self, got: Got | None) -> None:
        if self._got:
            _fulfil(self._got, got)

    def _on_close(self, _channel: Channel, reason: Exception) -> None:
        for future in list(self._awaited):
            if not future.done():
                future.set_exception(reason)


class Confirmed:
    """A line on which what is published is confirmed, many at a time."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._tag = 0
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._returned: set[int] = set()

    async def open(self) -> "Confirmed":
        await self._line.call(lambda callback: self._line.raw.confirm_delivery(self._on_confirm, callback))
        self._line.raw.add_on_return_callback(self._on_return)
        return self

    def publish(self, place: str, body: bytes, id: str) -> "asyncio.Future[None]":
        """Done when the broker has confirmed, which for a quorum queue means: a majority has it on disk."""
        self._tag += 1
        properties = pika.BasicProperties(
            delivery_mode=2, content_type="application/json", message_id=id, correlation_id=str(self._tag)
        )
        future = self._waiting[self._tag] = self._line.awaited()
        self._line.raw.basic_publish("", place, body, properties, mandatory=True)
        return future

    def _on_return(self, _channel: Channel, _method: Any, properties: pika.BasicProperties, _body: bytes) -> None:
        self._returned.add(int(properties.correlation_id or 0))  # the confirm follows

    def _on_confirm(self, frame: Any) -> None:
        last = frame.method.delivery_tag
        # Tags are in the order of their numbers, so those that one confirm settles stand in front.
        tags = [last] if not frame.method.multiple else [tag for tag in self._waiting if tag <= last]
        for tag in tags:
            future = self._waiting.pop(tag)
            if future.done():
                continue
            if tag in self._returned:
                self._returned.discard(tag)
                future.set_exception(UnroutableError([]))
            elif isinstance(frame.method, Basic.Nack):
                future.set_exception(NackError([]))
            else:
                future.set_result(None)


class Connection:
    """name: of this connection, unguessable, so that only who got it in a receipt can name it."""

    def __init__(self, raw: AsyncioConnection, lost: "asyncio.Future[Exception]") -> None:
        self.name = ids.secret().replace("-", "x").replace("_", "y")
        self.raw, self.lost = raw, lost

    @classmethod
    async def open(cls, parameters: pika.URLParameters) -> "Connection":
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[AsyncioConnection] = loop.create_future()
        lost: asyncio.Future[Exception] = loop.create_future()
        AsyncioConnection(
            parameters,
            on_open_callback=opened.set_result,
            on_open_error_callback=lambda _connection, error: opened.set_exception(error),
            on_close_callback=lambda _connection, reason: lost.set_result(reason),
            custom_ioloop=loop,
        )
        return cls(await opened, lost)

    async def line(self) -> Line:
        future: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()
        self.raw.channel(on_open_callback=future.set_result)
        done, _ = await asyncio.wait((future, self.lost), return_when=asyncio.FIRST_COMPLETED)
        if future not in done:
            raise self.lost.result()
        return Line(future.result())


class Owner(Generic[L]):
    """Keeps a link: what `made` makes of a connection; reconnects with growing pauses; refuses fast while there is no broker.
    Its loop runs in a thread of its own, both made at the first call: they do not survive a fork."""

    def __init__(self, url: str, made: Callable[[Connection], Coroutine[Any, Any, L]]) -> None:
        try:
            self._parameters = pika.URLParameters(url)
        except (ValueError, TypeError, AttributeError, IndexError):
            raise Misconfigured("api.broker", "The AMQP URL cannot be read.", "Check it.") from None
        self._parameters.heartbeat = 20
        self._parameters.socket_timeout = 5.0
        self._parameters.stack_timeout = 5.0
        self._parameters.blocked_connection_timeout = 5.0
        self._made = made
        self._down = ""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._link: asyncio.Future[L]
        self._closing = asyncio.Event()

    def call(self, job: Callable[[L], Coroutine[Any, Any, T]]) -> T:
        """Run `job(link)`. Raises Refused 503 when there is no broker or no answer in time; it may then still take effect."""
        self._start()
        if self._down:
            raise unavailable("broker", self._down)
        try:
            return asyncio.run_coroutine_threadsafe(self._run_job(job), self._loop).result(CALL_SECONDS)
        except Late:  # it is not cancelled: what has come from the broker meanwhile must be held, not forgotten
            raise unavailable("broker", f"no answer within {CALL_SECONDS:g} s") from None

    def close(self) -> None:
        self._down = "closing"
        if self._thread:
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join(CALL_SECONDS)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._down:
                self._loop = asyncio.new_event_loop()
                self._link = self._loop.create_future()
                self._thread = threading.Thread(target=self._run, name="rabbitmq", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._keep())

    async def _run_job(self, job: Callable[[L], Coroutine[Any, Any, T]]) -> T:
        link = await asyncio.shield(self._link)
        try:
            return await job(link)
        except (AMQPError, OSError) as error:
            raise unavailable("broker", f"{type(error).__name__}: {error}") from error

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        closing = asyncio.ensure_future(self._closing.wait())
        while not closing.done():
            try:
                connection, link = await self._connect()
            except Exception as error:  # noqa: BLE001  (a loop that ends would leave every caller waiting)
                self._lost(error)
                await asyncio.wait((closing,), timeout=pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            self._link.set_result(link)
            if not closing.done():
                self._down = ""
            await asyncio.wait((closing, connection.lost), return_when=asyncio.FIRST_COMPLETED)
            self._link = self._loop.create_future()
            if connection.lost.done():
                event(logger, "broker_lost", logging.WARNING, error=type(connection.lost.result()).__name__)
            else:
                connection.raw.close()
                await asyncio.wait((connection.lost,), timeout=CALL_SECONDS)
        self._lost(RuntimeError("closing"))

    async def _connect(self) -> tuple[Connection, L]:
        connection = await Connection.open(self._parameters)
        try:
            return connection, await self._made(connection)
        except BaseException:
            if connection.raw.is_open:  # else each attempt would leave one behind
                connection.raw.close()
            raise

    def _lost(self, error: Exception) -> None:
        self._down = f"no connection ({type(error).__name__})"
        if not self._link.done():
            self._link.set_exception(unavailable("broker", self._down))
            self._link.exception()  # nobody may be waiting
        self._link = self._loop.create_future()


def _fulfil(future: "asyncio.Future[Any]", result: Any) -> None:
    if not future.done():
        future.set_result(result)
