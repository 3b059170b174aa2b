"""The frame protocol and the connections that carry it: what is malformed, too large, too much or idle, and how they end."""

import json
import ssl
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from websockets.exceptions import InvalidStatus

from idp.api.transports.framed import MAX_FRAME_BYTES
from tests.api.transports.conftest import URL, Served
from tests.api.transports.talking import Events, Lines, WebSocket, trusting
from tests.support.proofs import Prover, certificate

NAMES = (f"framed{n}" for n in count())


@pytest.fixture
def notes() -> str:
    return next(NAMES)


@pytest.mark.parametrize(
    ("raw", "id", "code"),
    [
        ("{", None, "malformed_json"),
        ("[]", None, "malformed_json"),
        ('{"id": 1, "id": 2}', None, "malformed_json"),
        ('{"id": 1, "request": NaN}', None, "malformed_json"),
        ("[" * 200_000, None, "malformed_json"),
        ("{}", None, "invalid_request"),
        ('{"id": 1}', 1, "invalid_request"),
        ('{"id": {}, "operation": "connection.ping"}', None, "invalid_request"),
        ('{"id": true, "operation": "connection.ping"}', True, "invalid_request"),
        ('{"id": "", "operation": "connection.ping"}', "", "invalid_request"),
        ('{"id": "a", "operation": "connection.ping", "more": 1}', "a", "invalid_request"),
        ('{"id": "a", "operation": "documents.get", "request": []}', "a", "invalid_request"),
        ('{"id": "a", "operation": "documents.get", "token": 7}', "a", "invalid_request"),
        ('{"id": "a", "operation": "connection.end"}', "a", "unknown_operation"),
        ('{"id": "a", "operation": "connection.token"}', "a", "invalid_request"),
        ('{"id": "a", "operation": "connection.ping", "request": {"x": 1}}', "a", "invalid_request"),
        ('{"id": "a", "operation": "connection.cancel", "request": {"id": []}}', "a", "invalid_request"),
        ('{"id": "a", "operation": "connection.cancel"}', "a", "invalid_request"),
    ],
    ids=str,
)
def test_what_is_no_frame_is_refused_and_the_connection_goes_on(framed: Any, raw: str, id: Any, code: str) -> None:
    framed.write(raw)
    frame = framed.read()
    assert (frame["id"], frame["problem"]["code"]) == (id, code)
    assert framed.ask("connection.ping", {}, None).status == 200


def test_no_token_comes_back_in_a_problem(served: Served, framed: Any) -> None:
    token = served.token()
    framed.send("documents.get", {"collection": "a", "secret": "s3cret"}, token=token, dpop="s3cret.proof.x")
    assert "s3cret" not in json.dumps(framed.read())
    framed.send("documents.get", {}, token=token, surplus="s3cret")
    answer = json.dumps(framed.read())
    assert token not in answer
    assert "s3cret" not in answer


def test_requests_are_answered_as_they_are_done_and_each_under_its_id(served: Served, framed: Any, notes: str) -> None:
    token = served.token()
    ids = {framed.send("documents.insert", {"collection": notes, "data": {"n": n}}, token=token): n for n in range(50)}
    answers = {frame["id"]: frame["result"] for frame in (framed.read() for _ in ids)}
    assert answers.keys() == ids.keys()
    found = served.ask("documents.query", {"collection": notes}, token)["documents"]
    assert {d["id"]: d["data"]["n"] for d in found} == {answers[id]["id"]: n for id, n in ids.items()}


def test_an_id_that_is_in_use_is_refused(served: Served, framed: Any, notes: str) -> None:
    token = served.token()
    frame = {"id": "w", "operation": "documents.watch", "request": {"collection": notes}, "token": token}
    framed.write(json.dumps(frame))
    assert "event" in framed.read("w")
    framed.write(json.dumps(frame))
    assert framed.read("w")["problem"]["code"] == "duplicate_id"


