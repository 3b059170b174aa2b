"""Messages over REST: times, retries, what managers do, replies, tokens that are handed over, idempotency keys."""

import secrets
import threading
from collections.abc import Callable
from typing import Any

import pytest

from idp.api.acl import owned_by
from idp.api.brokers.contract import Envelope
from idp.api.document_store.contract import Document, insert
from idp.api.problems import unavailable
from tests.api.conftest import Companion, refusal
from tests.api.test_work_items import ADA, allow

RULES = [ADA, allow("user", "usr_bob", "publish", max_priority=5), allow("client", "app_worker", "consume")]


class Jobs:
    """A companion with the queue `jobs`: Ada manages it, Bob publishes, the worker consumes."""

    def __init__(self, companion: Companion, queue: str = "jobs") -> None:
        self.companion, self.clock, self.path = companion, companion.clock, f"/queues/{queue}"
        self.ada, self.bob, self.worker = companion.as_user(), companion.as_user("bob"), companion.as_app()

    def declare(self, token: str = "", **settings: Any) -> Any:
        return self.companion.call("PUT", self.path, token or self.ada, {"acl": RULES, **settings})

    def call(self, path: str, token: str, body: Any = None, **more: Any) -> Any:
        return self.companion.call("POST", self.path + path, token, body, **more)

    def publish(self, body: Any, by: str = "", **more: Any) -> str:
        answer = self.call("/messages", by or self.bob, {"body": body, **more})
        assert answer.status_code == 201, answer.text
        return str(answer.json["id"])

    def take(self, token: str = "", **more: Any) -> Any:
        answer = self.call("/take", token or self.worker, more)
        assert answer.status_code == 200, answer.text
        return answer.json["message"]

    def settle(self, message: Any, verb: str, token: str = "", **more: Any) -> Any:
        return self.call(f"/messages/{message['receipt']}/{verb}", token or self.worker, more)

    def counts(self) -> tuple[int, int, int, int]:
        found = self.companion.call("GET", self.path, self.ada).json
        return found["ready"], found["delayed"], found["taken"], found["dead"]

    @property
    def broker(self) -> Any:
        return self.companion.client.application.extensions["sheaf"].broker


@pytest.fixture
def jobs(companion: Companion) -> Jobs:
    jobs = Jobs(companion)
    assert jobs.declare().status_code == 200
    return jobs


# --- times and retries ---------------------------------------------------------------------------------------------


def test_a_delayed_message_is_given_when_its_time_has_come(jobs: Jobs) -> None:
    jobs.publish("later", delay_seconds=60)
    assert jobs.take() is None
    assert jobs.counts() == (0, 1, 0, 0)
    jobs.clock.advance(60)
    assert jobs.take()["body"] == "later"


@pytest.mark.parametrize("by", ["message", "queue"])
def test_a_message_that_nobody_took_in_time_is_a_dead_letter(jobs: Jobs, by: str) -> None:
    jobs.declare(expires_seconds=30 if by == "queue" else None)
    jobs.publish("old", **({"expires_seconds": 30} if by == "message" else {}))
    jobs.clock.advance(30)
    assert jobs.take() is None
    assert jobs.take(jobs.ada, dead=True)["dead_letter"]["reason"] == "expired"


def test_a_renewed_lease_keeps_the_message(jobs: Jobs) -> None:
    jobs.publish(1)
    message = jobs.take(lease_seconds=10)
    jobs.clock.advance(9)
    assert refusal(jobs.settle(message, "renew", jobs.ada)) == (404, "unknown_receipt")
    assert jobs.settle(message, "renew", lease_seconds=10).json["leased_until"] > message["leased_until"]
    jobs.clock.advance(9)
    assert jobs.take() is None
    assert jobs.settle(message, "ack").status_code == 204


def test_a_rejected_message_rests_longer_each_time_and_ends_as_a_dead_letter(jobs: Jobs) -> None:
    jobs.declare(max_deliveries=3, retry_seconds=10, retry_max_seconds=15)
    jobs.publish("bad")
    for rest in (10, 15):
        jobs.settle(jobs.take(), "reject", requeue=True)
        jobs.clock.advance(rest - 1)
        assert jobs.take() is None
        jobs.clock.advance(1)
    jobs.settle(jobs.take(), "reject", requeue=True)
    assert jobs.take(jobs.ada, dead=True)["dead_letter"]["reason"] == "given 3 times without an ack"


