"""Owns the claims about what the Python client does beside requests: watching, and files of any size; over real connections."""

import asyncio
import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sheaf_client import AsyncClient, Change, Client, NoAnswer, Problem, new_key
from sheaf_client.watching import Events
from werkzeug.serving import make_server

from idp.api.commands.streams import STREAMS
from tests.api.transports.conftest import Served, serve
from tests.support.loops import run_loop

LARGE = bytes(range(256)) * 5_000  # several parts


@dataclass
class World:
    served: Served
    url: str

    def client(self, tokens: Any = None, **more: Any) -> Client:
        return Client(self.url, tokens or self.served.token(), verify=False, **more)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    for served in serve(tmp_path_factory.mktemp("client"), asking=False):
        server = make_server("127.0.0.1", 0, served.rest._client.application, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield World(served, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_change_has_the_fields_that_the_companion_sends() -> None:
    assert set(Change.__annotations__) == set(STREAMS["documents.watch"].response.model_fields)


@pytest.mark.parametrize("size", [1, 3, 1000], ids=lambda size: f"{size} bytes at a time")
def test_only_a_line_feed_ends_a_line_of_events(size: int) -> None:
    data = {"token": "a", "text": "one\u2028two\x85three\x0b"}
    sent = f"event: change\nid: a\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode() * 2
    events = Events()
    found = [event for at in range(0, len(sent), size) for event in events.read(sent[at : at + size])]
    assert found == [("change", data)] * 2


def test_a_token_that_goes_to_the_companion_encrypted_goes_to_its_streams_so_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def about(*_: Any) -> httpx.Response:
        return httpx.Response(200, json={"transports": {"server_sent_events": "http://10.0.0.1/x"}})

    monkeypatch.setattr(httpx.Client, "get", about)
    with Client("https://api.example.org", "x.y.z") as client, pytest.raises(Problem) as refused:
        next(client.watch(collection="notes"))
    assert refused.value.code == "insecure_streams"


def test_a_watch_gives_the_changes_that_match_and_goes_on_behind_any_of_them(world: World) -> None:
    ada = world.served.token()
    with world.client() as sheaf:
        watch = sheaf.watch(collection="first", filter={"stars": {"$gte": 2}}, alive=True)
        assert next(watch)["action"] == "alive"
        ids = [world.served.insert("first", ada, {"stars": stars}) for stars in (1, 2, 3)]
        seen = [next(watch), next(watch)]
        assert [(change["action"], change["id"]) for change in seen] == [("insert", ids[1]), ("insert", ids[2])]
        assert seen[0]["document"]["data"] == {"stars": 2}  # type: ignore[index]
        watch.close()
        later = sheaf.watch(collection="first", filter={"stars": {"$gte": 2}}, after=seen[0]["token"])
        assert next(later)["id"] == ids[2]
        later.close()


def test_a_connection_that_breaks_leaves_nothing_out_and_gives_nothing_twice(world: World) -> None:
    ada = world.served.token()
    with world.client() as sheaf:
        opened = breaking(sheaf, after=2)
        watch = sheaf.watch(collection="broken", alive=True)
        next(watch)
        ids = [world.served.insert("broken", ada, {"n": n}) for n in range(5)]
        changes = (change for change in watch if change["action"] != "alive")
        assert [next(changes)["id"] for _ in ids] == ids
        assert len(opened) > 1
        watch.close()


def test_when_the_token_ends_it_goes_on_with_the_next_one(world: World) -> None:
    served, given = world.served, []

    def tokens() -> str:
        given.append(served.token(exp=served.clock() + 5))
        return given[-1]

    with world.client(tokens) as sheaf:
        watch = sheaf.watch(collection="long", alive=True)
        next(watch)
        served.clock.advance(10)
        id = served.insert("long", served.token(), {"n": 1})
        assert next(change for change in watch if change["action"] != "alive")["id"] == id
        assert len(given) > 1
        watch.close()


def test_a_token_that_cannot_be_renewed_ends_it_by_name(world: World) -> None:
    with world.client(world.served.token(exp=world.served.clock() + 5)) as sheaf:
        watch = sheaf.watch(collection="long", alive=True)
        next(watch)
        world.served.clock.advance(10)
        world.served.insert("long", world.served.token(), {"n": 1})
        with pytest.raises(Problem, match="expired_token"):
            list(watch)


def test_a_watch_that_is_refused_is_a_problem_at_once(world: World) -> None:
    with world.client() as sheaf:
        with pytest.raises(Problem, match="unknown_operator"):
            next(sheaf.watch(collection="first", filter={"$where": "1"}))
        with pytest.raises(Problem, match="bad_cursor"):
            next(sheaf.watch(collection="first", after="elsewhere"))


def test_a_companion_without_streams_is_told_from_one_that_is_away(world: World) -> None:
    with world.client(retries=0) as sheaf:
        sheaf._http.get = lambda *_: httpx.Response(200, json={"transports": {}})  # type: ignore[method-assign]
        with pytest.raises(Problem, match="no_streams"):
            next(sheaf.watch(collection="first"))
    with Client("http://127.0.0.1:9", "token", retries=0) as sheaf, pytest.raises(NoAnswer):
        next(sheaf.watch(collection="first"))


def test_files_of_any_size_go_up_and_come_down(world: World) -> None:
    with world.client() as sheaf:
        made = sheaf.upload_file(io.BytesIO(LARGE), collection="photos", name="Bär.bin", type="image/x")
        assert (made["name"], made["type"], made["size"]) == ("Bär.bin", "image/x", len(LARGE))
        assert made["sha256"] == hashlib.sha256(LARGE).hexdigest()
        assert downloaded(sheaf, made["id"]) == LARGE
        again = sheaf.upload_file(b"new", collection="photos", id=made["id"], version=1)
        assert (again["id"], again["version"], again["size"]) == (made["id"], 2, 3)
        with pytest.raises(Problem, match="version_conflict"):
            sheaf.upload_file(b"late", collection="photos", id=made["id"], version=1)
        with pytest.raises(Problem, match="unknown_document"):
            downloaded(sheaf, "file_1")


def test_an_upload_with_a_key_is_repeated_and_is_one_file(world: World) -> None:
    with world.client() as sheaf:
        sent, send = [], sheaf._http.send

        def losing(*args: Any, **more: Any) -> httpx.Response:
            response = send(*args, **more)
            sent.append(response)
            if len(sent) < 3:
                raise httpx.ReadError("lost")
            return response

        sheaf._http.send = losing  # type: ignore[method-assign]
        made = sheaf.upload_file(LARGE, collection="once", idempotency_key=new_key())
        assert len(sent) == 3
        assert [file["id"] for file in sheaf.files.query(collection="once")["files"]] == [made["id"]]


def test_a_download_that_breaks_goes_on_where_it_was(world: World) -> None:
    with world.client() as sheaf:
        id = sheaf.upload_file(LARGE, collection="photos")["id"]
        opened = breaking(sheaf, after=2)
        assert downloaded(sheaf, id) == LARGE
        assert [status for status, _ in opened][:2] == [200, 206]


def test_a_download_of_what_was_changed_meanwhile_is_refused(world: World) -> None:
    with world.client() as sheaf, world.client() as other:
        id = sheaf.upload_file(LARGE, collection="photos")["id"]
        breaking(sheaf, after=2, then=lambda: other.upload_file(LARGE[1:], collection="photos", id=id))
        with pytest.raises(Problem, match="file_changed"):
            downloaded(sheaf, id)


def test_all_of_it_from_an_asynchronous_program(world: World) -> None:
    served = world.served

    async def work() -> Any:
        async with AsyncClient(world.url, served.token, verify=False) as sheaf:
            watch = sheaf.watch(collection="async", alive=True)
            await anext(watch)
            made = await asyncio.to_thread(served.insert, "async", served.token(), {"n": 1})
            change = await anext(watch)
            await watch.aclose()  # type: ignore[attr-defined]
            file = await sheaf.upload_file(LARGE, collection="async", idempotency_key=new_key())
            into = io.BytesIO()
            await sheaf.download_file(into, collection="async", id=file["id"])
            return made == change["id"], into.getvalue() == LARGE

    assert run_loop(work()) == (True, True)


def downloaded(sheaf: Client, id: str) -> bytes:
    into = io.BytesIO()
    sheaf.download_file(into, collection="photos", id=id)
    return into.getvalue()


def breaking(sheaf: Client, *, after: int, then: Callable[[], object] = lambda: None) -> list[tuple[int, str]]:
    """Every connection of this client for a stream breaks after so many parts. What was opened is told."""
    opened: list[tuple[int, str]] = []
    stream = sheaf._http.stream

    @contextmanager
    def broken(method: str, url: str, **more: Any) -> Iterator[httpx.Response]:
        with stream(method, url, **more) as response:
            opened.append((response.status_code, url))
            parts = response.iter_bytes

            def some(*args: Any) -> Iterator[bytes]:
                for number, part in enumerate(parts(*args), 1):
                    yield part
                    if number == after:
                        then()
                        raise httpx.ReadError("broken")

            response.iter_bytes = some  # type: ignore[method-assign]
            yield response

    sheaf._http.stream = broken  # type: ignore[method-assign]
    return opened
