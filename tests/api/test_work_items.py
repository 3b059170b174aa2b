"""Work items over REST: leases, retries, what follows in other queues, who sees and changes what."""

import secrets
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import Companion, refusal

Rule = dict[str, Any]


def allow(kind: str, id: str, *rights: str, **more: Any) -> Rule:
    return {"kind": kind, "id": id, "rights": list(rights), **more}


ADA = allow("user", "usr_ada", "publish", "consume", "manage")
RULES = [
    ADA,
    allow("user", "usr_bob", "publish", max_priority=6),
    allow("client", "app_worker", "consume"),
    allow("client", "app_other", "consume"),
]


class Jobs:
    """A companion with the queue `jobs`: Ada manages it, Bob adds, two workers take."""

    def __init__(self, companion: Companion) -> None:
        self.companion, self.clock = companion, companion.clock
        self.ada, self.bob = companion.as_user(), companion.as_user("bob")
        self.worker, self.other = companion.as_app(), companion.as_app("app_other")

    def declare(self, queue: str = "jobs", token: str = "", **settings: Any) -> Any:
        body = {"kind": "work_items", "acl": RULES, **settings}
        return self.companion.call("PUT", f"/queues/{queue}", token or self.ada, body)

    def call(self, method: str, path: str, token: str, body: Any = None, queue: str = "jobs", **more: Any) -> Any:
        return self.companion.call(method, f"/queues/{queue}/items{path}", token, body, **more)

    def add(self, payload: Rule | None = None, token: str = "", queue: str = "jobs", **more: Any) -> str:
        self.clock.advance(0.01)  # ids sort by time of creation
        answer = self.call("POST", "", token or self.ada, {"payload": payload or {}, **more}, queue)
        assert answer.status_code == 201, answer.text
        return str(answer.json["id"])

    def take(self, token: str = "", queue: str = "jobs", **more: Any) -> Any:
        answer = self.call("POST", "/take", token or self.worker, more, queue)
        assert answer.status_code == 200, answer.text
        return answer.json["item"]

    def settle(self, item: Rule, verb: str, token: str = "", queue: str = "jobs", **more: Any) -> Any:
        body = {"receipt": item["receipt"], **more}
        return self.call("POST", f"/{item['id']}/{verb}", token or self.worker, body, queue)

    def get(self, id: str, token: str = "", queue: str = "jobs") -> Any:
        return self.call("GET", f"/{id}", token or self.ada, queue=queue).json

    def count(self, state: str, queue: str = "jobs") -> int:
        answer = self.call("POST", "/count", self.ada, {"filter": {"state": state}}, queue)
        assert not answer.json["more"]
        return int(answer.json["count"])


@pytest.fixture
def jobs(companion: Companion) -> Jobs:
    jobs = Jobs(companion)
    assert jobs.declare(max_deliveries=2).status_code == 200
    return jobs


def test_an_item_goes_from_whoever_added_it_to_a_worker_and_is_completed(jobs: Jobs) -> None:
    id = jobs.add({"do": "it"}, jobs.bob, priority=5)
    assert jobs.count("ready") == 1
    item = jobs.take(lease_seconds=30)
    assert (item["id"], item["payload"], item["priority"], item["attempts"]) == (id, {"do": "it"}, 5, 1)
    assert item["added_by"] == {"subject": "usr_bob", "client_id": "app_notes"}
    assert jobs.take(jobs.other) is None
    assert jobs.settle(item, "complete", payload={"done": True}).json["state"] == "completed"
    done = jobs.get(id, jobs.bob)
    assert (done["state"], done["payload"], done["due_at"]) == ("completed", {"done": True}, None)
    assert done["finished_at"]


def test_the_highest_priority_comes_first_and_the_oldest_within_it(jobs: Jobs) -> None:
    for n, priority in enumerate((1, 8, 8, 0, 9)):
        jobs.add({"n": n}, priority=priority)
    assert [jobs.take()["payload"]["n"] for _ in range(5)] == [4, 1, 2, 0, 3]


def test_a_delayed_item_waits_for_its_time(jobs: Jobs) -> None:
    id = jobs.add(delay_seconds=60)
    assert jobs.take() is None
    assert jobs.get(id)["state"] == "delayed"
    jobs.clock.advance(60)
    assert jobs.count("ready") == 1
    assert jobs.take()["id"] == id


