"""documents.watch: every change that the watcher may see at that moment, none left out, none twice, and nothing else."""

import json
import socket
import threading
from itertools import count, islice
from typing import Any

import pytest

from idp.api.transports import framed as framed_transport
from tests.api.transports.conftest import URL, Served
from tests.api.transports.talking import Events, trusting
from tests.support.proofs import Prover
from tests.support.running import until

NAMES = (f"watched{n}" for n in count())
READ = ["read"]
ALL = "documents.read documents.write documents.manage"


@pytest.fixture
def notes() -> str:
    return next(NAMES)


def watch(talk: Any, collection: str, token: str, **more: Any) -> tuple[int, str]:
    """Id of the stream, and the token of its beginning. When this returns, nothing that follows is missed."""
    id = talk.send("documents.watch", {"collection": collection, **more}, token=token)
    frame = talk.read(id)
    assert frame.get("event", {}).get("action") == "alive", frame
    return id, frame["event"]["token"]


def ends(talk: Any, id: int) -> tuple[int, str]:
    """How a stream ends; what is still on its way is left out."""
    while "event" in (frame := talk.read(id)):
        pass
    return frame["problem"]["status"], frame["problem"]["code"]


def entry(kind: str, id: str = "", rights: list[str] | None = None, effect: str = "allow") -> dict[str, Any]:
    return {"kind": kind, "id": id, "rights": rights or READ, "effect": effect}


def test_the_life_of_a_document_is_told_as_it_happens(served: Served, streamed: Any, notes: str) -> None:
    token = served.token()
    id, _ = watch(streamed, notes, token)
    changes = streamed.changes(id)
    one = {"collection": notes, "id": served.insert(notes, token, {"n": 1})}
    event = next(changes)
    assert (event["action"], event["id"], event["version"], event["by"]) == ("insert", one["id"], 1, "user:usr_ada")
    assert event["document"]["data"] == {"n": 1}
    served.ask("documents.update", {**one, "update": {"$inc": {"n": 1}}}, token)
    event = next(changes)
    assert (event["action"], event["version"], event["document"]["data"]) == ("update", 2, {"n": 2})
    served.ask("documents.delete", one, token)
    event = next(changes)
    assert (event["action"], event["version"], event["document"]) == ("delete", 3, None)


def test_only_what_one_may_read_is_told_and_nothing_of_the_rest(served: Served, streamed: Any, notes: str) -> None:
    ada, eve = served.token(), served.token("eve")
    id, _ = watch(streamed, notes, eve)
    hidden = {"collection": notes, "id": served.insert(notes, ada, {"n": 1})}
    served.ask("documents.update", {**hidden, "update": {"$inc": {"n": 1}}}, ada)
    served.insert(notes, served.admin(), {"n": 2}, acl=None)
    denied = [entry("everyone"), entry("user", "usr_eve", effect="deny")]
    served.insert(notes, ada, {"n": 3}, acl=denied)
    served.ask("documents.delete", hidden, ada)
    served.insert(notes, ada, {"n": 4}, acl=[entry("everyone")])
    assert next(streamed.changes(id))["document"]["data"] == {"n": 4}


def test_an_administrator_sees_what_has_no_acl(served: Served, streamed: Any, notes: str) -> None:
    id, _ = watch(streamed, notes, served.admin())
    served.insert(notes, served.admin(), {"n": 1}, acl=None)
    assert next(streamed.changes(id))["document"]["data"] == {"n": 1}


def test_a_right_that_is_given_or_taken_counts_from_the_next_event(served: Served, streamed: Any, notes: str) -> None:
    ada, eve = served.token(), served.token("eve")
    id, _ = watch(streamed, notes, eve)
    changes = streamed.changes(id)
    one = {
        "collection": notes,
        "id": served.insert(notes, ada, {"n": 1}, acl=[entry("user", "usr_ada", ["read", "update", "share"])]),
    }
    shared = [entry("user", "usr_ada", ["read", "update", "share"]), entry("user", "usr_eve")]
    served.ask("documents.set_acl", {**one, "acl": shared}, ada)
    event = next(changes)
    while event["action"] != "acl":  # judged when it is sent: she may just have been given the right to it
        event = next(changes)
    assert event["document"]["data"] == {"n": 1}
    served.ask("documents.set_acl", {**one, "acl": shared[:1]}, ada)
    served.ask("documents.update", {**one, "update": {"$set": {"n": "secret"}}}, ada)
    last = served.insert(notes, ada, {"n": 2}, acl=[entry("everyone")])
    event = next(changes)
    while event["id"] != last:  # sent before the right was taken
        assert event["document"]["data"] == {"n": 1}
        event = next(changes)


