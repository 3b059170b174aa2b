"""Owns the claims about the record of denials: what is in it, who may read it, what a flood does to it."""

import time
from collections.abc import Callable
from typing import Any

from idp.api.audit import MAX_OF_CALLER
from tests.api.conftest import Companion, refusal

AUDIT = "/audit/query"


def denials(companion: Companion, **asked: Any) -> list[dict[str, Any]]:
    companion.client.application.extensions["sheaf"].audit.flush()
    answer = companion.call("POST", AUDIT, companion.as_admin(), asked)
    assert answer.status_code == 200, answer.text
    return list(answer.json["denials"])


def test_every_kind_of_denial_is_recorded_with_who_and_what(companion: Companion) -> None:
    ada, bob = companion.as_user("ada"), companion.as_user("bob")
    id = companion.insert(ada, {"x": 1}, acl=[{"kind": "user", "id": "usr_ada", "rights": ["read"]}])
    hidden = companion.call("GET", f"/documents/notes/{id}", bob)
    assert refusal(hidden) == (404, "unknown_document")
    assert refusal(companion.call("DELETE", f"/documents/notes/{id}", ada)) == (403, "not_permitted")
    narrow = companion.as_user("ada", scope="queues.publish")
    assert refusal(companion.call("GET", f"/documents/notes/{id}", narrow)) == (403, "insufficient_scope")
    assert refusal(companion.call("GET", f"/documents/notes/{id}", None)) == (401, "missing_token")
    found = {(d["caller"], d["operation"], d["target"], d["code"]) for d in denials(companion)}
    where = f"notes/{id}"
    assert found == {
        ("user:usr_bob", "documents.get", where, "unknown_document"),
        ("user:usr_ada", "documents.delete", where, "not_permitted"),
        ("user:usr_ada", "documents.get", "", "insufficient_scope"),
        ("", "documents.get", "", "missing_token"),
    }
    (line,) = denials(companion, caller="user:usr_bob")
    assert line["trace"] == hidden.json["trace"], "the same code as in the answer and the log"
    assert line["count"] == 1


def test_a_priority_that_one_may_not_use_is_recorded(companion: Companion) -> None:
    answer = companion.call(
        "GET", "/documents/notes/doc_1", companion.as_user("bob"), headers={"Sheaf-Priority": "high"}
    )
    assert refusal(answer) == (403, "priority_too_high")
    assert [d["code"] for d in denials(companion)] == ["priority_too_high"]


def test_what_is_no_denial_is_not_recorded(companion: Companion) -> None:
    ada = companion.as_user("ada")
    companion.insert(ada, {"x": 1})
    assert companion.call("POST", "/documents/notes", ada, {"data": []}).status_code == 400
    assert denials(companion) == []


def test_only_administrators_read_it_and_not_with_a_narrowed_token(companion: Companion) -> None:
    assert refusal(companion.call("POST", AUDIT, companion.as_user("ada"))) == (403, "not_permitted")
    narrowed = companion.as_user(
        "root",
        roles=["administrator"],
        authorization_details=[{"type": "sheaf_documents", "collections": ["notes"], "rights": ["read"]}],
    )
    assert refusal(companion.call("POST", AUDIT, narrowed)) == (403, "narrowed_token")
    assert refusal(companion.call("POST", AUDIT, None)) == (401, "missing_token")
    assert refusal(companion.call("POST", AUDIT, companion.as_admin(), {"code": {"$ne": ""}})) == (
        400,
        "invalid_request",
    )


def test_a_flood_of_the_same_denial_is_one_line_with_a_count(companion: Companion) -> None:
    bob = companion.as_user("bob")
    for _ in range(25):
        companion.call("GET", "/documents/notes/doc_1", bob)
    (line,) = denials(companion)
    assert line["count"] == 25
    companion.clock.advance(61)
    companion.call("GET", "/documents/notes/doc_1", companion.as_user("bob"))
    assert [d["count"] for d in denials(companion)] == [1, 25]


def test_a_flood_of_different_denials_of_one_caller_is_counted_in_a_few_lines(companion: Companion) -> None:
    bob, eve = companion.as_user("bob"), companion.as_user("eve")
    for number in range(MAX_OF_CALLER + 30):
        companion.call("GET", f"/documents/notes/doc_{number}", bob)
    companion.call("GET", "/documents/notes/doc_1", eve)
    ours = denials(companion, caller="user:usr_bob")
    assert len(ours) == MAX_OF_CALLER + 1
    assert sum(d["count"] for d in ours) == MAX_OF_CALLER + 30
    assert [d["target"] for d in denials(companion, caller="user:usr_eve")] == ["notes/doc_1"]


def test_what_goes_on_for_a_minute_is_written_when_it_begins_and_when_the_minute_is_over(companion: Companion) -> None:
    bob, audit = companion.as_user("bob"), companion.client.application.extensions["sheaf"].audit
    for _ in range(4):
        companion.call("GET", "/documents/notes/doc_1", bob)
        audit._flush_due()
    companion.clock.advance(61)
    audit._flush_due()
    answer = companion.call("POST", AUDIT, companion.as_admin(), {})
    assert sorted(d["count"] for d in answer.json["denials"]) == [1, 3]


def test_pages_of_it_follow_one_another(companion: Companion) -> None:
    bob = companion.as_user("bob")
    for number in range(5):
        companion.clock.advance(0.01)
        companion.call("GET", f"/documents/notes/doc_{number}", bob)
    denials(companion)
    seen, cursor = [], None
    for _ in range(3):
        asked = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = companion.call("POST", AUDIT, companion.as_admin(), asked).json
        seen += [d["target"] for d in page["denials"]]
        cursor = page["cursor"]
    assert seen == [f"notes/doc_{number}" for number in (4, 3, 2, 1, 0)]
    assert cursor is None


def test_it_is_written_within_a_second_and_at_the_end(start: Callable[..., Companion], companion: Companion) -> None:
    companion.call("GET", "/documents/notes/doc_1", companion.as_user("bob"))
    api = companion.client.application.extensions["sheaf"]
    deadline = time.monotonic() + 10
    while api.audit._waiting and time.monotonic() < deadline:
        time.sleep(0.05)
    other = start()
    (line,) = other.call("POST", AUDIT, other.as_admin()).json["denials"]
    assert line["code"] == "unknown_document"


def test_too_many_requests_are_refused_loudly(start: Callable[..., Companion]) -> None:
    companion = start(limit_user=3, limit_client=0, limit_address=0)
    ada = companion.as_user("ada")
    codes = [companion.call("POST", "/documents/notes/query", ada, {}).status_code for _ in range(5)]
    assert codes == [200, 200, 200, 429, 429]
    answer = companion.call("POST", "/documents/notes/query", ada, {})
    assert refusal(answer) == (429, "too_many_requests")
    assert int(answer.headers["Retry-After"]) >= 1
    assert companion.call("POST", "/documents/notes/query", companion.as_user("bob"), {}).status_code == 200


def test_bad_tokens_count_against_the_address_they_come_from(start: Callable[..., Companion]) -> None:
    companion = start(limit_address=3)
    codes = [companion.call("GET", "/documents/notes/doc_1", "x.y.z").status_code for _ in range(5)]
    assert codes == [401, 401, 401, 429, 429]
    forged = companion.call("GET", "/documents/notes/doc_1", "x.y.z", headers={"X-Forwarded-For": "192.0.2.9"})
    assert forged.status_code == 429, "nobody in front of us may say where a request comes from"