def test_the_item_of_a_dead_worker_returns_and_fails_in_the_end(jobs: Jobs) -> None:
    id = jobs.add()
    first = jobs.take(lease_seconds=10)
    jobs.clock.advance(10)
    second = jobs.take(jobs.other, lease_seconds=10)
    assert (second["id"], second["attempts"]) == (id, 2)
    assert second["failure"]["reason"] == "the lease ended"
    for verb in ("complete", "renew"):
        assert refusal(jobs.settle(first, verb)) == (404, "unknown_receipt")
    jobs.clock.advance(10)
    assert jobs.take() is None
    assert jobs.get(id)["state"] == "failed"


def test_a_renewed_lease_keeps_the_item(jobs: Jobs) -> None:
    jobs.add()
    item = jobs.take(lease_seconds=10)
    jobs.clock.advance(9)
    assert jobs.settle(item, "renew", lease_seconds=10).status_code == 200
    jobs.clock.advance(9)
    assert jobs.take(jobs.other) is None
    assert jobs.settle(item, "complete").status_code == 200


def test_a_failed_attempt_is_tried_again_after_a_growing_rest(jobs: Jobs) -> None:
    jobs.declare(max_deliveries=4, retry_seconds=10, retry_max_seconds=25)
    id = jobs.add()
    for rest in (10, 20, 25):
        item = jobs.take()
        assert jobs.settle(item, "fail", reason="not yet").json["state"] == "delayed"
        jobs.clock.advance(rest - 1)
        assert jobs.take() is None
        jobs.clock.advance(1)
    assert jobs.settle(jobs.take(), "fail", reason="never").json["state"] == "failed"
    assert jobs.get(id)["failure"]["reason"] == "never"


def test_a_worker_may_choose_the_rest_or_give_up_at_once(jobs: Jobs) -> None:
    jobs.add()
    assert jobs.settle(jobs.take(), "fail", reason="later", delay_seconds=7).json["state"] == "delayed"
    jobs.clock.advance(7)
    assert jobs.settle(jobs.take(), "fail", reason="broken", retry=False).json["state"] == "failed"


def test_a_failed_item_can_be_retried_by_those_who_run_the_queue(jobs: Jobs) -> None:
    id = jobs.add()
    jobs.settle(jobs.take(), "fail", reason="x", retry=False)
    assert refusal(jobs.call("POST", f"/{id}/retry", jobs.bob)) == (403, "not_permitted")
    assert jobs.call("POST", f"/{id}/retry", jobs.ada).json["state"] == "ready"
    assert refusal(jobs.call("POST", f"/{id}/retry", jobs.ada)) == (409, "not_failed")
    assert jobs.take()["attempts"] == 1


def test_only_the_holder_changes_an_item_whatever_else_others_may(jobs: Jobs) -> None:
    id = jobs.add({"a": 1})
    item = jobs.take()
    update = {"receipt": item["receipt"], "payload": {"a": 2}}
    for token in (jobs.other, jobs.ada, jobs.companion.as_admin()):
        assert refusal(jobs.call("PATCH", f"/{id}", token, update)) == (404, "unknown_receipt")
        assert refusal(jobs.settle(item, "complete", token)) == (404, "unknown_receipt")
    assert refusal(jobs.settle(item, "complete", jobs.bob)) == (403, "not_permitted")
    assert refusal(jobs.settle(item | {"receipt": "guess"}, "complete")) == (404, "unknown_receipt")
    assert jobs.call("PATCH", f"/{id}", jobs.worker, update).status_code == 200
    assert jobs.get(id)["payload"] == {"a": 2}


def test_a_worker_that_lost_its_right_cannot_go_on(jobs: Jobs) -> None:
    jobs.add()
    item = jobs.take()
    jobs.declare(acl=[ADA])
    assert refusal(jobs.settle(item, "complete")) == (404, "unknown_queue")


def test_for_who_has_no_right_there_is_no_queue_and_no_item(jobs: Jobs) -> None:
    id, eve = jobs.add(), jobs.companion.as_user("eve")
    for queue in ("jobs", "nothing"):
        for method, path, body in (
            ("POST", "", {"payload": {}}),
            ("POST", "/take", {}),
            ("POST", "/query", {}),
            ("POST", "/count", {}),
            ("GET", f"/{id}", None),
            ("DELETE", f"/{id}", None),
        ):
            assert refusal(jobs.call(method, path, eve, body, queue)) == (404, "unknown_queue")


def test_whoever_may_only_add_sees_no_items_but_its_own(jobs: Jobs) -> None:
    mine, other = jobs.add(token=jobs.bob), jobs.add()
    assert jobs.get(mine, jobs.bob)["id"] == mine
    assert refusal(jobs.call("GET", f"/{other}", jobs.bob)) == (404, "unknown_item")
    for path in ("/query", "/count", "/take"):
        assert refusal(jobs.call("POST", path, jobs.bob, {})) == (403, "not_permitted")