def test_roles_of_roles_count_and_a_change_of_membership_acts_at_once(
    served: Served, streamed: Any, notes: str
) -> None:
    admin, eve = served.token("root", roles=["administrator"], scope=ALL), served.token("eve")
    inner, outer = f"in-{notes}", f"out-{notes}"
    served.ask("roles.set", {"name": outer, "members": [{"kind": "role", "id": inner}]}, admin)
    id, _ = watch(streamed, notes, eve)
    changes = streamed.changes(id)
    rules = [entry("role", outer)]
    served.insert(notes, admin, {"n": 1}, acl=rules)
    served.ask("roles.set", {"name": inner, "members": [{"kind": "user", "id": "usr_eve"}]}, admin)
    served.insert(notes, admin, {"n": 2}, acl=rules)
    event = next(changes)
    if event["document"]["data"] == {"n": 1}:  # judged when it is sent: she had come into the role just before
        event = next(changes)
    assert event["document"]["data"] == {"n": 2}
    served.ask("roles.set", {"name": inner, "members": []}, admin)
    served.insert(notes, admin, {"n": 3}, acl=rules)
    served.insert(notes, admin, {"n": 4}, acl=[entry("everyone")])
    assert next(changes)["document"]["data"] == {"n": 4}


def test_a_filter_says_what_is_told_of_deletes_too(served: Served, streamed: Any, notes: str) -> None:
    token = served.token()
    id, _ = watch(streamed, notes, token, filter={"kind": "a", "_created_by": "user:usr_ada"})
    changes = streamed.changes(id)
    first, second = (served.insert(notes, token, {"kind": kind}) for kind in "ba")
    assert next(changes)["id"] == second
    for one in (first, second):
        served.ask("documents.delete", {"collection": notes, "id": one}, token)
    event = next(changes)
    assert (event["action"], event["id"]) == ("delete", second)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"collection": "sys.keys"}, (400, "invalid_request")),
        ({"collection": "fs.chunks"}, (400, "invalid_request")),
        ({"collection": "a", "filter": {"$where": "1"}}, (400, "unknown_operator")),
        ({"collection": "a", "filter": 1}, (400, "invalid_request")),
        ({"collection": "a", "after": "AAAA"}, (400, "bad_cursor")),
        ({"collection": "a", "after": "ä"}, (400, "bad_cursor")),
        ({"collection": "a", "after": "x" * 4001}, (400, "invalid_request")),
        ({}, (400, "invalid_request")),
    ],
    ids=["keys", "chunks", "where", "filter", "short", "letters", "long", "nothing"],
)
def test_a_bad_watch_is_refused_by_name(served: Served, streamed: Any, request_: Any, told: Any) -> None:
    id = streamed.send("documents.watch", request_, token=served.admin())
    assert ends(streamed, id) == told


def test_after_a_break_nothing_is_missed_and_nothing_told_twice(served: Served, streamed: Any, notes: str) -> None:
    token = served.token()
    id, _ = watch(streamed, notes, token)
    ids = [served.insert(notes, token, {"n": n}) for n in range(3)]
    changes = streamed.changes(id)
    seen = [next(changes), next(changes)]
    streamed.close()
    ids += [served.insert(notes, token, {"n": n}) for n in range(3, 300)]
    again = served.open("websocket")
    id, _ = watch(again, notes, token, after=seen[-1]["token"])
    ids += [served.insert(notes, token, {"n": n}) for n in range(300, 310)]
    seen += islice(again.changes(id), 308)
    assert [event["id"] for event in seen] == ids


