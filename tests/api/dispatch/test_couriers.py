"""What carries requests between nodes: the same from a file and from RabbitMQ."""

import queue
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from idp.api.dispatch.contract import Courier
from idp.api.dispatch.embedded import EmbeddedCourier
from tests.api.dispatch.conftest import Couriers
from tests.support.running import until


@dataclass
class Process:
    """One that uses a courier: answers with what it got and its own name, as soon as the door is open."""

    courier: Courier
    name: str = ""
    threads: int = 1
    door: threading.Event = field(default_factory=threading.Event)
    began: "queue.Queue[str]" = field(default_factory=queue.Queue)
    answers: "queue.Queue[tuple[str, str]]" = field(default_factory=queue.Queue)
    losses: list[str] = field(default_factory=list)

    def start(self, *, open: bool = True) -> "Process":
        if open:
            self.door.set()
        self.courier.start(
            self.threads, self._execute, lambda id, body: self.answers.put((id, body)), lambda: self.losses.append("")
        )
        return self

    def _execute(self, id: str, body: str) -> str | None:
        self.began.put(id)
        self.door.wait(20)
        return f"{self.name}: {body}" if body else None


def test_a_request_is_answered_to_who_asked_whoever_executes_it(courier: Couriers) -> None:
    asking, other = Process(courier(), "asking").start(open=False), Process(courier(), "other").start(open=False)
    for n in range(2):  # each has one thread: both are needed
        asking.courier.send(f"r{n}", 1, f"body {n}")
    assert {asking.began.get(timeout=20), other.began.get(timeout=20)} == {"r0", "r1"}
    asking.door.set()
    other.door.set()
    found = dict(asking.answers.get(timeout=20) for _ in range(2))
    assert {text.partition(": ")[0] for text in found.values()} == {"asking", "other"}
    assert {text.partition(": ")[2] for text in found.values()} == {"body 0", "body 1"}
    assert other.answers.empty()


def test_a_high_request_overtakes_a_hundred_waiting_low_ones(courier: Couriers) -> None:
    process = Process(courier()).start(open=False)
    process.courier.send("first", 1, "x")
    assert process.began.get(timeout=20) == "first"
    for n in range(100):
        process.courier.send(f"low {n}", 0, "x")
    process.courier.send("normal", 1, "x")
    process.courier.send("high", 2, "x")
    until(lambda: courier.waiting() == 102, "the broker has them all")  # of RabbitMQ an ack may overtake them
    process.door.set()
    order = [process.began.get(timeout=20) for _ in range(102)]
    assert order[:2] == ["high", "normal"]
    assert order[2:] == [f"low {n}" for n in range(100)]


def test_what_waits_is_not_hoarded_by_a_busy_process(courier: Couriers) -> None:
    busy = Process(courier()).start(open=False)
    for n in range(5):
        busy.courier.send(f"r{n}", 1, "x")
    assert busy.began.get(timeout=20) == "r0"
    free = Process(courier()).start()
    assert [free.began.get(timeout=20) for _ in range(4)] == ["r1", "r2", "r3", "r4"]
    busy.door.set()
    until(lambda: busy.answers.qsize() == 5, "all are answered")


def test_what_a_process_held_that_is_gone_is_given_to_another_one(tmp_path: Path) -> None:
    """From RabbitMQ it returns with the connection; in the file its lease ends."""
    now = time.time()
    process = Process(EmbeddedCourier(tmp_path / "dispatch.db", time.time))
    with closing(sqlite3.connect(tmp_path / "dispatch.db")) as connection, connection:
        sql = (
            "INSERT INTO request (id, rank, sender, body, at, holder, leased_until) VALUES (?, 1, 'x', 'x', ?, 'y', ?)"
        )
        connection.executemany(
            sql, [("held", now, now + 1000), ("left", now, now - 1), ("old", now - 1000, now + 1000)]
        )
    process.start()
    assert process.began.get(timeout=20) == "left"
    process.courier.close()
    with closing(sqlite3.connect(tmp_path / "dispatch.db")) as connection:
        assert connection.execute("SELECT id FROM request").fetchall() == [("held",)]
        assert connection.execute("SELECT sender, id FROM answer").fetchall() == [("x", "left")]


def test_what_nobody_waits_for_is_forgotten(courier: Couriers) -> None:
    process = Process(courier()).start()
    process.courier.send("late", 1, "")
    process.courier.send("next", 1, "x")
    assert process.answers.get(timeout=20) == ("next", ": x")
    other = Process(courier()).start()
    process.courier.send("last", 1, "x")
    assert process.answers.get(timeout=20)[0] == "last"
    assert {*process.began.queue, *other.began.queue} == {"late", "next", "last"}