def test_an_item_is_not_reached_through_another_queue(jobs: Jobs) -> None:
    id = jobs.add()
    jobs.declare("mine")
    item = jobs.take()
    assert refusal(jobs.call("GET", f"/{id}", jobs.ada, queue="mine")) == (404, "unknown_item")
    assert refusal(jobs.call("DELETE", f"/{id}", jobs.ada, queue="mine")) == (404, "unknown_item")
    assert refusal(jobs.settle(item, "complete", queue="mine")) == (404, "unknown_receipt")


def test_a_new_queue_of_an_old_name_has_none_of_the_old_items(jobs: Jobs) -> None:
    id = jobs.add()
    assert jobs.companion.call("DELETE", "/queues/jobs", jobs.ada).status_code == 204
    jobs.declare()
    assert jobs.count("ready") == 0
    assert refusal(jobs.call("GET", f"/{id}", jobs.ada)) == (404, "unknown_item")


def test_a_priority_above_ones_own_is_refused_and_the_usual_one_fits_below_it(jobs: Jobs) -> None:
    answer = jobs.call("POST", "", jobs.bob, {"payload": {}, "priority": 7})
    assert refusal(answer) == (403, "priority_too_high")
    assert answer.json["max_priority"] == 6
    jobs.declare(acl=[ADA, allow("user", "usr_bob", "publish", max_priority=2)])
    assert jobs.get(jobs.add(token=jobs.bob))["priority"] == 2


def test_items_are_found_by_state_and_payload_page_by_page(jobs: Jobs) -> None:
    ids = [jobs.add({"n": n, "kind": "x" if n % 2 else "y"}) for n in range(7)]
    jobs.take()
    asked = {"filter": {"state": "ready", "payload.n": {"$gte": 2}}, "limit": 2}
    found: list[str] = []
    page = jobs.call("POST", "/query", jobs.ada, asked).json
    while True:
        found += [item["id"] for item in page["items"]]
        if not page["after"]:
            break
        page = jobs.call("POST", "/query", jobs.ada, asked | {"after": page["after"]}).json
    assert found == ids[2:]
    assert jobs.call("POST", "/count", jobs.ada, {"filter": {"payload.kind": "x"}}).json == {"count": 3, "more": False}


@pytest.mark.parametrize("field", ["receipt", "holder", "queue", "due", "followed_by", "_acl", "nothing"])
def test_leases_and_receipts_cannot_be_asked_for(jobs: Jobs, field: str) -> None:
    jobs.add()
    jobs.take()
    for path in ("/query", "/count", "/purge"):
        for filter in ({field: {"$exists": True}}, {"$nor": [{f"{field}.x": 1}]}):
            status, code = refusal(jobs.call("POST", path, jobs.ada, {"filter": filter}))
            assert (status, code in ("bad_field_name", "reserved_field")) == (400, True)
    assert "receipt" not in jobs.call("POST", "/query", jobs.ada, {}).text


def test_a_purge_deletes_what_matches_and_nothing_else(jobs: Jobs) -> None:
    for n in range(5):
        jobs.add({"n": n})
    jobs.take()
    asked = {"filter": {"state": "ready", "payload.n": {"$lt": 3}}}
    assert jobs.call("POST", "/purge", jobs.ada, asked).json == {"deleted": 2, "more": False}
    assert (jobs.count("ready"), jobs.count("taken")) == (2, 1)
    assert jobs.call("POST", "/purge", jobs.ada).json == {"deleted": 3, "more": False}


def test_completed_items_are_forgotten_in_time_and_failed_ones_are_not(jobs: Jobs) -> None:
    jobs.declare(keep_seconds=60)
    done, broken = jobs.add(), jobs.add()
    jobs.settle(jobs.take(), "complete")
    jobs.settle(jobs.take(), "fail", reason="x", retry=False)
    jobs.clock.advance(61)
    assert refusal(jobs.call("GET", f"/{done}", jobs.ada)) == (404, "unknown_item")
    assert jobs.get(broken)["state"] == "failed"


# --- what follows --------------------------------------------------------------------------------------------------


