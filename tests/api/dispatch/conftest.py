"""Owns couriers under test: over a file and over a real RabbitMQ."""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pika
import pytest

from idp.api.dispatch.contract import Courier
from idp.api.dispatch.embedded import EmbeddedCourier
from tests.support.rabbitmq import rabbitmq


@pytest.fixture(scope="module")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as url:
        yield url


@dataclass
class Couriers:
    """Each call gives that of another process. waiting: how many requests nobody has yet."""

    another: Callable[[], Courier]
    waiting: Callable[[], int]

    def __call__(self) -> Courier:
        return self.another()


@pytest.fixture(params=["embedded", pytest.param("rabbitmq", marks=[pytest.mark.slow, pytest.mark.peer])])
def courier(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Couriers]:
    opened: list[Courier] = []
    url = request.getfixturevalue("broker_url") if request.param == "rabbitmq" else ""

    def another() -> Courier:
        if url:
            from idp.api.brokers.rabbitmq_courier import RabbitCourier

            opened.append(RabbitCourier(url))
        else:
            opened.append(EmbeddedCourier(tmp_path / "dispatch.db", time.time))
        return opened[-1]

    def waiting() -> int:
        if url:
            with contextlib.closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
                return int(connection.channel().queue_declare("sheaf.dispatch", passive=True).method.message_count)
        with contextlib.closing(sqlite3.connect(tmp_path / "dispatch.db")) as connection:
            return int(connection.execute("SELECT count(*) FROM request WHERE holder IS NULL").fetchone()[0])

    yield Couriers(another, waiting)
    for one in opened:
        one.close()
