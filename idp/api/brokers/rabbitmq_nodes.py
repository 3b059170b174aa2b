"""Owns what the processes that share a RabbitMQ say to one another: questions about what another one holds, and bells.

Each has a queue of its own, named after its connection, that ends with it. A bell says that a queue may have something
`new` (to those who listen to it), that it has places for delays (`waits`) or is `gone`, or that a process is there (`hello`,
answered with `here`): the latter to all. Bells may get lost.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pika
from pika.exceptions import AMQPError

from idp.api.brokers.rabbitmq_connection import CALL_SECONDS, Connection, Line
from idp.base import ids
from idp.base.errors import Refused

NODE = "sheaf.node."
BELLS = "sheaf.bells"
BELL_KINDS = ("new", "waits", "gone", "hello", "here")
ALL = ":all"  # no name of a queue

Answer = Callable[[dict[str, Any]], Awaitable[Any]]
Ring = Callable[[str, str], None]


class Nodes:
    """answer: to a question of another process. rung: what a bell said, and of which queue or process."""

    def __init__(self, connection: Connection, line: Line, answer: Answer, rung: Ring) -> None:
        self.name = connection.name
        self._line, self._answer, self._rung = line, answer, rung
        self._asked: dict[str, asyncio.Future[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, connection: Connection, answer: Answer, rung: Ring) -> "Nodes":
        line = await connection.line()
        nodes = cls(connection, line, answer, rung)
        raw = line.raw
        await line.call(raw.exchange_declare, BELLS, exchange_type="direct", durable=True)
        await line.call(raw.queue_declare, NODE + nodes.name, exclusive=True, auto_delete=True)
        await nodes.listen(ALL)
        raw.add_on_return_callback(nodes._on_return)
        await line.call(raw.basic_consume, NODE + nodes.name, nodes._on_message, auto_ack=True)
        return nodes

    async def listen(self, queue: str) -> None:
        await self._line.call(self._line.raw.queue_bind, NODE + self.name, BELLS, routing_key=queue)

    async def unlisten(self, queue: str) -> None:
        await self._line.call(self._line.raw.queue_unbind, NODE + self.name, BELLS, routing_key=queue)

    def ring(self, what: str, about: str) -> None:
        properties = pika.BasicProperties(type=what)
        self._line.raw.basic_publish(BELLS, about if what == "new" else ALL, about.encode(), properties)

    async def ask(self, node: str, question: dict[str, Any], seconds: float = CALL_SECONDS) -> Any:
        """None when there is no such process any more: what it held has returned. Raises TimeoutError."""
        correlation = ids.secret()
        answer = self._asked[correlation] = self._line.awaited()
        properties = pika.BasicProperties(type="question", reply_to=self.name, correlation_id=correlation)
        try:
            self._line.raw.basic_publish("", NODE + node, json.dumps(question).encode(), properties, mandatory=True)
            return await asyncio.wait_for(answer, seconds)
        finally:
            del self._asked[correlation]

    def _on_return(self, _channel: Any, _method: Any, properties: pika.BasicProperties, _body: bytes) -> None:
        self._answered(properties.correlation_id, None)

    def _on_message(self, _channel: Any, _method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        if properties.type == "question":
            task = asyncio.ensure_future(self._reply(properties, body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif properties.type == "answer":
            self._answered(properties.correlation_id, json.loads(body))
        elif properties.type in BELL_KINDS:
            self._rung(properties.type, body.decode())

    def _answered(self, correlation: str | None, value: Any) -> None:
        future = self._asked.get(correlation or "")
        if future and not future.done():
            future.set_result(value)

    async def _reply(self, asked: pika.BasicProperties, body: bytes) -> None:
        try:
            value = await self._answer(json.loads(body))
            properties = pika.BasicProperties(type="answer", correlation_id=asked.correlation_id)
            self._line.raw.basic_publish("", NODE + str(asked.reply_to), json.dumps(value).encode(), properties)
        except (AMQPError, OSError, Refused):
            return  # the connection is lost, and with it what was held; who asked is told nothing in time
