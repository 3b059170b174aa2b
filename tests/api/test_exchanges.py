"""Exchanges over REST: what a pattern matches, who binds, who gets what is published."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.api.queues import exchanges
from idp.api.queues.exchanges import matches
from tests.api.conftest import Companion, refusal
from tests.api.test_work_items import ADA, allow

RULES = [ADA, allow("user", "usr_bob", "publish"), allow("role", "staff", "consume")]


@pytest.fixture
def news(companion: Companion) -> Companion:
    """Ada has the exchange `news` and the queues `all` and `swiss`; Bob publishes; staff may bind queues of their own."""
    assert companion.call("PUT", "/exchanges/news", companion.as_user(), {"acl": RULES}).json["bindings"] == []
    for queue in ("all", "swiss"):
        companion.call("PUT", f"/queues/{queue}", companion.as_user())
    return companion


def bind(news: Companion, token: str, queue: str, pattern: str, verb: str = "bind") -> Any:
    return news.call("POST", f"/exchanges/news/{verb}", token, {"queue": queue, "pattern": pattern})


def publish(news: Companion, token: str, topic: str, body: Any = 1, **more: Any) -> Any:
    return news.call("POST", "/exchanges/news/messages", token, {"topic": topic, "body": body, **more})


def staff_of(news: Companion) -> str:
    """Cleo, whom the companion has in the role staff."""
    members = [{"kind": "user", "id": "usr_cleo"}]
    assert news.call("PUT", "/roles/staff", news.as_admin(), {"members": members}).status_code == 200
    return news.as_user("cleo")


def taken(news: Companion, token: str, queue: str) -> list[Any]:
    found = []
    while message := news.call("POST", f"/queues/{queue}/take", token).json["message"]:
        found.append(message)
    return found


def test_a_message_reaches_every_queue_bound_to_its_topic_once(news: Companion) -> None:
    ada, bob = news.as_user(), news.as_user("bob")
    for queue, pattern in (("all", "#"), ("all", "ch.#"), ("swiss", "ch.*.rain")):
        assert bind(news, ada, queue, pattern).status_code == 200
    assert publish(news, bob, "ch.bern.rain", {"mm": 3}, priority=7).json["routed"]
    assert publish(news, bob, "de.berlin.rain").status_code == 201
    assert [m["topic"] for m in taken(news, ada, "all")] == ["ch.bern.rain", "de.berlin.rain"]
    message = taken(news, ada, "swiss")[0]
    assert (message["body"], message["priority"], message["exchange"]) == ({"mm": 3}, 7, "news")
    assert message["sent_by"]["subject"] == "usr_bob"


def test_a_message_that_reaches_nobody_says_so(news: Companion) -> None:
    assert publish(news, news.as_user("bob"), "ch").json["routed"] is False


def test_an_unbound_queue_gets_nothing_more(news: Companion) -> None:
    ada = news.as_user()
    bind(news, ada, "all", "#")
    bind(news, ada, "all", "ch")
    assert [b["pattern"] for b in bind(news, ada, "all", "#", "unbind").json["bindings"]] == ["ch"]
    publish(news, ada, "de")
    assert taken(news, ada, "all") == []


def test_to_bind_needs_consume_on_the_exchange_and_manage_on_the_queue(news: Companion) -> None:
    staff, bob, eve = staff_of(news), news.as_user("bob"), news.as_user("eve")
    assert refusal(bind(news, staff, "all", "#")) == (404, "unknown_queue")
    news.call("PUT", "/queues/hers", staff)
    news.call("PUT", "/queues/his", bob)
    assert bind(news, staff, "hers", "#").status_code == 200
    assert refusal(bind(news, bob, "his", "#")) == (403, "not_permitted")
    assert refusal(bind(news, eve, "all", "#")) == (404, "unknown_queue")
    assert refusal(publish(news, staff, "ch")) == (403, "not_permitted")
    assert refusal(publish(news, eve, "ch")) == (404, "unknown_queue")
    assert refusal(bind(news, staff, "all", "#", "unbind")) == (404, "unknown_queue")
    bind(news, news.as_user(), "all", "#")
    assert [b["queue"] for b in news.call("GET", "/exchanges/news", staff).json["bindings"]] == ["hers"]
    assert len(news.call("GET", "/exchanges/news", news.as_user()).json["bindings"]) == 2
    assert bind(news, news.as_user(), "hers", "#", "unbind").status_code == 200  # whoever manages the exchange


def test_a_binding_ends_with_the_rights_of_whoever_made_it(news: Companion) -> None:
    ada, staff = news.as_user(), staff_of(news)
    news.call("PUT", "/queues/hers", staff)
    bind(news, staff, "hers", "#")
    publish(news, ada, "one")
    news.call("PUT", "/exchanges/news", ada, {"acl": RULES[:2]})
    assert publish(news, ada, "two").json["routed"] is False
    assert [m["topic"] for m in taken(news, staff, "hers")] == ["one"]
    assert news.call("GET", "/exchanges/news", ada).json["bindings"] == [
        {"queue": "hers", "pattern": "#", "active": False}
    ]
    news.call("PUT", "/exchanges/news", ada, {"acl": RULES})
    news.call("DELETE", "/queues/hers", staff)
    news.call("PUT", "/queues/hers", news.as_user("eve"))
    assert publish(news, ada, "three").json["routed"] is False


def test_the_same_publication_with_a_key_reaches_each_queue_once(news: Companion) -> None:
    ada = news.as_user()
    bind(news, ada, "all", "#")
    first, second = (publish(news, ada, "ch", idempotency_key="k").json for _ in range(2))
    assert first == second
    assert len(taken(news, ada, "all")) == 1


def test_bindings_are_counted_and_too_many_refused(news: Companion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "MAX_BINDINGS", 3)
    ada = news.as_user()
    for n in range(3):
        assert bind(news, ada, "all", f"t{n}").status_code == 200
    assert refusal(bind(news, ada, "all", "one.more")) == (409, "too_many_bindings")
    assert bind(news, ada, "all", "t1").status_code == 200  # there already


def test_exchanges_and_queues_share_their_names_and_are_told_apart(news: Companion) -> None:
    ada = news.as_user()
    assert refusal(news.call("PUT", "/queues/news", ada)) == (409, "wrong_kind")
    assert refusal(news.call("POST", "/queues/news/messages", ada, {"body": 1})) == (409, "wrong_kind")
    assert refusal(news.call("PUT", "/exchanges/all", ada)) == (409, "wrong_kind")
    assert refusal(news.call("GET", "/queues/news", ada)) == (409, "wrong_kind")
    assert refusal(news.call("DELETE", "/queues/news", ada)) == (409, "wrong_kind")
    assert refusal(bind(news, ada, "news", "#")) == (409, "wrong_kind")
    assert refusal(news.call("PUT", "/exchanges/news", news.as_user("eve"))) == (409, "name_taken")
    assert news.call("DELETE", "/exchanges/news", ada).status_code == 204
    assert refusal(publish(news, ada, "ch")) == (404, "unknown_queue")


def test_a_right_that_only_the_token_gives_binds_nothing_that_outlasts_it(news: Companion) -> None:
    cleo, root = news.as_user("cleo", roles=["staff"]), news.as_admin()
    for token, queue in ((cleo, "hers"), (root, "roots")):
        news.call("PUT", f"/queues/{queue}", token)
        answer = bind(news, token, queue, "#")
        assert refusal(answer) == (403, "right_does_not_last")
        assert (answer.json["right"], answer.json["queue"]) == ("consume", "news")


def test_a_binding_ends_with_the_role_that_it_came_from(news: Companion) -> None:
    ada, staff = news.as_user(), staff_of(news)
    news.call("PUT", "/queues/hers", staff)
    bind(news, staff, "hers", "#")
    assert publish(news, ada, "one").json["routed"] is True
    news.call("PUT", "/roles/staff", news.as_admin(), {"members": []})
    assert publish(news, ada, "two").json["routed"] is False


def test_a_narrowed_token_does_with_an_exchange_what_it_was_narrowed_to(news: Companion) -> None:
    ada, staff = news.as_user(), staff_of(news)
    news.call("PUT", "/queues/hers", staff)
    bind(news, staff, "hers", "#")
    details = [{"type": "sheaf_queues", "queues": ["news", "hers"], "rights": ["consume"]}]
    narrow = news.as_user(authorization_details=details)
    assert refusal(publish(news, narrow, "ch")) == (403, "narrowed_token")
    assert refusal(bind(news, narrow, "hers", "#", "unbind")) == (403, "narrowed_token")
    assert news.call("GET", "/exchanges/news", narrow).json["bindings"] == []
    assert len(news.call("GET", "/exchanges/news", ada).json["bindings"]) == 1


def test_the_list_names_what_one_has_a_right_on_and_nothing_else(news: Companion) -> None:
    ada, bob = news.as_user(), news.as_user("bob")
    news.call("PUT", "/queues/work", ada, {"kind": "work_items", "acl": [ADA, allow("user", "usr_bob", "consume")]})
    deny = [allow("everyone", "", "publish", "consume"), allow("user", "usr_bob", "consume", effect="deny")]
    news.call("PUT", "/queues/x", ada, {"acl": [ADA, *deny]})
    assert news.call("POST", "/queues/list", bob).json == {
        "queues": [
            {"name": "news", "kind": "exchange", "rights": ["publish"]},
            {"name": "work", "kind": "work_items", "rights": ["consume"]},
            {"name": "x", "kind": "messages", "rights": ["publish"]},
        ],
        "after": None,
    }
    found: list[str] = []
    page: dict[str, Any] = {"after": None}
    while page["after"] or not found:
        page = news.call("POST", "/queues/list", ada, {"limit": 2, "after": page["after"]}).json
        found += [queue["name"] for queue in page["queues"]]
    assert found == ["all", "news", "swiss", "work", "x"]
    assert len(news.call("POST", "/queues/list", news.as_admin()).json["queues"]) == 5
    assert news.call("POST", "/queues/list", news.as_user("eve")).json["queues"][0]["name"] == "x"
    details = [{"type": "sheaf_queues", "queues": ["all", "x", "nothing"], "rights": ["publish"]}]
    narrow = news.call("POST", "/queues/list", news.as_user(authorization_details=details)).json
    assert [(queue["name"], queue["rights"]) for queue in narrow["queues"]] == [
        ("all", ["publish"]),
        ("x", ["publish"]),
    ]


@pytest.mark.parametrize("name", ["amq.topic", "amq.x", "A", "*", "a..b", "x" * 101, "a~b"])
def test_an_exchange_name_outside_the_rule_is_refused(shared_companion: Companion, name: str) -> None:
    answer = shared_companion.call("PUT", f"/exchanges/{name}", shared_companion.as_admin())
    assert refusal(answer) == (400, "invalid_request")


@pytest.mark.parametrize("topic", ["", ".", "a..b", "*", "a.#", "ü", "a" * 256, "a b", None, 1])
def test_a_topic_is_words_without_wildcards(shared_companion: Companion, topic: Any) -> None:
    assert refusal(publish(shared_companion, shared_companion.as_user(), topic)) == (400, "invalid_request")


@pytest.mark.parametrize("pattern", ["", "a*", "##", "a.", ".a", "a.**", "a" * 256])
def test_a_pattern_is_words_and_whole_wildcards(shared_companion: Companion, pattern: str) -> None:
    assert refusal(bind(shared_companion, shared_companion.as_user(), "all", pattern)) == (400, "invalid_request")


words = st.lists(st.sampled_from("ab"), min_size=1, max_size=5)
parts = st.lists(st.sampled_from(["a", "b", "*", "#"]), min_size=1, max_size=5)


@given(parts, words)
def test_a_pattern_matches_what_its_words_and_wildcards_say(pattern: list[str], topic: list[str]) -> None:
    meaning = "".join({"*": "[ab]", "#": "[ab]*"}.get(part, part) for part in pattern)
    assert matches(".".join(pattern), ".".join(topic)) == bool(re.fullmatch(meaning, "".join(topic)))