def test_whoever_rejects_may_say_how_long_it_rests(jobs: Jobs) -> None:
    jobs.publish(1)
    assert jobs.settle(jobs.take(), "reject", requeue=True, delay_seconds=5).status_code == 204
    assert jobs.take() is None
    jobs.clock.advance(5)
    assert jobs.take()["deliveries"] == 2


def test_a_wait_ends_with_the_message_that_comes(jobs: Jobs) -> None:
    timer = threading.Timer(0.2, lambda: jobs.publish("now"))
    timer.start()
    assert jobs.take(wait_seconds=5)["body"] == "now"
    timer.join()


def test_a_right_that_goes_while_one_waits_is_gone(jobs: Jobs) -> None:
    def withdraw() -> None:
        jobs.declare(acl=[ADA])
        jobs.publish(1, jobs.ada)

    timer = threading.Timer(0.2, withdraw)
    timer.start()
    assert refusal(jobs.call("/take", jobs.worker, {"wait_seconds": 5})) == (404, "unknown_queue")
    timer.join()
    assert jobs.counts()[0] == 1


def test_a_token_that_is_revoked_while_one_waits_gets_nothing_any_more(asking_companion: Companion) -> None:
    jobs = Jobs(asking_companion)
    jobs.declare()
    id = jobs.publish("?", reply_seconds=60)
    taken = jobs.take()

    def revoke(token: str, then: Callable[[], Any]) -> threading.Timer:
        def run() -> None:
            asking_companion.issuer.revoked.add(token)
            jobs.clock.advance(5)
            then()

        timer = threading.Timer(0.2, run)
        timer.start()
        return timer

    again = asking_companion.as_app()
    timer = revoke(jobs.worker, lambda: jobs.publish("secret"))
    assert refusal(jobs.call("/take", jobs.worker, {"wait_seconds": 5})) == (401, "revoked_token")
    timer.join()
    timer = revoke(jobs.bob, lambda: jobs.settle(taken, "reply", again, body="secret"))
    assert refusal(jobs.call(f"/replies/{id}", jobs.bob, {"wait_seconds": 5})) == (401, "revoked_token")
    timer.join()


# --- running a queue -----------------------------------------------------------------------------------------------


def test_a_manager_sees_what_is_in_a_queue_without_taking_it(jobs: Jobs) -> None:
    ids = [jobs.publish(n) for n in range(3)]
    seen = jobs.call("/inspect", jobs.ada, {"limit": 2}).json["messages"]
    assert [message["id"] for message in seen] == ids[:2]
    assert seen[0]["deliveries"] == 0
    assert not {"receipt", "token"} & seen[0].keys()
    assert jobs.take()["deliveries"] == 1
    jobs.settle(jobs.take(), "reject", requeue=False, reason="no")
    assert jobs.call("/inspect", jobs.ada, {"dead": True}).json["messages"][0]["dead_letter"]["reason"] == "no"


def test_dead_letters_are_put_back_or_purged(jobs: Jobs) -> None:
    for n in range(3):
        jobs.publish(n)
        jobs.settle(jobs.take(), "reject", requeue=False, reason="no")
    assert jobs.call("/redrive", jobs.ada, {"limit": 1}).json == {"count": 1}
    message = jobs.take()
    assert (message["body"], message["deliveries"], message["dead_letter"]) == (0, 1, None)
    assert jobs.call("/purge", jobs.ada, {"dead": True}).json == {"count": 2}
    jobs.publish(4)
    assert jobs.call("/purge", jobs.ada).json == {"count": 1}
    assert jobs.counts() == (0, 0, 1, 0)


def test_a_deleted_queue_is_gone_and_a_new_one_of_its_name_is_empty(jobs: Jobs) -> None:
    jobs.publish("secret")
    message = jobs.take()
    jobs.publish("more")
    assert jobs.companion.call("DELETE", jobs.path, jobs.ada).status_code == 204
    assert refusal(jobs.call("/take", jobs.worker)) == (404, "unknown_queue")
    jobs.declare()
    assert jobs.counts() == (0, 0, 0, 0)
    assert refusal(jobs.settle(message, "ack")) == (404, "unknown_receipt")


