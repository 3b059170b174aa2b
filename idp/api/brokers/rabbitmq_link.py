"""Owns the one connection to RabbitMQ of a process, and the thread that alone may touch it.

What is said on the connection is left to rabbitmq.py: it hands in jobs and waits for their results.
"""

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as Late
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ConnectionWrongStateError, UnroutableError

from idp.api.problems import unavailable
from idp.base import ids
from idp.base.errors import Misconfigured, Refused
from idp.base.log import event

logger = logging.getLogger("idp.api.rabbitmq")
T = TypeVar("T")

CALL_SECONDS = 8.0
TICK_SECONDS = 0.5  # between two looks for leases that have ended
NODE_PREFIX = "sheaf.node."
REPLIES = "amq.rabbitmq.reply-to"  # RabbitMQ's direct reply-to: a reply queue that no one else can address


@dataclass(frozen=True, slots=True)
class Held:
    """A delivery that waits for ack or reject. place: the broker's queue; until: end of the lease, epoch seconds."""

    tag: int
    queue: str
    place: str
    holder: str
    until: float
    body: bytes


class Link:
    """Connection, channels, and what is lost with them: the deliveries that are held. For the owner thread only."""

    def __init__(self, parameters: pika.URLParameters) -> None:
        self.node = ids.secret().replace("-", "x").replace("_", "y")
        self.connection = pika.BlockingConnection(parameters)
        # Three channels: a fault on one must not return what is held on another.
        self.takes: BlockingChannel = self.connection.channel()
        self.publishes: BlockingChannel = self.connection.channel()
        self.publishes.confirm_delivery()
        self.control: BlockingChannel = self.connection.channel()
        self.held: dict[str, Held] = {}
        self.declared: set[str] = set()
        self.asked: deque[tuple[str, str, bytes]] = deque()
        self.waiting: dict[str, tuple[float, Future[bool]]] = {}
        self.control.queue_declare(NODE_PREFIX + self.node, exclusive=True, auto_delete=True)
        self.control.basic_consume(NODE_PREFIX + self.node, self._on_asked, auto_ack=True)
        self.publishes.basic_consume(REPLIES, self._on_reply, auto_ack=True)

    def ask_node(self, node: str, question: dict[str, Any], answer: "Future[bool]") -> None:
        """Send a question to the process that holds a delivery. A process that is gone holds nothing: False."""
        correlation = ids.secret()
        properties = pika.BasicProperties(reply_to=REPLIES, correlation_id=correlation)
        self.waiting[correlation] = (time.monotonic() + CALL_SECONDS, answer)
        try:
            body = json.dumps(question).encode()
            self.publishes.basic_publish("", NODE_PREFIX + node, body, properties, mandatory=True)
        except UnroutableError:
            self.waiting.pop(correlation)
            answer.set_result(False)

    def answer_nodes(self, settle: Callable[["Link", dict[str, Any]], bool]) -> None:
        while self.asked:
            reply_to, correlation, body = self.asked.popleft()
            done = settle(self, json.loads(body))
            properties = pika.BasicProperties(correlation_id=correlation)
            self.control.basic_publish("", reply_to, b"done" if done else b"unknown", properties)

    def forget_late(self) -> None:
        now = time.monotonic()
        for correlation in [c for c, (deadline, _) in self.waiting.items() if deadline < now]:
            self.waiting.pop(correlation)

    def close(self) -> None:
        for _, answer in self.waiting.values():
            with suppress(InvalidStateError):
                answer.set_exception(unavailable("broker", "connection lost while another node was asked"))
        with suppress(AMQPError, OSError):
            self.connection.close()

    def _on_asked(self, _channel: Any, _method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        if properties.reply_to and properties.correlation_id:
            self.asked.append((properties.reply_to, properties.correlation_id, body))

    def _on_reply(self, _channel: Any, _method: Any, properties: pika.BasicProperties, body: bytes) -> None:
        _, answer = self.waiting.pop(properties.correlation_id or "", (0.0, None))
        if answer:
            with suppress(InvalidStateError):
                answer.set_result(body == b"done")


class Owner:
    """Runs jobs on the link, one after the other; reconnects with growing pauses; refuses fast while there is no broker."""

    def __init__(
        self, url: str, settle: Callable[[Link, dict[str, Any]], bool], every_tick: Callable[[Link], None]
    ) -> None:
        try:
            self._parameters = pika.URLParameters(url)
        except (ValueError, TypeError, AttributeError, IndexError):
            raise Misconfigured("api.broker", "The AMQP URL cannot be read.", "Check it.") from None
        self._parameters.heartbeat = 20
        self._parameters.socket_timeout = 5.0
        self._parameters.stack_timeout = 5.0
        self._parameters.blocked_connection_timeout = 5.0
        self._settle, self._every_tick = settle, every_tick
        self._jobs: deque[tuple[Callable[[Link], Any], Future[Any]]] = deque()
        self._link: Link | None = None
        self._down = ""
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def call(self, job: Callable[[Link], T]) -> T:
        """Run `job` in the owner thread. Raises Refused 503 when there is no broker or no answer in time."""
        self._start()
        if self._down:
            raise unavailable("broker", self._down)
        result: Future[T] = Future()
        self._jobs.append((job, result))
        link = self._link
        if link:
            with suppress(ConnectionWrongStateError):
                link.connection.add_callback_threadsafe(_wake)
        return wait_for(result)

    def close(self) -> None:
        self._closing.set()
        link, thread = self._link, self._thread
        if link:
            with suppress(ConnectionWrongStateError):
                link.connection.add_callback_threadsafe(_wake)
        if thread:
            thread.join(CALL_SECONDS)

    def _start(self) -> None:
        with self._lock:  # lazily: a thread does not survive a fork
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="rabbitmq", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        pause = 0.2
        while not self._closing.is_set():
            try:
                link = Link(self._parameters)
            except (AMQPError, OSError) as error:
                self._lost(error)
                self._closing.wait(pause)
                pause = min(2 * pause, 5.0)
                continue
            pause, self._down, self._link = 0.2, "", link
            try:
                self._serve(link)
            except Exception as error:  # noqa: BLE001  (a thread that ends would leave every caller waiting)
                event(logger, "broker_lost", logging.WARNING, error=type(error).__name__, held=len(link.held))
            finally:
                self._link = None
                link.close()
        self._lost(RuntimeError("closing"))

    def _serve(self, link: Link) -> None:
        while not self._closing.is_set():
            while self._jobs:
                job, result = self._jobs.popleft()
                if result.set_running_or_notify_cancel():
                    _run_job(job, result, link)
            link.answer_nodes(self._settle)
            self._every_tick(link)
            link.forget_late()
            link.connection.process_data_events(TICK_SECONDS)

    def _lost(self, error: Exception) -> None:
        self._down = f"no connection ({type(error).__name__})"
        while self._jobs:
            _, result = self._jobs.popleft()
            if result.set_running_or_notify_cancel():
                result.set_exception(unavailable("broker", self._down))


def wait_for(result: "Future[T]") -> T:
    try:
        return result.result(CALL_SECONDS)
    except Late:
        result.cancel()  # what has not begun will not; what has may still take effect
        raise unavailable("broker", f"no answer within {CALL_SECONDS:g} s") from None


def _run_job(job: Callable[[Link], T], result: "Future[T]", link: Link) -> None:
    try:
        result.set_result(job(link))
    except Refused as refused:
        result.set_exception(refused)
    except (AMQPError, OSError) as error:
        result.set_exception(unavailable("broker", f"{type(error).__name__}: {error}"))
        raise
    except Exception as error:  # noqa: BLE001  (handed to whoever waits; the thread must live on)
        result.set_exception(error)


def _wake() -> None:
    """Ends the wait of process_data_events."""