def test_what_is_completed_or_failed_goes_on_in_the_queues_for_that(jobs: Jobs) -> None:
    for name in ("done", "broken"):
        jobs.declare(name)
    jobs.declare(on_success="done", on_failure="broken", max_deliveries=1)
    good, bad = jobs.add({"n": 1}, priority=7), jobs.add({"n": 2}, jobs.bob)
    followed = jobs.settle(jobs.take(), "complete", payload={"n": 1, "result": 5}).json["followed_by"]
    assert (followed["queue"], followed["problem"]) == ("done", None)
    after = jobs.take(queue="done")
    assert (after["id"], after["payload"], after["priority"]) == (followed["id"], {"n": 1, "result": 5}, 7)
    assert after["came_from"] == {"queue": "jobs", "id": good, "problem": None}
    jobs.take(lease_seconds=5)
    jobs.clock.advance(5)
    assert jobs.count("failed") == 1
    after = jobs.take(queue="broken")
    assert (after["came_from"]["id"], after["added_by"]["subject"]) == (bad, "usr_bob")


def test_a_chain_needs_the_right_to_publish_when_it_is_declared(jobs: Jobs) -> None:
    jobs.declare("theirs", acl=[allow("user", "usr_bob", "publish", "consume", "manage")])
    assert refusal(jobs.declare(on_success="theirs")) == (404, "unknown_queue")
    jobs.declare("theirs", jobs.bob, acl=[allow("user", "usr_bob", "manage"), allow("user", "usr_ada", "consume")])
    assert refusal(jobs.declare(on_failure="theirs")) == (403, "not_permitted")
    assert refusal(jobs.declare(on_success="jobs")) == (400, "invalid_request")


def test_a_chain_ends_when_its_declarer_loses_the_right_and_the_work_is_kept(jobs: Jobs) -> None:
    bobs = [allow("user", "usr_bob", "publish", "consume", "manage")]
    jobs.declare("theirs", jobs.bob, acl=[*bobs, allow("user", "usr_ada", "publish", max_priority=3)])
    jobs.declare(on_success="theirs")
    jobs.add(priority=9)
    assert jobs.settle(jobs.take(), "complete").json["followed_by"]["id"]
    assert jobs.take(jobs.bob, "theirs")["priority"] == 3
    jobs.declare("theirs", jobs.bob, acl=bobs)
    id = jobs.add()
    followed = jobs.settle(jobs.take(), "complete").json["followed_by"]
    assert followed == {"queue": "theirs", "id": None, "problem": "not_permitted"}
    assert jobs.get(id)["state"] == "completed"
    jobs.companion.call("DELETE", "/queues/theirs", jobs.bob)
    jobs.add()
    assert jobs.settle(jobs.take(), "complete").json["followed_by"]["problem"] == "unknown_queue"


# --- idempotency, races, kinds -------------------------------------------------------------------------------------


def test_the_same_request_with_a_key_has_one_effect(jobs: Jobs) -> None:
    jobs.declare("done")
    jobs.declare(on_success="done")
    key = {"Idempotency-Key": "k1"}
    first = jobs.call("POST", "", jobs.ada, {"payload": {"n": 1}}, headers=key)
    assert jobs.call("POST", "", jobs.ada, {"payload": {"n": 1}}, headers=key).json == first.json
    assert refusal(jobs.call("POST", "", jobs.ada, {"payload": {"n": 2}}, headers=key)) == (
        422,
        "idempotency_key_reused",
    )
    assert jobs.count("ready") == 1
    item = jobs.take()
    answers = [jobs.settle(item, "complete", idempotency_key="k2").json for _ in range(2)]
    assert answers[0] == answers[1]
    assert jobs.count("ready", "done") == 1


def test_many_workers_at_once_get_an_item_each(jobs: Jobs) -> None:
    for n in range(12):
        jobs.add({"n": n})
    taken: list[int] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        client = jobs.companion.client.application.test_client()
        barrier.wait(10)
        headers = {"Authorization": f"Bearer {jobs.worker}"}
        while item := client.post("/queues/jobs/items/take", headers=headers, json={}).json["item"]:
            taken.append(item["payload"]["n"])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(taken) == list(range(12))


def test_queues_of_messages_and_of_work_items_are_told_apart(jobs: Jobs) -> None:
    companion = jobs.companion
    companion.call("PUT", "/queues/letters", jobs.ada)
    assert refusal(jobs.call("POST", "", jobs.ada, {"payload": {}}, "letters")) == (409, "wrong_kind")
    assert refusal(companion.call("POST", "/queues/jobs/messages", jobs.ada, {"body": 1})) == (409, "wrong_kind")
    assert refusal(companion.call("PUT", "/queues/jobs", jobs.ada, {"kind": "messages"})) == (409, "wrong_kind")
    assert refusal(companion.call("PUT", "/queues/x", jobs.ada, {"on_success": "jobs"})) == (400, "invalid_request")
    assert companion.call("GET", "/queues/jobs", jobs.ada).json["ready"] is None