def test_a_queue_of_the_first_release_goes_on_with_what_is_in_it(companion: Companion) -> None:
    api, at = companion.client.application.extensions["sheaf"], "2026-01-01T00:00:00.000000Z"
    rules = owned_by(("user", "usr_ada"), ("publish", "consume", "manage"))
    insert(api.store, Document("sys.queues", "old", 1, at, "user:usr_ada", at, "", rules, {"max_deliveries": 1}))
    api.broker.publish([("old", Envelope("msg_1", "kept", 4, "usr_ada", "app", at))])
    old = Jobs(companion, "old")
    message = old.take(old.ada)
    assert message["body"] == "kept"
    old.settle(message, "reject", old.ada, requeue=True)
    assert old.counts() == (0, 0, 0, 1)
    assert old.declare(max_deliveries=2).status_code == 200
    assert old.counts() == (0, 0, 0, 1)


def test_what_managers_do_needs_the_right_to_manage(jobs: Jobs) -> None:
    for path in ("/inspect", "/purge", "/redrive"):
        for token in (jobs.bob, jobs.worker):
            assert refusal(jobs.call(path, token, {})) == (403, "not_permitted")
        assert refusal(jobs.call(path, jobs.companion.as_user("eve"), {})) == (404, "unknown_queue")
    assert refusal(jobs.companion.call("DELETE", jobs.path, jobs.bob)) == (403, "not_permitted")


# --- priorities and narrowing --------------------------------------------------------------------------------------


def test_a_priority_above_ones_own_is_refused(jobs: Jobs) -> None:
    assert refusal(jobs.call("/messages", jobs.bob, {"body": 1, "priority": 6})) == (403, "priority_too_high")
    jobs.publish("low", priority=5)
    jobs.publish("high", jobs.ada, priority=9)
    assert jobs.take()["body"] == "high"
    jobs.declare(acl=[*RULES, allow("user", "usr_bob", "publish", effect="deny")])
    assert refusal(jobs.call("/messages", jobs.bob, {"body": 1})) == (404, "unknown_queue")


@pytest.mark.parametrize(
    "rule",
    [
        allow("user", "usr_bob", "consume", max_priority=3),
        allow("user", "usr_bob", "publish", max_priority=3, effect="deny"),
        allow("user", "usr_bob", "publish", max_priority=10),
    ],
    ids=["consume", "deny", "ten"],
)
def test_a_highest_priority_belongs_to_an_entry_for_publishing(jobs: Jobs, rule: Any) -> None:
    assert refusal(jobs.declare(acl=[rule])) == (400, "invalid_request")


def test_a_narrowed_token_does_with_a_queue_what_it_was_narrowed_to(jobs: Jobs) -> None:
    details = [{"type": "sheaf_queues", "queues": ["jobs"], "rights": ["publish"], "max_priority": 4}]
    for narrow in (jobs.companion.as_user(authorization_details=details), jobs.companion.issuer.mint(
        sub="root", roles=["administrator"], authorization_details=details
    )):  # fmt: skip
        jobs.publish(1, narrow)
        assert refusal(jobs.call("/messages", narrow, {"body": 1, "priority": 5})) == (403, "narrowed_token")
        for path in ("/take", "/inspect", "/purge", "/messages/x/ack", "/messages/x/renew"):
            assert refusal(jobs.call(path, narrow, {})) == (403, "narrowed_token")
        assert refusal(jobs.declare(narrow)) == (403, "narrowed_token")
        assert refusal(jobs.companion.call("GET", "/queues/other", narrow)) == (403, "narrowed_token")
        assert jobs.companion.call("GET", jobs.path, narrow).status_code == 200


# --- replies -------------------------------------------------------------------------------------------------------


def test_the_holder_of_a_message_answers_and_the_asker_gets_it(jobs: Jobs) -> None:
    id = jobs.publish({"q": 1}, reply_seconds=60)
    message = jobs.take()
    assert message["wants_reply"]
    assert jobs.call(f"/replies/{id}", jobs.bob).json == {"reply": None}
    assert jobs.settle(message, "reply", body={"$any": "json"}).status_code == 204
    reply = jobs.call(f"/replies/{id}", jobs.bob).json["reply"]
    assert (reply["body"], reply["sent_by"]["subject"]) == ({"$any": "json"}, "app_worker")
    assert refusal(jobs.settle(message, "reply", body=2)) == (409, "replied_already")
    assert jobs.settle(message, "ack").status_code == 204


