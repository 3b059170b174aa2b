"""Effects outside of the document store: begun, done and answered once for each key, also after a crash in the middle."""

from typing import Any

import pytest

from idp.api.commands.queues import Published, PublishMessage
from idp.api.once import Once
from idp.base.errors import Refused
from tests.api.documents.conftest import ADA, BOB, Companion

OPERATION = "queues.publish"


@pytest.fixture
def once(companion: Companion) -> Once:
    return Once(companion.api.store, companion.clock)


class Broker:
    """Takes the ids of what was sent; `broken` stands for a crash after the effect."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.broken = False

    def send(self, seed: str) -> Published:
        self.sent.append(seed)
        if self.broken:
            raise ConnectionError
        return Published(id=f"msg_{seed}")


def asked(notes: str, body: Any = 1, key: str | None = "k") -> PublishMessage:
    return PublishMessage(name="jobs", body=[notes, body], idempotency_key=key and key + notes)


def test_without_a_key_every_request_has_its_effect(once: Once, notes: str) -> None:
    broker = Broker()
    answers = {once.carry_out(ADA, OPERATION, asked(notes, key=None), broker.send) for _ in range(2)}
    assert len(answers) == len(set(broker.sent)) == 2


def test_a_repeated_request_gets_the_first_answer(once: Once, notes: str) -> None:
    broker = Broker()
    first, second = (once.carry_out(ADA, OPERATION, asked(notes), broker.send) for _ in range(2))
    assert first == second
    assert len(broker.sent) == 1
    assert once.carry_out(BOB, OPERATION, asked(notes), broker.send) != first
    with pytest.raises(Refused) as refused:
        once.carry_out(ADA, OPERATION, asked(notes, body=2), broker.send)
    assert (refused.value.status, refused.value.code) == (422, "idempotency_key_reused")


def test_after_a_crash_in_the_middle_the_effect_comes_again_under_the_same_id(once: Once, notes: str) -> None:
    broker = Broker()
    broker.broken = True
    for _ in range(2):
        with pytest.raises(ConnectionError):
            once.carry_out(ADA, OPERATION, asked(notes), broker.send)
    broker.broken = False
    once.carry_out(ADA, OPERATION, asked(notes), broker.send)
    once.carry_out(ADA, OPERATION, asked(notes), broker.send)
    assert len(broker.sent) == 3
    assert len(set(broker.sent)) == 1


def test_a_key_that_was_forgotten_makes_other_ids(once: Once, companion: Companion, notes: str) -> None:
    broker = Broker()
    once.carry_out(ADA, OPERATION, asked(notes), broker.send)
    companion.clock.advance(86_401)
    once.carry_out(ADA, OPERATION, asked(notes), broker.send)
    assert len(set(broker.sent)) == 2