def test_a_position_tells_nothing_and_is_good_for_one_watch_of_one_caller(
    served: Served, streamed: Any, notes: str
) -> None:
    ada, eve = served.token(), served.token("eve")
    _, first = watch(streamed, notes, ada)
    _, second = watch(streamed, notes, ada)
    assert first != second  # the same place twice: who compares them must not learn whether others wrote
    for collection, token, more in ((notes, eve, {}), (f"{notes}x", ada, {}), (notes, ada, {"filter": {"a": 1}})):
        id = streamed.send("documents.watch", {"collection": collection, "after": first, **more}, token=token)
        assert ends(streamed, id) == (400, "bad_cursor")
    watch(streamed, notes, ada, after=first)


def test_a_watch_ends_when_its_token_is_revoked_though_nothing_happens(
    served: Served, streamed: Any, notes: str
) -> None:
    token, other = served.token(), served.token("eve")
    id, _ = watch(streamed, notes, token)
    kept, _ = watch(streamed, notes, other)
    served.issuer.revoked.add(token)
    served.clock.advance(4.1)
    assert ends(streamed, id) == (401, "revoked_token")
    one = served.insert(notes, other, {})
    assert next(streamed.changes(kept))["id"] == one


def test_a_watch_ends_with_its_token(served: Served, streamed: Any, notes: str) -> None:
    id, _ = watch(streamed, notes, served.token(exp=int(served.clock()) + 30))
    served.clock.advance(31)
    assert ends(streamed, id) == (401, "expired_token")


def test_a_watch_ends_when_the_right_to_watch_is_taken(served: Served, streamed: Any, notes: str) -> None:
    token = served.token()
    id, _ = watch(streamed, notes, token)
    served.issuer.answers["scope"] = "documents.write"
    try:
        served.clock.advance(4.1)
        assert ends(streamed, id) == (403, "insufficient_scope")
    finally:
        del served.issuer.answers["scope"]


def test_a_narrowed_token_watches_only_what_it_names(served: Served, streamed: Any, notes: str) -> None:
    details = [{"type": "sheaf_documents", "collections": [notes], "rights": ["read"]}]
    token = served.token(authorization_details=details)
    watch(streamed, notes, token)
    id = streamed.send("documents.watch", {"collection": "other"}, token=token)
    assert ends(streamed, id) == (403, "narrowed_token")


def test_a_new_token_of_the_connection_keeps_its_watches_alive(served: Served, framed: Any, notes: str) -> None:
    old, new = served.token(exp=int(served.clock()) + 30), served.token()
    assert framed.ask("connection.token", {}, old).status == 200
    id = framed.send("documents.watch", {"collection": notes})
    assert "event" in framed.read(id)
    assert (
        framed.ask("connection.token", {}, served.token("eve")).status == 200
    )  # somebody else's changes nothing for it
    assert framed.ask("connection.token", {}, new).status == 200
    served.clock.advance(31)
    one = served.insert(notes, served.token(), {})
    assert next(framed.changes(id))["id"] == one


def test_a_watch_can_be_given_up(served: Served, framed: Any, notes: str) -> None:
    token = served.token()
    id, _ = watch(framed, notes, token)
    assert framed.ask("connection.cancel", {"id": id}, None).status == 200
    served.insert(notes, token, {})
    again = framed.send("documents.watch", {"collection": notes}, token=token)
    assert framed.read()["id"] == again