def test_a_payload_that_cannot_be_stored_is_refused(jobs: Jobs) -> None:
    assert refusal(jobs.call("POST", "", jobs.ada, {"payload": {"$where": 1}})) == (400, "bad_field_name")
    item_id = jobs.add()
    item = jobs.take()
    assert refusal(jobs.settle(item, "complete", payload={"a.b": 1})) == (400, "bad_field_name")
    assert jobs.get(item_id)["state"] == "taken"


def test_a_file_of_an_item_must_be_readable_for_whoever_names_it(jobs: Jobs) -> None:
    upload = jobs.companion.call("POST", "/files/photos", jobs.ada, data=b"x", content_type="image/png")
    file = {"collection": "photos", "id": upload.json["id"]}
    asked = {"payload": {}, "files": [file]}
    assert jobs.get(jobs.add(files=[file]))["files"] == [file]
    for token, name in (
        (jobs.bob, file),
        (jobs.ada, file | {"id": "doc_x"}),
        (jobs.ada, file | {"collection": "other"}),
    ):
        assert refusal(jobs.call("POST", "", token, asked | {"files": [name]})) == (404, "unknown_file")
    item = jobs.take()
    assert item["files"] == [file]
    assert refusal(jobs.settle(item, "complete", files=[file | {"id": "doc_x"}])) == (404, "unknown_file")
    assert jobs.settle(item, "complete", files=[]).status_code == 200
    details = [{"type": "sheaf_queues", "queues": ["jobs"], "rights": ["publish"]}]
    narrow = jobs.companion.as_user(authorization_details=details)
    assert refusal(jobs.call("POST", "", narrow, asked)) == (403, "narrowed_token")


def test_a_narrowed_token_does_with_items_what_it_was_narrowed_to(jobs: Jobs) -> None:
    details = [{"type": "sheaf_queues", "queues": ["jobs"], "rights": ["publish"], "max_priority": 5}]
    narrow = jobs.companion.as_user(authorization_details=details)
    jobs.add(token=narrow)
    assert refusal(jobs.call("POST", "", narrow, {"payload": {}, "priority": 6})) == (403, "narrowed_token")
    assert refusal(jobs.call("POST", "/take", narrow, {})) == (403, "narrowed_token")
    jobs.declare("done")
    assert refusal(jobs.call("POST", "", narrow, {"payload": {}}, "done")) == (403, "narrowed_token")
    assert refusal(jobs.declare(token=narrow)) == (403, "narrowed_token")


def test_a_right_of_the_token_and_another_one_of_the_acl_are_none(jobs: Jobs) -> None:
    id = jobs.add()

    def narrow(sub: str, *rights: str) -> str:
        details = [{"type": "sheaf_queues", "queues": ["jobs"], "rights": list(rights)}]
        return jobs.companion.as_user(sub, authorization_details=details)

    jobs.declare(acl=[ADA, allow("user", "usr_cleo", "consume")])
    for path in ("/query", "/count"):
        assert refusal(jobs.call("POST", path, narrow("cleo", "manage"), {})) == (403, "not_permitted")
        assert jobs.call("POST", path, narrow("cleo", "consume"), {}).status_code == 200
    jobs.declare(acl=[ADA, allow("user", "usr_cleo", "consume", "publish")])
    assert refusal(jobs.call("GET", f"/{id}", narrow("cleo", "publish"))) == (404, "unknown_item")
    assert jobs.get(id, narrow("cleo", "consume"))["id"] == id


@pytest.mark.slow
def test_work_items_on_mongodb(start: Callable[..., Companion], mongo_uri: str) -> None:
    jobs = Jobs(start(store=f"{mongo_uri}/items_{secrets.token_hex(4)}"))
    jobs.declare("done")
    jobs.declare(on_success="done", max_deliveries=2)
    jobs.add({"n": 1}, priority=1)
    jobs.add({"n": 2}, priority=9)
    assert jobs.take(lease_seconds=10)["payload"] == {"n": 2}
    assert jobs.take()["payload"] == {"n": 1}
    assert jobs.take() is None
    jobs.clock.advance(10)
    again = jobs.take()
    assert (again["payload"], again["attempts"]) == ({"n": 2}, 2)
    assert jobs.settle(again, "complete").json["followed_by"]["queue"] == "done"
    assert (jobs.count("completed"), jobs.count("ready", "done")) == (1, 1)
    assert jobs.call("POST", "/purge", jobs.ada).json == {"deleted": 2, "more": False}
