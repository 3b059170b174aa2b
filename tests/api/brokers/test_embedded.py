"""What only the embedded broker has: a file, of this release or the first one, and processes that are killed."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

from idp.api.brokers.contract import Counts, Hold, Want
from idp.api.brokers.embedded import FIRST, EmbeddedBroker
from tests.api.brokers.conftest import AT, envelope
from tests.support.clock import FakeClock

WRITER = """
import sys
from pathlib import Path
from idp.api.brokers.contract import Hold, Want
from idp.api.brokers.embedded import EmbeddedBroker
from idp.base.clock import system_clock
from tests.api.brokers.conftest import envelope
broker = EmbeddedBroker(Path(sys.argv[1]), system_clock)
for number in range(100000):
    broker.publish([("jobs", envelope(number))])
    print("published", number, flush=True)
    if number % 2:
        delivery = broker.take(Want("jobs", "w", 900, 5))
        broker.ack(Hold("jobs", delivery.receipt, "w"))
        print("acked", delivery.envelope.body, flush=True)
"""


def test_what_was_acknowledged_outlives_a_process_that_is_killed(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "queues.db"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    said = [writer.stdout.readline() for _ in range(150)]
    writer.kill()
    said += writer.stdout.read().splitlines()
    writer.wait()
    writer.stdout.close()
    words = [line.split() for line in said if len(line.split()) == 2]
    published, acked = ({int(number) for word, number in words if word == which} for which in ("published", "acked"))
    clock.set(4e9)  # every lease has ended
    broker, left = EmbeddedBroker(path, clock), []
    while delivery := broker.take(Want("jobs", "rest", 60, 5)):
        left.append(delivery.envelope.body)
        assert broker.ack(Hold("jobs", delivery.receipt, "rest"))
    broker.close()
    assert len(left) == len(set(left))
    assert not acked & set(left)
    assert published <= acked | set(left)


def test_messages_of_the_first_release_are_kept(tmp_path: Path, clock: FakeClock) -> None:
    old = sqlite3.connect(tmp_path / "queues.db")
    old.execute(FIRST)
    sql = "INSERT INTO message (queue, dead, priority, envelope, deliveries, receipt, holder, leased_until) VALUES "
    body = {"id": "m", "priority": 4, "subject": "usr_ada", "client_id": "app", "published_at": AT}
    rows = [
        (0, 4, {**body, "body": "ready"}, 0, None, None, 0),
        (0, 9, {**body, "body": "taken"}, 1, "ab", "w", clock() + 900),
        (1, 4, {**body, "body": "dead", "dead_reason": "no", "dead_at": AT}, 1, None, None, 0),
    ]
    for dead, priority, kept, *more in rows:
        old.execute(sql + "('jobs', ?, ?, ?, ?, ?, ?, ?)", (dead, priority, json.dumps(kept).encode(), *more))
    old.commit()
    old.close()
    broker = EmbeddedBroker(tmp_path / "queues.db", clock)
    assert broker.count("jobs") == Counts(ready=2, dead=1)
    assert [found.body for found in broker.peek("jobs", 5)] == ["taken", "ready"]
    delivery = broker.take(Want("jobs", "w", 60, 5))
    assert delivery
    assert delivery.deliveries == 2
    assert [found.dead_reason for found in broker.peek("jobs", 5, dead=True)] == ["no"]
    broker.close()


def test_an_empty_take_locks_nobody_out(tmp_path: Path, clock: FakeClock) -> None:
    broker = EmbeddedBroker(tmp_path / "queues.db", clock)
    writer = sqlite3.connect(tmp_path / "queues.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert broker.take(Want("jobs", "w", 60, 5)) is None
    assert broker.count("jobs") == Counts(ready=0, dead=0)
    writer.execute("ROLLBACK")
    writer.close()
    broker.close()


def test_a_take_from_a_long_queue_reads_one_message(tmp_path: Path, clock: FakeClock) -> None:
    broker = EmbeddedBroker(tmp_path / "queues.db", clock)
    broker.publish([("jobs", envelope(n, n % 10)) for n in range(2000)])
    broker.publish([("jobs", envelope(n, 9, not_before=clock() + 900)) for n in range(2000)])
    steps = _steps_of_a_take(broker)
    broker.publish([("jobs", envelope(n, n % 10)) for n in range(20000)])
    assert _steps_of_a_take(broker) <= steps + 5
    broker.close()


def _steps_of_a_take(broker: EmbeddedBroker) -> int:
    """In hundreds of instructions of SQLite's machine."""
    counted = []
    with broker._file.single() as connection:
        connection.set_progress_handler(lambda: counted.append(1), 100)
        assert broker.take(Want("jobs", "w", 60, 5))
        connection.set_progress_handler(None, 0)
    return len(counted)
