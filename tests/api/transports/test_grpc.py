"""gRPC: what clients generated from companion.proto get, and what is refused. What all transports share is test_conformance.py's."""

import asyncio
import importlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_tools import protoc

from idp.api.commands import OPERATIONS
from idp.api.transports import grpc as transport
from idp.api.transports.proto_messages import messages
from idp.api.transports.proto_schema import PACKAGE, Schema, schema, text
from tests.api.examples import EXAMPLES
from tests.api.transports.conftest import Served
from tests.api.transports.talking_grpc import Grpc, metadata, path, refused, sent
from tests.support.proofs import certificate
from tests.support.running import until

ROOT = Path(__file__).parents[3]
Code = grpc.StatusCode


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    """What protoc makes of the published file: messages, and stubs."""
    folder = str(tmp_path_factory.mktemp("generated"))
    given = ["", f"-I{ROOT / 'clients'}", f"--python_out={folder}", f"--grpc_python_out={folder}", "companion.proto"]
    assert protoc.main(given) == 0
    sys.path.insert(0, folder)
    yield importlib.import_module("companion_pb2"), importlib.import_module("companion_pb2_grpc")
    sys.path.remove(folder)


@pytest.fixture
def talk(served: Served) -> Any:
    return served.open("grpc")


def raw(talk: Any, operation: str, message: bytes, token: str | None, *more: tuple[str, str], **given: Any) -> Any:
    """The error with which it is refused."""
    with pytest.raises(grpc.RpcError) as caught:
        talk.channel.unary_unary(path(operation))(message, 20, [*metadata(token), *more], **given)
    return caught.value


def watchers(served: Served, collection: str) -> int:
    assert served.streams._grpc
    return sum(stream.asked.collection == collection for stream in served.streams._grpc._streams)


def test_a_generated_client_uses_documents_and_queues(served: Served, talk: Any, generated: Any) -> None:
    said, stubs = generated
    documents, queues, token = stubs.DocumentsStub(talk.channel), stubs.QueuesStub(talk.channel), served.token()
    headers = metadata(token)
    watching = documents.Watch(said.WatchDocuments(collection="typed"), metadata=headers)
    assert next(watching).action == "alive"
    body = '{"n": 9223372036854775807, "x": 1.0}'
    stamp = documents.Insert(said.InsertDocument(collection="typed", data=body), metadata=headers)
    found = documents.Get(said.GetDocument(collection="typed", id=stamp.id), metadata=headers)
    assert (found.version, json.loads(found.data)) == (1, json.loads(body))
    event = next(watching)
    assert (event.action, event.id, event.document.data) == ("insert", stamp.id, found.data)
    watching.cancel()
    for n in (2, 1):
        documents.Insert(said.InsertDocument(collection="typed", data=json.dumps({"n": n, "of": 1})), metadata=headers)
    order = [said.FieldOrder(field="of", direction=-1), said.FieldOrder(field="n", direction=1)]
    asked = said.QueryDocuments(collection="typed", filter='{"of": 1}', sort=order)
    page = documents.Query(asked, metadata=headers)
    assert [json.loads(one.data)["n"] for one in page.documents] == [1, 2]
    assert not page.HasField("cursor")
    queues.Declare(said.DeclareQueue(name="typed"), metadata=headers)
    queues.Publish(said.PublishMessage(name="typed", body="null"), metadata=headers)
    taken = queues.Take(said.TakeMessage(name="typed"), metadata=headers).message
    assert (taken.body, taken.sent_by.subject) == ("null", "usr_ada")
    queues.Ack(said.AckMessage(name="typed", receipt=taken.receipt), metadata=headers)
    assert not queues.Take(said.TakeMessage(name="typed"), metadata=headers).HasField("message")


def test_the_published_file_is_that_of_the_commands(served: Served) -> None:
    from scripts.make_proto import NUMBERS, TARGET, written

    assert (TARGET.read_text(), NUMBERS.read_text()) == written(), "run python -m scripts.make_proto"
    assert served.rest._client.get("/companion.proto").text == TARGET.read_text()


def test_the_number_of_a_field_is_its_own_for_ever() -> None:
    schema = Schema({"GetDocument": ["gone", "id"]})
    shape = schema.shapes["GetDocument"]
    assert ({field.name: field.number for field in shape.fields}, shape.gone) == ({"id": 2, "collection": 3}, (1,))
    assert schema.numbers["GetDocument"] == ["gone", "id", "collection"]
    assert "message GetDocument {\n  reserved 1;\n" in text(schema)