def test_streams_that_have_not_begun_yet_count_too(served: Served, notes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the identity provider is slow, a flood of them must not pile up here."""
    node, go, talk = served.streams.node, threading.Event(), served.open("unix")
    begin = node.begin

    def slow(*given: Any) -> Any:
        go.wait(10)
        return begin(*given)

    monkeypatch.setattr(node, "begin", slow)
    ids = [talk.send("documents.watch", {"collection": notes}) for _ in range(framed_transport.MAX_STREAMS + 1)]
    try:
        assert ends(talk, ids[-1]) == (429, "too_many_streams")
    finally:
        go.set()


def test_more_streams_than_a_connection_has_are_refused(served: Served, notes: str) -> None:
    talk, token = served.open("unix"), served.token()
    for _ in range(100):
        watch(talk, notes, token)
    id = talk.send("documents.watch", {"collection": notes}, token=token)
    assert ends(talk, id) == (429, "too_many_streams")


# --- server-sent events ------------------------------------------------------------------------------------------------


def test_without_a_good_token_a_body_is_not_even_waited_for(served: Served) -> None:
    head = "POST /commands/documents.watch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    with trusting().wrap_socket(socket.create_connection(("127.0.0.1", served.port), 5)) as raw:
        raw.sendall(head.encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 401 ")


def test_the_same_comes_as_server_sent_events(served: Served, notes: str) -> None:
    token = served.token()
    events = Events(served.port, {"collection": notes}, token)
    assert events.answer.status == 200
    assert events.answer.headers["Content-Type"] == "text/event-stream"
    kind, position, data = events.next()
    assert (kind, data["action"], data["token"]) == ("change", "alive", position)
    one = served.insert(notes, token, {"text": "a\nb"})
    kind, position, data = events.next()
    assert (data["id"], data["document"]["data"]) == (one, {"text": "a\nb"})
    events.close()
    two = served.insert(notes, token, {})
    again = Events(served.port, {"collection": notes}, token, **{"Last-Event-ID": position or ""})
    again.next()
    assert again.next()[2]["id"] == two
    served.issuer.revoked.add(token)
    served.clock.advance(4.1)
    kind, _, data = again.next()
    assert (kind, data["code"]) == ("problem", "revoked_token")
    again.close()


@pytest.mark.parametrize(
    ("headers", "token", "told"),
    [
        ({}, None, (401, "missing_token")),
        ({"Content-Type": "text/plain"}, "ada", (415, "unsupported_media_type")),
        ({"Origin": "https://evil.example"}, "ada", (403, "origin_not_allowed")),
        ({"Last-Event-ID": "AAAA"}, "ada", (400, "bad_cursor")),
    ],
    ids=["no token", "type", "origin", "position"],
)
def test_refused_server_sent_events_are_a_problem(served: Served, headers: Any, token: Any, told: Any) -> None:
    events = Events(served.port, {"collection": "a"}, token and served.token(token), **headers)
    assert (events.answer.status, json.loads(events.answer.read())["code"]) == told
    events.close()


def test_server_sent_events_for_a_bound_token_need_its_proof(served: Served, notes: str) -> None:
    prover = Prover(served.clock)
    token = served.token(cnf={"jkt": prover.jkt})
    proof = prover.proof("POST", f"{URL}/commands/documents.watch", token)
    for scheme, headers, status in (
        ("Bearer", {}, 401),
        ("DPoP", {}, 401),
        ("DPoP", {"DPoP": proof}, 200),
        ("DPoP", {"DPoP": proof}, 401),
    ):
        events = Events(served.port, {"collection": notes}, None, Authorization=f"{scheme} {token}", **headers)
        assert events.answer.status == status
        events.close()


def test_a_watcher_that_has_gone_is_forgotten(served: Served, notes: str) -> None:
    watching = served.streams.node._streams
    before = len(watching)
    events = Events(served.port, {"collection": notes}, served.token())
    events.next()
    talk = served.open("websocket")
    watch(talk, notes, served.token())
    assert len(watching) == before + 2
    events.close()
    talk.close()
    until(lambda: len(watching) == before, "both are forgotten")


def test_a_slow_watcher_holds_up_nobody_and_loses_nothing(served: Served, notes: str) -> None:
    token = served.token()
    slow, quick = served.open("unix"), served.open("websocket")
    idle, _ = watch(slow, notes, token)
    id, _ = watch(quick, notes, token)
    ids = [served.insert(notes, token, {"text": "x" * 100_000}) for _ in range(60)]
    assert [event["id"] for event in islice(quick.changes(id), 60)] == ids
    assert [event["id"] for event in islice(slow.changes(idle), 60)] == ids


def test_a_watcher_that_takes_nothing_is_cut_off(served: Served, notes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framed_transport, "SEND_SECONDS", 0.2)
    token, watching = served.token(), served.streams.node._streams
    before = len(watching)
    stuck = [served.open(transport) for transport in ("unix", "tcp", "websocket")]
    for talk in stuck:
        watch(talk, notes, token)
    for _ in range(60):
        served.insert(notes, token, {"text": "x" * 300_000})
    until(lambda: len(watching) == before, "all three are forgotten")