def test_the_token_of_the_connection_is_for_frames_without_one(served: Served, framed: Any, notes: str) -> None:
    ada, eve = served.token(), served.token("eve")
    one = {"collection": notes, "id": served.insert(notes, ada, {})}
    assert framed.ask("documents.get", one, None).told == (401, "missing_token")
    answer = framed.ask("connection.token", {}, ada)
    assert answer.body == {"expires_at": served.clock() // 1 + 600}
    assert framed.ask("documents.get", one, None).status == 200
    assert framed.ask("documents.get", one, eve).told == (404, "unknown_document")
    assert framed.ask("documents.get", one, "x.y.z").told == (401, "malformed_token")  # not the connection's instead
    assert framed.ask("documents.get", one, "").told == (401, "malformed_token")
    assert framed.ask("connection.token", {}, served.token(aud="x")).told == (401, "wrong_audience")
    assert framed.ask("documents.get", one, None).status == 200
    framed.send("connection.token", token=eve)
    framed.send("documents.get", one)  # sent before the answer: judged after it all the same
    framed.read()
    assert framed.read()["problem"]["code"] == "unknown_document"
    served.issuer.revoked.add(eve)
    served.clock.advance(4.1)
    assert framed.ask("documents.get", one, None).told == (401, "revoked_token")


def test_a_bound_token_of_the_connection_still_needs_a_proof_with_each_request(
    served: Served, framed: Any, notes: str
) -> None:
    prover = Prover(served.clock)
    token = served.token(cnf={"jkt": prover.jkt})

    def proof(operation: str) -> str:
        return prover.proof("POST", f"{URL}/commands/{operation}", token)

    assert framed.ask("connection.token", {}, token).told == (401, "bound_token")
    assert framed.ask("connection.token", {}, token, proof("connection.token")).status == 200
    assert framed.ask("documents.query", {"collection": notes}, None).told == (401, "bound_token")
    assert framed.ask("documents.query", {"collection": notes}, None, proof("documents.query")).status == 200
    id = framed.send("documents.watch", {"collection": notes}, dpop=proof("documents.watch"))
    assert "event" in framed.read(id)
    served.clock.advance(30)  # judged again and again, without another proof
    one = served.insert(notes, served.token(), {}, acl=[{"kind": "everyone", "rights": ["read"]}])
    assert next(framed.changes(id))["id"] == one


def test_a_frame_beyond_the_limit_ends_the_connection_loudly(served: Served) -> None:
    for transport in ("tcp", "unix"):
        talk = served.open(transport)
        with pytest.raises((EOFError, OSError)):  # noqa: PT012  (the answer, or the end, may come while we still write)
            talk.write('{"id": 1, "operation": "' + "x" * (2 * MAX_FRAME_BYTES))
            assert talk.read()["problem"]["code"] == "frame_too_large"
            talk.read()
    talk = served.open("websocket")
    with pytest.raises((EOFError, OSError)):  # noqa: PT012
        talk.write("x" * (MAX_FRAME_BYTES + 1))
        talk.read()
    assert served.open("unix").ask("connection.ping", {}, None).status == 200


def test_the_largest_document_fits_into_a_frame(served: Served, framed: Any, notes: str) -> None:
    token = served.token()
    data = {"text": "x" * 999_000}
    id = framed.ask("documents.insert", {"collection": notes, "data": data}, token).body["id"]
    assert framed.ask("documents.get", {"collection": notes, "id": id}, token).body["data"] == data


def test_a_token_in_the_url_of_a_websocket_is_refused_and_not_just_left_out(served: Served) -> None:
    with pytest.raises(InvalidStatus) as refused:
        WebSocket(f"wss://127.0.0.1:{served.port}/frames?access_token={served.token()}")
    assert refused.value.response.status_code == 403


def test_a_page_of_strangers_gets_no_websocket(start: Callable[..., Served]) -> None:
    served = start(origins=["https://app.example.org"], asking=False)
    url = f"wss://127.0.0.1:{served.port}/frames"
    for origin in ("https://evil.example", "null", "https://app.example.org.evil.example", "http://app.example.org"):
        with pytest.raises(InvalidStatus) as refused:
            WebSocket(url, origin=origin)
        assert refused.value.response.status_code == 403
    WebSocket(url, origin="https://app.example.org").close()
    with pytest.raises(InvalidStatus):
        WebSocket(f"wss://127.0.0.1:{served.port}/other")
    events = Events(served.port, {"collection": "a"}, served.token(), Origin="https://app.example.org")
    assert (events.answer.status, events.answer.headers["Access-Control-Allow-Origin"]) == (
        200,
        "https://app.example.org",
    )
    events.close()


def test_a_token_bound_to_a_certificate_needs_the_handshake_with_it(
    start: Callable[..., Served], tmp_path: Path
) -> None:
    mine, others = (certificate(__import__("time").time) for _ in range(2))
    for name, one in (("mine", mine), ("others", others)):
        key = one.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        (tmp_path / f"{name}.pem").write_text(one.pem + key)
    (tmp_path / "authorities.pem").write_text(mine.pem + others.pem)
    served = start(client_authorities=str(tmp_path / "authorities.pem"), asking=False)
    token = served.token(cnf={"x5t#S256": mine.thumbprint})
    for name, told in (("mine", (200, "")), ("others", (401, "bound_token")), ("", (401, "bound_token"))):
        context: ssl.SSLContext = trusting()
        if name:
            context.load_cert_chain(tmp_path / f"{name}.pem")
        talk = Lines(("127.0.0.1", served.tcp_port), context)
        assert talk.ask("documents.query", {"collection": "a"}, token).told == told
        talk.close()
    talk = served.open("unix")
    assert talk.ask("documents.query", {"collection": "a"}, token).told == (401, "bound_token")


def test_stopping_ends_what_runs_and_tells_who_watches(
    start: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio
    import threading

    served = start(asking=False)
    token = served.token()
    entered, go = threading.Event(), threading.Event()
    api = served.streams.node.api
    insert = api.handlers["documents.insert"]

    def slow(*given: Any) -> Any:
        entered.set()
        assert go.wait(20)
        return insert(*given)

    monkeypatch.setitem(api.handlers, "documents.insert", slow)  # type: ignore[arg-type]
    talk = served.open("unix")
    watching = talk.send("documents.watch", {"collection": "a"}, token=token)
    assert "event" in talk.read(watching)
    busy = talk.send("documents.insert", {"collection": "a", "data": {}}, token=token)
    assert entered.wait(20)
    stopping = asyncio.run_coroutine_threadsafe(served.streams.node.drain(20), served.loop)
    frame = talk.read(watching)
    assert (frame["problem"]["code"], frame["problem"]["Retry-After"]) == ("closing", "1")
    assert talk.ask("documents.get", {"collection": "a", "id": "x"}, token).told == (503, "closing")
    go.set()
    assert "result" in talk.read(busy)
    stopping.result(20)
    with pytest.raises(EOFError):
        talk.read()


def test_who_shows_no_token_or_does_nothing_is_hung_up_on(served: Served) -> None:
    unknown, idle, watching = (served.open("unix") for _ in range(3))
    token = served.token()
    assert unknown.ask("connection.ping", {}, None).status == 200
    assert idle.ask("connection.token", {}, token).status == 200
    assert "event" in watching.read(watching.send("documents.watch", {"collection": "a"}, token=token))
    node, now = served.streams.node, __import__("time").monotonic()

    def look(later: float) -> None:
        served.loop.call_soon_threadsafe(node._hang_up_on_idlers, now + later)

    look(20)
    with pytest.raises(EOFError):
        unknown.read()
    assert idle.ask("connection.ping", {}, None).status == 200
    look(400)
    with pytest.raises(EOFError):
        idle.read()
    assert watching.ask("connection.ping", {}, None).status == 200


def test_health_needs_no_token_and_other_paths_are_problems(served: Served) -> None:
    from http.client import HTTPSConnection

    def get(method: str, path: str) -> tuple[int, Any]:
        connection = HTTPSConnection("127.0.0.1", served.port, timeout=20, context=trusting())
        connection.request(method, path)
        answer = connection.getresponse()
        found = answer.status, json.loads(answer.read())
        connection.close()
        return found

    assert get("GET", "/healthz") == (200, {"status": "ok"})
    assert get("GET", "/readyz") == (200, {"status": "ok"})
    for method, path in (
        ("GET", "/"),
        ("GET", "/commands/documents.watch"),
        ("OPTIONS", "/commands/documents.watch"),
        ("POST", "/frames"),
    ):
        status, problem = get(method, path)
        assert (status, problem["code"]) == (404, "not_found")
