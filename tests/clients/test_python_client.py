"""Owns the claims about the Python client: every operation, both ways, refusals, repeats; against a companion that really listens."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from sheaf_client import AsyncClient, Client, ClientCredentials, NoAnswer, Problem, new_key
from sheaf_client.operations import AsyncOperations, Operations
from werkzeug.serving import make_server

from idp.api.commands import OPERATIONS
from scripts import make_client
from tests.api.conftest import Companion, issuer, start, start_with  # noqa: F401  (fixtures)
from tests.support.loops import run_loop


@pytest.fixture
def companion(start: Callable[..., Companion]) -> Companion:  # noqa: F811
    return start()


@pytest.fixture
def url(companion: Companion) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, companion.client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_operations_are_what_the_generator_writes() -> None:
    assert make_client.TARGET.read_text() == make_client.written(), "python -m scripts.make_client"


@pytest.mark.parametrize("kind", [Operations, AsyncOperations], ids=["blocking", "async"])
def test_every_operation_has_a_method(kind: Any) -> None:
    client = kind(lambda *_: None)
    for name in OPERATIONS:
        area, _, verb = name.partition(".")
        assert callable(getattr(getattr(client, area), verb))


def test_documents_and_queues_from_a_blocking_program(companion: Companion, url: str) -> None:
    with Client(url, companion.as_user("ada")) as sheaf:
        made = sheaf.documents.insert(collection="notes", data={"title": "First", "stars": 1})
        sheaf.documents.update(collection="notes", id=made["id"], update={"$inc": {"stars": 2}}, version=1)
        (found,) = sheaf.documents.query(collection="notes", filter={"stars": {"$gte": 3}})["documents"]
        assert (found["data"]["title"], found["version"]) == ("First", 2)
        assert sheaf.documents.delete(collection="notes", id=made["id"]) is None
        sheaf.queues.declare(name="jobs")
        sheaf.queues.publish(name="jobs", body={"do": "this"}, priority=7)
        message = sheaf.queues.take(name="jobs")["message"]
        assert message is not None
        assert message["body"] == {"do": "this"}
        sheaf.queues.ack(name="jobs", receipt=message["receipt"])


def test_the_same_from_an_asynchronous_one(companion: Companion, url: str) -> None:
    async def work() -> Any:
        async with AsyncClient(url, lambda: companion.as_user("ada")) as sheaf:
            made = await sheaf.documents.insert(collection="notes", data={"n": 1})
            reads = [sheaf.documents.get(collection="notes", id=made["id"]) for _ in range(5)]
            return [document["data"] for document in await asyncio.gather(*reads)]

    assert run_loop(work()) == [{"n": 1}] * 5


def test_a_refusal_is_a_problem_with_its_code_and_trace(companion: Companion, url: str) -> None:
    with Client(url, companion.as_user("ada"), retries=0) as sheaf:
        with pytest.raises(Problem) as refused:
            sheaf.documents.get(collection="notes", id="doc_1")
        assert (refused.value.code, refused.value.status) == ("unknown_document", 404)
        assert len(refused.value.trace) == 8
        with pytest.raises(Problem) as refused:
            sheaf.documents.query(collection="notes", filter={"$where": "1"})
        assert refused.value.detail["operator"] == "$where"


def test_an_effect_with_a_key_is_repeated_and_happens_once(companion: Companion, url: str) -> None:
    token = companion.as_user("ada")
    lost = Losing(Client(url, token), 2)
    key = new_key()
    made = lost.client.documents.insert(collection="notes", data={"n": 1}, idempotency_key=key)
    assert lost.sent == 3
    assert [d["id"] for d in companion.find(token)] == [made["id"]]
    with pytest.raises(Problem, match="idempotency_key_reused"):
        lost.client.documents.insert(collection="notes", data={"n": 2}, idempotency_key=key)
    lost.client.close()


def test_an_effect_without_a_key_is_never_repeated(companion: Companion, url: str) -> None:
    lost = Losing(Client(url, companion.as_user("ada")), 1)
    with pytest.raises(NoAnswer):
        lost.client.documents.insert(collection="notes", data={"n": 1})
    assert lost.sent == 1
    lost.client.close()


class Losing:
    """Answers of the companion that are lost on their way, the first so many."""

    def __init__(self, client: Client, lost: int) -> None:
        self.client, self.sent = client, 0
        send = client._http.send

        def losing(*args: Any, **more: Any) -> httpx.Response:
            self.sent += 1
            response = send(*args, **more)
            if self.sent <= lost:
                raise httpx.ReadError("lost")
            return response

        client._http.send = losing  # type: ignore[method-assign]


def test_a_companion_that_is_not_there_is_no_answer() -> None:
    with Client("http://127.0.0.1:9", "token", retries=1) as sheaf, pytest.raises(NoAnswer):
        sheaf.documents.get(collection="notes", id="doc_1")


def test_secrets_and_tokens_stand_in_no_repr() -> None:
    source = ClientCredentials("https://login.example", "app", "top secret")
    source._token = "a token"
    assert "top secret" not in repr(source)
    assert "a token" not in repr(source)
