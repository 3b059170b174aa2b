"""queues.consume: messages come as they are published, no more at once than asked for, and only as long as one may."""

from itertools import count
from typing import Any

import pytest

from tests.api.transports.conftest import Served
from tests.api.transports.test_watch import ends

NAMES = (f"pushed{n}" for n in count())


@pytest.fixture
def jobs(served: Served) -> str:
    name = next(NAMES)
    served.ask("queues.declare", {"name": name}, served.token())
    return name


def publish(served: Served, queue: str, *bodies: Any) -> None:
    for body in bodies:
        served.clock.advance(0.001)
        served.ask("queues.publish", {"name": queue, "body": body}, served.token())


def test_messages_come_as_they_are_published(served: Served, streamed: Any, jobs: str) -> None:
    publish(served, jobs, 1)
    id = streamed.send("queues.consume", {"name": jobs}, token=served.token())
    first = streamed.read(id)["event"]
    assert (first["body"], first["deliveries"], first["sent_by"]["subject"]) == (1, 1, "usr_ada")
    publish(served, jobs, 2)
    second = streamed.read(id)["event"]
    assert second["body"] == 2
    for message in (first, second):
        done = streamed.ask("queues.ack", {"name": jobs, "receipt": message["receipt"]}, served.token())
        assert done.status == 200
    assert served.ask("queues.get", {"name": jobs}, served.token())["ready"] == 0


def test_no_more_are_given_than_were_asked_for_until_one_is_settled(served: Served, streamed: Any, jobs: str) -> None:
    token = served.token()
    publish(served, jobs, 1, 2, 3, 4)
    id = streamed.send("queues.consume", {"name": jobs, "prefetch": 2}, token=token)
    one, two = streamed.read(id)["event"], streamed.read(id)["event"]
    assert served.ask("queues.get", {"name": jobs}, token)["ready"] == 2
    streamed.ask("queues.ack", {"name": jobs, "receipt": two["receipt"]}, token)
    assert streamed.read(id)["event"]["body"] == 3
    rejected = {"name": jobs, "receipt": one["receipt"], "requeue": False, "reason": "broken"}
    streamed.ask("queues.reject", rejected, token)
    assert streamed.read(id)["event"]["body"] == 4


def test_a_message_that_nobody_settles_comes_again_after_its_lease(served: Served, streamed: Any, jobs: str) -> None:
    publish(served, jobs, 1)
    id = streamed.send("queues.consume", {"name": jobs, "prefetch": 1, "lease_seconds": 5}, token=served.token())
    assert streamed.read(id)["event"]["deliveries"] == 1
    served.clock.advance(6)
    assert streamed.read(id)["event"]["deliveries"] == 2


def test_consuming_ends_with_the_right_to_it(served: Served, streamed: Any, jobs: str) -> None:
    ada, eve = served.token(), served.token("eve")
    mine = {"kind": "user", "id": "usr_ada", "rights": ["publish", "consume", "manage"]}
    hers = {"kind": "user", "id": "usr_eve", "rights": ["publish", "consume"]}
    served.ask("queues.declare", {"name": jobs, "acl": [mine, hers]}, ada)
    id = streamed.send("queues.consume", {"name": jobs}, token=eve)
    publish(served, jobs, 1)
    assert streamed.read(id)["event"]["body"] == 1
    served.ask("queues.declare", {"name": jobs, "acl": [mine, {**hers, "rights": ["publish"]}]}, ada)
    publish(served, jobs, 2)
    assert ends(streamed, id) == (403, "not_permitted")
    assert served.ask("queues.take", {"name": jobs}, ada)["message"]["body"] == 2


def test_consuming_ends_with_its_token_though_nothing_comes(served: Served, streamed: Any, jobs: str) -> None:
    token = served.token()
    id = streamed.send("queues.consume", {"name": jobs}, token=token)
    served.issuer.revoked.add(token)
    served.clock.advance(4.1)
    assert ends(streamed, id) == (401, "revoked_token")


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"name": "not-there"}, (404, "unknown_queue")),
        ({"name": "amq.direct"}, (400, "invalid_request")),
        ({"name": "#"}, (400, "invalid_request")),
        ({"name": "a", "prefetch": 101}, (400, "invalid_request")),
        ({"name": "a", "lease_seconds": 0}, (400, "invalid_request")),
        ({}, (400, "invalid_request")),
    ],
    ids=["unknown", "broker's", "pattern", "prefetch", "lease", "nothing"],
)
def test_bad_requests_are_refused_by_name(served: Served, streamed: Any, request_: Any, told: Any) -> None:
    assert ends(streamed, streamed.send("queues.consume", request_, token=served.token())) == told


def test_somebody_elses_queue_is_not_there(served: Served, streamed: Any, jobs: str) -> None:
    assert ends(streamed, streamed.send("queues.consume", {"name": jobs}, token=served.token("eve"))) == (
        404,
        "unknown_queue",
    )
    narrowed = served.token(
        authorization_details=[{"type": "sheaf_queues", "queues": ["other"], "rights": ["consume"]}]
    )
    assert ends(streamed, streamed.send("queues.consume", {"name": jobs}, token=narrowed)) == (403, "narrowed_token")
