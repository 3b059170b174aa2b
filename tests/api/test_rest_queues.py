"""Queues over REST: every operation, rights, what a taker sees."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from idp.api.wire import MAX_BODY_NESTING
from tests.api.conftest import Companion, refusal


def allow(kind: str, id: str, *rights: str) -> dict[str, Any]:
    return {"kind": kind, "id": id, "rights": list(rights)}


ADA = allow("user", "usr_ada", "publish", "consume", "manage")


@pytest.fixture
def jobs(companion: Companion) -> Companion:
    """Ada manages the queue `jobs`; Bob publishes; the app worker consumes."""
    rules = [ADA, allow("user", "usr_bob", "publish"), allow("client", "app_worker", "consume")]
    answer = companion.call("PUT", "/queues/jobs", companion.as_user(), {"acl": rules, "max_deliveries": 2})
    assert {"name": "jobs", "kind": "messages", "max_deliveries": 2}.items() <= answer.json.items()
    return companion


def publish(companion: Companion, token: str, body: Any, **more: Any) -> Any:
    return companion.call("POST", "/queues/jobs/messages", token, {"body": body, **more})


def take(companion: Companion, token: str, **more: Any) -> Any:
    answer = companion.call("POST", "/queues/jobs/take", token, more)
    assert answer.status_code == 200, answer.text
    return answer.json["message"]


def settle(companion: Companion, token: str, receipt: str, how: str, body: Any = None) -> Any:
    return companion.call("POST", f"/queues/jobs/messages/{receipt}/{how}", token, body)


def test_a_message_goes_from_one_caller_to_another_and_says_who_sent_it(jobs: Companion) -> None:
    bob, worker = jobs.as_user("bob"), jobs.as_app()
    published = publish(jobs, bob, {"do": "it"}, priority=7)
    assert published.status_code == 201
    message = take(jobs, worker)
    assert message["id"] == published.json["id"]
    assert (message["body"], message["priority"], message["deliveries"]) == ({"do": "it"}, 7, 1)
    assert message["sent_by"] == {"subject": "usr_bob", "client_id": "app_notes"}
    assert message["dead_letter"] is None
    assert bob.split(".")[2] not in str(message)
    assert settle(jobs, worker, message["receipt"], "ack").status_code == 204
    assert refusal(settle(jobs, worker, message["receipt"], "ack")) == (404, "unknown_receipt")
    assert take(jobs, worker) is None


@pytest.mark.parametrize("body", [None, 0, False, "", [], {"a": None}, "text"])
def test_any_json_value_is_a_message(jobs: Companion, body: Any) -> None:
    assert publish(jobs, jobs.as_user("bob"), body).status_code == 201
    assert take(jobs, jobs.as_app())["body"] == body


def test_a_message_that_could_not_be_given_to_its_taker_is_refused_when_it_is_sent(jobs: Companion) -> None:
    sender, worker = jobs.as_user("bob"), jobs.as_app()
    deepest: Any = "x"
    for _ in range(MAX_BODY_NESTING - 1):
        deepest = [deepest]
    assert publish(jobs, sender, deepest).status_code == 201
    assert take(jobs, worker)["body"] == deepest
    for depth in (MAX_BODY_NESTING, 260, 500, 900):
        text = '{"body":' + '{"a":' * depth + "1" + "}" * depth + "}"
        answer = jobs.call("POST", "/queues/jobs/messages", sender, data=text.encode(), content_type="application/json")
        assert refusal(answer) == (400, "malformed_json"), depth
    assert take(jobs, worker) is None


def test_publish_consume_and_manage_are_rights_of_their_own(jobs: Companion) -> None:
    bob, worker, ada = jobs.as_user("bob"), jobs.as_app(), jobs.as_user()
    assert refusal(jobs.call("POST", "/queues/jobs/take", bob)) == (403, "not_permitted")
    assert refusal(publish(jobs, worker, 1)) == (403, "not_permitted")
    assert refusal(jobs.call("POST", "/queues/jobs/take", worker, {"dead": True})) == (403, "not_permitted")
    assert refusal(jobs.call("PUT", "/queues/jobs", bob)) == (409, "name_taken")
    assert jobs.call("GET", "/queues/jobs", bob).json["ready"] == 0
    assert jobs.call("PUT", "/queues/jobs", ada, {"max_deliveries": 3}).json["max_deliveries"] == 3
    assert publish(jobs, bob, 1).status_code == 201  # a declaration without acl leaves the acl as it was


def test_for_who_has_no_right_a_queue_does_not_exist(jobs: Companion) -> None:
    eve = jobs.as_user("eve")
    for queue in ("jobs", "nothing"):
        assert refusal(jobs.call("GET", f"/queues/{queue}", eve)) == (404, "unknown_queue")
        assert refusal(jobs.call("POST", f"/queues/{queue}/messages", eve, {"body": 1})) == (404, "unknown_queue")
        assert refusal(jobs.call("POST", f"/queues/{queue}/take", eve)) == (404, "unknown_queue")
        assert refusal(jobs.call("POST", f"/queues/{queue}/messages/x/ack", eve)) == (404, "unknown_queue")


def test_a_message_to_an_unknown_queue_is_refused_and_makes_no_queue(companion: Companion) -> None:
    for token in (companion.as_user(), companion.as_admin()):
        assert refusal(companion.call("POST", "/queues/new/messages", token, {"body": 1})) == (404, "unknown_queue")
        assert refusal(companion.call("GET", "/queues/new", token)) == (404, "unknown_queue")


def test_a_queue_belongs_to_who_declared_it_and_to_administrators(companion: Companion) -> None:
    assert companion.call("PUT", "/queues/mine", companion.as_user()).status_code == 200
    assert companion.call("GET", "/queues/mine", companion.as_admin()).status_code == 200
    assert refusal(companion.call("GET", "/queues/mine", companion.as_user("bob"))) == (404, "unknown_queue")
    assert refusal(companion.call("PUT", "/queues/q", companion.as_user(), {"acl": None})) == (403, "not_permitted")
    assert companion.call("PUT", "/queues/q", companion.as_admin(), {"acl": None}).status_code == 200


def test_a_declaration_that_leaves_oneself_out_is_carried_out(companion: Companion) -> None:
    answer = companion.call("PUT", "/queues/gift", companion.as_user(), {"acl": [allow("role", "staff", "consume")]})
    assert answer.status_code == 200
    assert refusal(companion.call("GET", "/queues/gift", companion.as_user())) == (404, "unknown_queue")
    assert companion.call("GET", "/queues/gift", companion.as_user("bob", roles=["staff"])).status_code == 200


def test_only_the_taker_can_ack_whatever_else_others_may(jobs: Companion) -> None:
    publish(jobs, jobs.as_user("bob"), 1)
    worker = jobs.as_app()
    receipt = take(jobs, worker)["receipt"]
    for other in (jobs.as_user("ada"), jobs.as_admin()):
        assert refusal(settle(jobs, other, receipt, "ack")) == (404, "unknown_receipt")
    assert refusal(settle(jobs, jobs.as_user("bob"), receipt, "ack")) == (403, "not_permitted")
    assert settle(jobs, jobs.as_app(), receipt, "ack").status_code == 204  # a newer token of the same caller


def test_a_rejected_message_returns_or_becomes_a_dead_letter(jobs: Companion) -> None:
    worker, ada = jobs.as_app(), jobs.as_user()
    publish(jobs, ada, "bad")
    receipt = take(jobs, worker)["receipt"]
    assert settle(jobs, worker, receipt, "reject", {"requeue": True}).status_code == 204
    message = take(jobs, worker)
    assert message["deliveries"] == 2
    assert refusal(settle(jobs, worker, message["receipt"], "reject", {"requeue": False})) == (400, "invalid_request")
    dead = {"requeue": False, "reason": "not JSON"}
    assert settle(jobs, worker, message["receipt"], "reject", dead).status_code == 204
    assert jobs.call("GET", "/queues/jobs", ada).json["dead"] == 1
    letter = take(jobs, ada, dead=True)
    assert letter["dead_letter"] == {"reason": "not JSON", "at": "2027-01-15T08:00:00.000000Z"}


def test_a_worker_that_dies_again_and_again_leaves_a_dead_letter(jobs: Companion) -> None:
    worker, ada = jobs.as_app(), jobs.as_user()
    publish(jobs, ada, "poison")
    for _ in range(2):
        assert take(jobs, worker, lease_seconds=5)
        jobs.clock.advance(5)
    assert take(jobs, worker) is None
    assert take(jobs, ada, dead=True)["dead_letter"]["reason"] == "given 2 times without an ack"


@pytest.mark.parametrize(
    "name",
    [
        "amq.topic",
        "amq.x",
        "A",
        "%23",
        "*.x",
        "a..b",
        "-a",
        "a-",
        "..%2F",
        "sheaf:jobs:9",
        "a:b",
        "q" * 101,
        "ü",
        "a%00",
        "a b",
        ".",
    ],
)
def test_a_queue_name_outside_the_rule_is_refused(shared_companion: Companion, name: str) -> None:
    companion, root = shared_companion, shared_companion.as_admin()
    for method, path, body in (
        ("PUT", f"/queues/{name}", {}),
        ("POST", f"/queues/{name}/messages", {"body": 1}),
        ("POST", f"/queues/{name}/take", {}),
    ):
        assert refusal(companion.call(method, path, root, body))[1] in (
            "invalid_request",
            "not_found",
            "method_not_allowed",
        )


@pytest.mark.parametrize("priority", [-1, 10, 256, "9", 4.0, True, [1]])
def test_a_priority_outside_zero_to_nine_is_refused(shared_companion: Companion, priority: Any) -> None:
    assert refusal(publish(shared_companion, shared_companion.as_user(), 1, priority=priority)) == (
        400,
        "invalid_request",
    )


@pytest.mark.parametrize("lease", [0, 901, -5, "30", 1.5, True])
def test_a_lease_outside_its_limits_is_refused(shared_companion: Companion, lease: Any) -> None:
    answer = shared_companion.call("POST", "/queues/jobs/take", shared_companion.as_app(), {"lease_seconds": lease})
    assert refusal(answer) == (400, "invalid_request")


def test_queue_scopes_are_told_apart(jobs: Companion) -> None:
    only = {scope: jobs.as_user(scope=f"queues.{scope}") for scope in ("publish", "consume", "manage")}
    assert publish(jobs, only["publish"], 1).status_code == 201
    assert refusal(publish(jobs, only["consume"], 1)) == (403, "insufficient_scope")
    assert refusal(jobs.call("POST", "/queues/jobs/take", only["publish"])) == (403, "insufficient_scope")
    assert refusal(jobs.call("PUT", "/queues/jobs", only["consume"])) == (403, "insufficient_scope")
    assert jobs.call("PUT", "/queues/jobs", only["manage"]).status_code == 200


def test_the_same_declaration_twice_changes_nothing(companion: Companion) -> None:
    first = companion.call("PUT", "/queues/q", companion.as_user())
    assert companion.call("POST", "/queues/q/messages", companion.as_user(), {"body": 1}).status_code == 201
    second = companion.call("PUT", "/queues/q", companion.as_user())
    assert first.json == second.json
    assert companion.call("GET", "/queues/q", companion.as_user()).json["ready"] == 1


@pytest.mark.slow
@pytest.mark.peer
def test_the_same_journey_on_mongodb_and_rabbitmq(
    start: Callable[..., Companion], mongo_uri: str, rabbitmq_url: str
) -> None:
    name = secrets.token_hex(4)
    companion = start(store=f"{mongo_uri}/journey_{name}", broker=rabbitmq_url)
    ada, worker = companion.as_user(), companion.as_app()
    assert companion.client.get("/readyz").status_code == 200
    id = companion.insert(ada, {"n": 1})
    assert companion.call("PATCH", f"/documents/notes/{id}", ada, {"update": {"$inc": {"n": 1}}}).status_code == 200
    assert companion.find(ada, {"n": 2})[0]["version"] == 2
    assert companion.find(worker) == []

    queue, rules = f"/queues/jobs-{name}", [ADA, allow("client", "app_worker", "consume")]
    assert companion.call("PUT", queue, ada, {"acl": rules, "max_deliveries": 1}).status_code == 200
    assert companion.call("GET", queue, ada).json["ready"] == 0
    for priority in (0, 9):
        assert (
            companion.call("POST", queue + "/messages", ada, {"body": priority, "priority": priority}).status_code
            == 201
        )
    first = companion.call("POST", queue + "/take", worker).json["message"]
    assert (first["body"], first["sent_by"]["subject"]) == (9, "usr_ada")
    assert refusal(companion.call("POST", f"{queue}/messages/{first['receipt']}/ack", ada)) == (404, "unknown_receipt")
    assert companion.call("POST", f"{queue}/messages/{first['receipt']}/ack", worker).status_code == 204
    second = companion.call("POST", queue + "/take", worker).json["message"]
    dead = {"requeue": False, "reason": "no"}
    assert companion.call("POST", f"{queue}/messages/{second['receipt']}/reject", worker, dead).status_code == 204
    letter = companion.call("POST", queue + "/take", ada, {"dead": True}).json["message"]
    assert letter["dead_letter"]["reason"] == "no"
    assert refusal(companion.call("POST", f"/queues/unknown-{name}/messages", ada, {"body": 1})) == (
        404,
        "unknown_queue",
    )