def test_a_refusal_has_a_status_and_its_problem_document(served: Served, talk: Any) -> None:
    token = served.token()
    one = {"collection": "refusals", "id": served.insert("refusals", token, {})}
    for operation, request, by, code, status in (
        ("documents.get", one, None, "missing_token", Code.UNAUTHENTICATED),
        ("documents.get", one, served.token(scope="openid"), "insufficient_scope", Code.PERMISSION_DENIED),
        ("documents.get", one, served.token("eve"), "unknown_document", Code.NOT_FOUND),
        ("documents.get", {"collection": "A"}, token, "invalid_request", Code.INVALID_ARGUMENT),
        ("documents.delete", {**one, "version": 2}, token, "version_conflict", Code.FAILED_PRECONDITION),
        ("documents.nothing", {}, token, "unknown_operation", Code.UNIMPLEMENTED),
    ):
        error = raw(talk, operation, sent(operation, request), by)
        assert (error.code(), refused(error).body["code"]) == (status, code)
    told = dict(raw(talk, "documents.get", b"", None).trailing_metadata())
    assert told["www-authenticate"].startswith("Bearer")


def test_the_table_of_statuses_is_true() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([0-9, ]+) \|", (ROOT / "docs" / "clients.md").read_text(), re.MULTILINE)
    documented = {int(status): name for name, statuses in rows for status in statuses.split(", ")}
    assert documented == {status: code.name for status, code in transport.STATUS.items()}


def test_a_problem_that_is_too_long_for_metadata_is_cut_down_to_what_every_problem_has(
    served: Served, talk: Any
) -> None:
    sort = {"ä" * 100 + str(n): 5 for n in range(30)}
    answer = talk.ask("documents.query", {"collection": "a", "sort": sort}, served.token())
    assert answer.told == (400, "invalid_request")
    assert "errors" not in answer.body


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"\xff\xff\xff", "malformed_message"),
        (b"\x0a\x02\xff\xfe", "malformed_message"),
        (messages().write("InsertDocument", {"collection": "a"}) + b"\x12\x02{]", "malformed_json"),
        (messages().write("InsertDocument", {"collection": "a", "data": 2**64}), "malformed_json"),
        (messages().write("InsertDocument", {"collection": "a", "data": [1]}), "invalid_request"),
        (messages().write("InsertDocument", {"collection": "a"}), "invalid_request"),
    ],
    ids=["bytes", "no-utf8", "no-json", "65-bits", "no-object", "missing"],
)
def test_what_cannot_be_read_is_refused(served: Served, talk: Any, message: bytes, code: str) -> None:
    assert refused(raw(talk, "documents.insert", message, served.token())).told == (400, code)


def test_what_is_left_out_is_told_from_what_is_empty_or_null(served: Served, talk: Any) -> None:
    admin, token = served.admin(), served.token()
    asked = {"collection": "acls", "data": {}}
    ids = [
        talk.ask("documents.insert", {**asked, **more}, admin).body["id"] for more in ({}, {"acl": []}, {"acl": None})
    ]
    acls = [talk.ask("documents.get_acl", {"collection": "acls", "id": id}, admin).body["acl"] for id in ids]
    assert [acls[0][0]["id"], *acls[1:]] == ["usr_root", [], None]
    for operation, request in (
        ("documents.set_acl", {"collection": "acls", "id": ids[0]}),
        ("queues.reject", {"name": "a", "receipt": "x", "reason": "y"}),
        ("documents.query", {"collection": "acls", "limit": 0}),
    ):
        assert talk.ask(operation, request, token).told == (400, "invalid_request"), operation


def test_a_message_or_a_proof_comes_once(served: Served, talk: Any) -> None:
    token = served.token()
    for more, code in ((("authorization", f"Bearer {token}"), "several_tokens"), (("dpop", "a,b"), "several_proofs")):
        assert refused(raw(talk, "documents.get", b"", token, more)).told == (400, code)
    with pytest.raises(grpc.RpcError) as caught:
        talk.channel.stream_unary(path("documents.get"))(iter([]), 20, metadata(token))
    assert refused(caught.value).told == (400, "malformed_message")


def test_what_is_too_large_or_packed_is_not_read(served: Served, talk: Any) -> None:
    token = served.token()
    assert raw(talk, "documents.get", b"x" * 1_048_577, token).code() is Code.RESOURCE_EXHAUSTED
    packed = raw(talk, "documents.get", b"x" * 10_000, token, compression=grpc.Compression.Gzip)
    assert packed.code() is Code.UNIMPLEMENTED
    assert talk.ask("documents.query", {"collection": "a"}, token).status == 200


def test_the_token_is_judged_before_the_message_is_there(served: Served, talk: Any) -> None:
    waiting: Future[bytes] = Future()
    late = (waiting.result(20) for _ in range(1))
    call = talk.channel.stream_unary(path("documents.get")).future(late, 20, metadata("x.y.z"))
    assert call.exception(20).code() is Code.UNAUTHENTICATED
    waiting.set_result(b"")


def test_a_request_that_does_not_come_is_not_waited_for(
    served: Served, talk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "BODY_SECONDS", 0.05)
    waiting: Future[bytes] = Future()
    never = (waiting.result(20) for _ in range(1))
    call = talk.channel.stream_unary(path("documents.get")).future(never, 20, metadata(served.token()))
    assert refused(call.exception(20)).told == (408, "slow_body")
    waiting.set_result(b"")