def test_nobody_else_answers_and_nobody_else_gets_the_answer(jobs: Jobs) -> None:
    id = jobs.publish(1, reply_seconds=60)
    message = jobs.take()
    for other in (jobs.ada, jobs.companion.as_admin()):
        assert refusal(jobs.settle(message, "reply", other, body=1)) == (404, "unknown_receipt")
        assert refusal(jobs.call(f"/replies/{id}", other)) == (404, "unknown_reply")
    assert refusal(jobs.settle(message, "reply", jobs.bob, body=1)) == (403, "not_permitted")
    jobs.clock.advance(30)  # the lease is over: this worker holds it no more
    assert refusal(jobs.settle(message, "reply", body=1)) == (404, "unknown_receipt")
    assert jobs.call(f"/replies/{id}", jobs.bob).json == {"reply": None}


def test_an_answer_to_one_message_cannot_be_given_with_another(jobs: Jobs) -> None:
    asked, other = jobs.publish(1, reply_seconds=60), jobs.publish(2)
    first, second = jobs.take(), jobs.take()
    assert (first["id"], second["id"]) == (asked, other)
    assert refusal(jobs.settle(second, "reply", body=1)) == (409, "nobody_waits")
    assert refusal(jobs.call(f"/replies/{other}", jobs.bob)) == (404, "unknown_reply")


def test_an_asker_that_waits_gets_the_answer_at_once_and_waits_no_longer_than_it_said(jobs: Jobs) -> None:
    id = jobs.publish(1, reply_seconds=60)
    message = jobs.take()
    timer = threading.Timer(0.2, lambda: jobs.settle(message, "reply", body="yes"))
    timer.start()
    assert jobs.call(f"/replies/{id}", jobs.bob, {"wait_seconds": 5}).json["reply"]["body"] == "yes"
    timer.join()
    jobs.clock.advance(60)
    assert refusal(jobs.call(f"/replies/{id}", jobs.bob)) == (404, "unknown_reply")


# --- tokens that go with a message ---------------------------------------------------------------------------------


def handed(jobs: Jobs, queue: str = "jobs", **changes: Any) -> str:
    details = [
        {"type": "sheaf_handover", "queue": queue},
        {"type": "sheaf_documents", "collections": ["notes"], "rights": ["read"]},
    ]
    return jobs.companion.as_user("bob", **{"authorization_details": details, **changes})


def test_a_token_exchanged_for_the_queue_reaches_the_taker_and_nobody_else(jobs: Jobs) -> None:
    token = handed(jobs)
    jobs.publish("with", token=token)
    jobs.publish("without")
    assert token not in jobs.call("/inspect", jobs.ada).text
    stored = jobs.companion.client.application.extensions["sheaf"]
    files = list(stored.broker._file._path.parent.glob("*"))
    assert files
    assert not any(token.encode() in file.read_bytes() for file in files if file.is_file())
    assert jobs.take()["token"] == token
    assert jobs.take()["token"] is None


@pytest.mark.parametrize(
    "changes",
    [
        {"authorization_details": None},
        {"authorization_details": [{"type": "sheaf_handover", "queue": "other"}]},
        {"authorization_details": [{"type": "sheaf_queues", "queues": ["jobs"], "rights": ["consume"]}]},
        {"sub": "usr_ada"},
        {"aud": "urn:somebody:else"},
        {"exp": 1_800_000_000},
        {"cnf": {"jkt": "x"}},
    ],
    ids=["not_narrowed", "other_queue", "no_handover", "other_person", "other_audience", "expired", "bound"],
)
def test_any_other_token_is_not_handed_over(jobs: Jobs, changes: Any) -> None:
    token = handed(jobs, **changes)
    answer = jobs.call("/messages", jobs.bob, {"body": 1, "token": token})
    assert refusal(answer) == (400, "bad_handover")
    assert token not in answer.text
    assert jobs.counts()[0] == 0


def test_ones_own_token_is_never_handed_over(jobs: Jobs) -> None:
    own = handed(jobs, authorization_details=[
        {"type": "sheaf_handover", "queue": "jobs"},
        {"type": "sheaf_queues", "queues": ["jobs"], "rights": ["publish"]},
    ])  # fmt: skip
    assert refusal(jobs.call("/messages", own, {"body": 1, "token": own})) == (400, "bad_handover")


# --- idempotency ---------------------------------------------------------------------------------------------------


