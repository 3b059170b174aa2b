"""Owns how requests travel over RabbitMQ: one queue with priorities for requests, and for each process one for its answers.

The queue is a classic one: quorum queues know no priorities, and nothing in it must outlive its broker, because whoever asked is
refused when the connection is lost. What is under way at a process that dies returns to it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

import pika

from idp.api.brokers.rabbitmq_connection import Connection, Line, Owner
from idp.api.dispatch.contract import Answered, Execute
from idp.api.dispatch.priority import RANKS
from idp.base.errors import Refused

REQUESTS: Final = "sheaf.dispatch"
ANSWERS: Final = "sheaf.answers."
KEPT_MILLISECONDS: Final = 60_000


class RabbitCourier:
    def __init__(self, url: str) -> None:
        self._owner: Owner[_Link] = Owner(url, self._link)

    def start(self, threads: int, execute: Execute, answered: Answered, lost: Callable[[], None]) -> None:
        self._threads, self._execute, self._answered, self._lost = threads, execute, answered, lost
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="dispatch")
        with suppress(Refused):  # it connects by itself when the broker is there
            self.ready()

    def send(self, id: str, rank: int, body: str) -> None:
        self._owner.call(lambda link: link.send(id, rank, body))

    def ready(self) -> None:
        self._owner.call(lambda link: asyncio.sleep(0))

    def close(self) -> None:
        self._owner.close()
        if hasattr(self, "_pool"):
            self._pool.shutdown()

    async def _link(self, connection: Connection) -> "_Link":
        connection.lost.add_done_callback(lambda _: self._lost())
        line = await connection.line()
        link = _Link(connection, line, lambda *given: self._pool.submit(self._execute, *given), self._answered)
        await link.open(self._threads)
        return link


class _Link:
    """Lost with its connection. begin: executes a request in a thread."""

    def __init__(
        self, connection: Connection, line: Line, begin: Callable[[str, str], Future[str | None]], answered: Answered
    ) -> None:
        self._connection, self._line, self._begin, self._answered = connection, line, begin, answered
        self._loop = asyncio.get_running_loop()

    async def open(self, threads: int) -> None:
        line, raw, own = self._line, self._line.raw, ANSWERS + self._connection.name
        raw.add_on_return_callback(self._on_return)
        raw.add_on_cancel_callback(lambda _: self._start_anew())
        kind = {"x-max-priority": max(RANKS.values()), "x-message-ttl": KEPT_MILLISECONDS}
        await line.call(raw.queue_declare, REQUESTS, durable=True, arguments=kind)
        await line.call(raw.queue_declare, own, exclusive=True, auto_delete=True)
        await line.call(raw.basic_consume, own, self._on_answer, auto_ack=True)
        # No more than it has threads: what waits must wait where the order is.
        await line.call(raw.basic_qos, prefetch_count=threads)
        await line.call(raw.basic_consume, REQUESTS, self._on_request)

    async def send(self, id: str, rank: int, body: str) -> None:
        name = ANSWERS + self._connection.name
        properties = pika.BasicProperties(delivery_mode=1, message_id=id, priority=rank, reply_to=name)
        self._line.raw.basic_publish("", REQUESTS, body.encode(), properties, mandatory=True)

    def _on_request(self, _channel: Any, method: Any, asked: pika.BasicProperties, body: bytes) -> None:
        try:
            future = self._begin(str(asked.message_id), body.decode(errors="replace"))
        except RuntimeError:  # this process ends, and with it the connection: others get it
            return

        def done(future: Future[str | None]) -> None:
            with suppress(RuntimeError):  # the loop has ended: the broker gives it to somebody else
                self._loop.call_soon_threadsafe(self._settle, method.delivery_tag, asked, future.result())

        future.add_done_callback(done)

    def _settle(self, tag: int, asked: pika.BasicProperties, answer: str | None) -> None:
        if not self._line.raw.is_open:  # another one has it by now
            return
        if answer is not None and asked.reply_to == ANSWERS + self._connection.name:
            self._answered(str(asked.message_id), answer)
        elif answer is not None and str(asked.reply_to).startswith(ANSWERS):
            properties = pika.BasicProperties(delivery_mode=1, message_id=asked.message_id)
            self._line.raw.basic_publish("", str(asked.reply_to), answer.encode(), properties)
        self._line.raw.basic_ack(tag)

    def _on_answer(self, _channel: Any, _method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        self._answered(str(properties.message_id), body.decode(errors="replace"))

    def _on_return(self, _channel: Any, _method: Any, _properties: Any, _body: bytes) -> None:
        self._start_anew()

    def _start_anew(self) -> None:
        """Somebody deleted the queue. Who waits is refused, and the next connection makes it again."""
        if self._connection.raw.is_open:
            self._connection.raw.close()