def test_a_deadline_ends_the_wait_of_the_client(served: Served, talk: Any) -> None:
    token = served.token()
    talk.ask("queues.declare", {"name": "late"}, token)
    call = talk.channel.unary_unary(path("queues.take"))
    with pytest.raises(grpc.RpcError) as caught:
        call(sent("queues.take", {"name": "late", "wait_seconds": 1}), 0.1, metadata(token))
    assert caught.value.code() is Code.DEADLINE_EXCEEDED
    assert talk.ask("queues.get", {"name": "late"}, token).status == 200


def test_a_watcher_that_takes_nothing_is_cut_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "SEND_SECONDS", 0.2)
    talk, token = served.open("grpc"), served.token()
    talk.read(talk.send("documents.watch", {"collection": "flood"}, token))
    assert watchers(served, "flood") == 1
    for n in range(30):
        served.insert("flood", token, {"n": n, "text": "x" * 200_000})
    until(lambda: watchers(served, "flood") == 0, "the watcher is gone")


def test_a_stream_that_is_cancelled_is_gone(served: Served, talk: Any) -> None:
    id = talk.send("documents.watch", {"collection": "gone"}, served.token())
    talk.read(id)
    assert watchers(served, "gone") == 1
    talk.cancel(id)
    until(lambda: watchers(served, "gone") == 0, "the watcher is gone")


def test_health_and_methods_are_told_to_anybody(served: Served, talk: Any) -> None:
    health = health_pb2_grpc.HealthStub(talk.channel)
    for service in ("", f"{PACKAGE}.Documents"):
        found = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=20)
        assert found.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as caught:
        health.Check(health_pb2.HealthCheckRequest(service="other"), timeout=20)
    assert caught.value.code() is Code.NOT_FOUND
    database = ProtoReflectionDescriptorDatabase(talk.channel)
    services = database.get_services()
    assert {f"{PACKAGE}.WorkItems", "grpc.health.v1.Health"} <= set(services)
    for service in services:
        file = database.FindFileContainingSymbol(service)
        assert service.rpartition(".")[2] in [one.name for one in file.service]


def test_a_node_that_stops_says_so_and_takes_nothing_new(start: Callable[..., Served]) -> None:
    served = start(drain_seconds=5)
    talk = served.open("grpc")
    token = served.token()
    id = talk.send("documents.watch", {"collection": "a"}, token)
    talk.read(id)
    stopping = asyncio.run_coroutine_threadsafe(served.streams.stop(), served.loop)
    assert talk.read(id)["problem"]["code"] == "closing"
    stopping.result(20)
    with pytest.raises(grpc.RpcError) as caught:
        talk.channel.unary_unary(path("documents.get"))(b"", 20, metadata(token))
    assert caught.value.code() is Code.UNAVAILABLE


def test_a_token_bound_to_a_certificate_needs_the_handshake_with_it(
    start: Callable[..., Served], tmp_path: Path
) -> None:
    authority = certificate(time.time)
    named = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in ("mine", "others"))
    mine, others = (certificate(time.time, name, by=authority) for name in named)
    authorities = tmp_path / "clients.pem"
    authorities.write_text(authority.pem)
    served = start(client_authorities=str(authorities), grpc_client_certificates=True)
    token = served.token(cnf={"x5t#S256": mine.thumbprint})
    told = []
    for shown in (mine, others):
        key = shown.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pair = {"private_key": key, "certificate_chain": shown.pem.encode()}
        talk = Grpc(served.grpc_port, served.certificate, **pair)
        told.append(talk.ask("documents.query", {"collection": "a"}, token).told)
        talk.close()
    assert told == [(200, ""), (401, "bound_token")]
    nothing = raw(served.open("grpc"), "documents.query", b"", token)
    assert nothing.code() is Code.UNAVAILABLE


def test_the_address_of_a_client_is_read_in_both_spellings() -> None:
    given = ("ipv4:192.0.2.1:5000", "ipv6:%5B2001:db8::1%5D:5000", "ipv6:[::1]:5000", "unix:")
    assert [transport._address(peer) for peer in given] == ["192.0.2.1", "2001:db8::1", "::1", ""]


def test_a_port_that_is_in_use_is_said(served: Served) -> None:
    with pytest.raises(OSError, match="cannot listen on"):
        transport.Grpc(served.streams.node, f"127.0.0.1:{served.grpc_port}", None, None)


def test_nothing_of_grpc_is_loaded_where_it_is_not_served() -> None:
    code = "import sys, idp.api.streams, idp.api.app; sys.exit(bool({'grpc', 'google.protobuf'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_every_example_comes_out_as_it_went_in() -> None:
    for name, example in EXAMPLES.items():
        request = OPERATIONS[name].request.__name__
        known = {field.name for field in schema().shapes[request].fields}
        good = {member: value for member, value in (example.good or {}).items() if member in known}
        found = messages().read(request, messages().write(request, good))
        assert (found, json.dumps(found, sort_keys=True)) == (good, json.dumps(good, sort_keys=True)), name