def test_the_same_publication_with_a_key_is_one_message(jobs: Jobs) -> None:
    key = {"Idempotency-Key": "k1"}
    answers = [jobs.call("/messages", jobs.bob, {"body": 1}, headers=key) for _ in range(3)]
    assert len({answer.json["id"] for answer in answers}) == 1
    assert jobs.counts()[0] == 1
    assert refusal(jobs.call("/messages", jobs.bob, {"body": 2}, headers=key)) == (422, "idempotency_key_reused")
    assert jobs.call("/messages", jobs.ada, {"body": 2}, headers=key).status_code == 201  # keys are each caller's own


@pytest.mark.parametrize("settled", [False, True], ids=["still_held", "acked"])
def test_a_copy_made_by_a_retry_after_a_crash_is_never_given_out(jobs: Jobs, settled: bool) -> None:
    jobs.publish({"n": 1}, idempotency_key="k1")
    message = jobs.take(lease_seconds=10)
    place = jobs.companion.client.application.extensions["sheaf"].store.get("sys.queues", "jobs", 0.0).data["place"]
    copy = Envelope(message["id"], {"n": 1}, 4, "usr_bob", "app_notes", message["published_at"], more={"copy": "other"})
    jobs.broker.publish([(place, copy)])
    if settled:
        assert jobs.settle(message, "ack").status_code == 204
    assert jobs.take() is None
    assert jobs.counts() == (0, 0, 0 if settled else 1, 0)
    jobs.clock.advance(10)
    assert (jobs.take() is None) == settled  # the message itself returns when its taker has died


def test_a_publisher_that_was_cut_off_asks_again_and_has_sent_one_message(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = jobs.broker.publish

    def cut_off(messages: Any) -> None:
        publish(messages)
        raise unavailable("broker", "the answer was lost")

    asked = {"body": 1, "idempotency_key": "k", "reply_seconds": 60}
    monkeypatch.setattr(jobs.broker, "publish", cut_off)
    assert refusal(jobs.call("/messages", jobs.bob, asked)) == (503, "broker_unavailable")
    monkeypatch.undo()
    answer = jobs.call("/messages", jobs.bob, asked)
    assert answer.status_code == 201
    assert jobs.counts()[0] == 2
    assert jobs.take()["id"] == answer.json["id"]
    assert jobs.take() is None


def test_a_settlement_with_a_key_can_be_asked_again(jobs: Jobs) -> None:
    jobs.publish(1)
    message = jobs.take()
    for _ in range(2):
        assert jobs.settle(message, "ack", idempotency_key="k").status_code == 204
    assert refusal(jobs.settle(message, "ack")) == (404, "unknown_receipt")


@pytest.mark.slow
@pytest.mark.peer
def test_the_same_on_rabbitmq(start: Callable[..., Companion], rabbitmq_url: str) -> None:
    jobs = Jobs(start(broker=rabbitmq_url), f"jobs-{secrets.token_hex(4)}")
    jobs.declare(max_deliveries=2, retry_seconds=1)
    id = jobs.publish(1, reply_seconds=60, priority=5, idempotency_key="k", token=handed(jobs, jobs.path[8:]))
    message = jobs.take(wait_seconds=2)
    assert (message["id"], bool(message["token"])) == (id, True)
    assert jobs.settle(message, "renew", lease_seconds=60).status_code == 200
    assert jobs.settle(message, "reply", body="yes").status_code == 204
    assert jobs.call(f"/replies/{id}", jobs.bob).json["reply"]["body"] == "yes"
    assert jobs.settle(message, "reject", requeue=False, reason="no").status_code == 204
    assert jobs.call("/inspect", jobs.ada, {"dead": True}).json["messages"][0]["id"] == id
    assert jobs.call("/redrive", jobs.ada).json == {"count": 1}
    assert jobs.settle(jobs.take(wait_seconds=2), "ack").status_code == 204
    jobs.publish(2)
    assert jobs.call("/purge", jobs.ada).json == {"count": 1}
    exchange = "/exchanges/news"
    jobs.companion.call("PUT", exchange, jobs.ada)
    jobs.companion.call("POST", exchange + "/bind", jobs.ada, {"queue": jobs.path[8:], "pattern": "ch.*"})
    assert jobs.companion.call("POST", exchange + "/messages", jobs.ada, {"topic": "ch.be", "body": 3}).json["routed"]
    assert jobs.take(wait_seconds=2)["topic"] == "ch.be"
    assert jobs.companion.call("DELETE", jobs.path, jobs.ada).status_code == 204
