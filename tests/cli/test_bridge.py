"""From the server to the application: what gets a thread, and what the application is told."""

import asyncio
import threading
from types import SimpleNamespace

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from idp.base.waiting import about_to_wait
from idp.cli.bridge import Bridge, environ
from idp.http.machine import Endpoint, Lane, Told
from tests.support.loops import run_loop


class Headers(dict):
    pass


class Proto:
    """The server's side of one request: gives the body in parts, takes the answer."""

    def __init__(self, *parts):
        self.parts = list(parts)
        self.stuck = False
        self.answer = None

    async def __call__(self):
        if self.stuck:
            await asyncio.Event().wait()
        return b"".join(self.parts)

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.parts:
            raise StopAsyncIteration
        return self.parts.pop(0)

    def response_bytes(self, status, headers, body):
        self.answer = (status, headers, body)


def run(work):
    run_loop(work)


def scope(path="/", method="GET", **headers):
    found = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return SimpleNamespace(
        method=method,
        path=path,
        query_string="",
        scheme="http",
        http_version="1.1",
        server="127.0.0.1:8000",
        client="127.0.0.9:4000",
        headers=found,
        authority=None,
    )


def where(environment, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [threading.current_thread().name.encode(), b" ", environment["wsgi.input"].read()]


def ask(bridge, asked, *body):
    proto = Proto(*body)
    run(bridge.__rsgi__(asked, proto))
    return proto.answer


def told(asked):
    if asked.path == "/fetching":
        about_to_wait()
    headers = [("address", asked.address), ("peer", asked.peer), ("query", asked.query.decode())]
    return Told(200, threading.current_thread().name.encode() + b" " + asked.body, headers)


def lane(store="sqlite", proxies=0):
    settings = SimpleNamespace(
        server=SimpleNamespace(trusted_proxies=proxies),
        store=SimpleNamespace(url=store),
        oidc=SimpleNamespace(external_keys=""),
    )
    parts = SimpleNamespace(repo=None, settings=settings, installation=SimpleNamespace(https_only=False))
    both = frozenset({"GET", "POST"})
    table = [Endpoint(path, both, told, short=path != "/long") for path in ("/short", "/long", "/fetching", "/below/")]
    return Lane(table, parts, None)


def test_a_short_endpoint_is_answered_at_once_and_any_other_in_a_thread():
    bridge = Bridge(where, 2, lane())

    assert ask(bridge, scope("/short"))[2].startswith(b"loop")
    assert ask(bridge, scope("/below/x"))[2].startswith(b"loop")
    for path in ("/short/", "/below/", "/below", "/long", "/flow/x/password"):
        assert ask(bridge, scope(path))[2].startswith(b"request")


def test_with_a_store_across_the_network_every_endpoint_gets_a_thread():
    assert ask(Bridge(where, 2, lane("mongodb://db/idp")), scope("/short"))[2].startswith(b"request")


def test_an_endpoint_that_must_ask_another_server_gets_a_thread_after_all():
    assert ask(Bridge(where, 2, lane()), scope("/fetching"))[2].startswith(b"request")


def test_a_short_request_is_answered_at_once_and_one_that_would_wait_in_a_thread_from_its_beginning():
    def reads_and_waits(environment, start_response):
        body = environment["wsgi.input"].read()
        if environment["PATH_INFO"] == "/waits":
            about_to_wait()
        start_response("200 OK", [])
        return [threading.current_thread().name.encode(), b" ", body]

    bridge = Bridge(reads_and_waits, 2, short=lambda method, path: path != "/long")
    answers = {
        path: ask(bridge, scope(path, "POST", content_length="3"), b"abc")[2] for path in ("/", "/waits", "/long")
    }

    assert answers["/"].startswith(b"loop")
    assert answers["/waits"].startswith(b"request")
    assert answers["/long"].startswith(b"request")
    assert all(answer.endswith(b" abc") for answer in answers.values())


def test_a_body_arrives_whole_on_every_way():
    bridge = Bridge(where, 2, lane())
    for path in ("/short", "/long", "/other"):
        answer = ask(bridge, scope(path, "POST", content_length="6"), b"abc", b"def")
        assert answer[2].endswith(b"abcdef")


def test_a_body_of_http_2_needs_no_length():
    bridge = Bridge(where, 2, lane())
    for path in ("/short", "/other"):
        asked = scope(path, "POST")
        asked.http_version = "2"
        assert ask(bridge, asked, b"abc")[2].endswith(b" abc")


def test_a_body_that_does_not_come_is_cut_off_and_no_other(monkeypatch):
    monkeypatch.setattr("idp.cli.bridge.BODY_SECONDS", 0.0)
    monkeypatch.setattr("idp.cli.bridge.LOOK_SECONDS", 0.01)
    bridge, stuck = Bridge(where, 2, lane()), Proto()
    stuck.stuck = True
    late, good = scope("/short", "POST", content_length="3"), Proto(b"abc")

    async def both():
        waiting = asyncio.create_task(bridge.__rsgi__(late, stuck))
        await asyncio.create_task(bridge.__rsgi__(scope("/short", "POST", content_length="3"), good))
        await waiting
        assert len(asyncio.all_tasks()) == 1

    run(both())
    assert (stuck.answer[0], good.answer[0]) == (408, 200)


def test_a_request_that_is_cancelled_from_outside_stays_cancelled():
    stuck = Proto()
    stuck.stuck = True

    async def stopped():
        waiting = asyncio.create_task(
            Bridge(where, 2, lane()).__rsgi__(scope("/short", "POST", content_length="3"), stuck)
        )
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    run(stopped())
    assert stuck.answer is None


def test_a_body_that_is_shorter_than_was_said_is_refused():
    assert ask(Bridge(where, 2, lane()), scope("/short", "POST", content_length="6"), b"abc")[0] == 400


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "1.1.1.1", "127.0.0.9"),
        (1, "6.6.6.6, 1.1.1.1", "1.1.1.1"),
        (2, "6.6.6.6, 1.1.1.1, 10.0.0.1", "1.1.1.1"),
        (2, "1.1.1.1", "127.0.0.9"),  # fewer than our own proxies: nobody knows who wrote it
        (1, "", "127.0.0.9"),
    ],
)
def test_the_address_is_the_one_that_the_trusted_proxies_saw(proxies, forwarded, address):
    asked = scope("/short", **{"x-forwarded-for": forwarded})
    headers = dict(ask(Bridge(where, 2, lane(proxies=proxies)), asked)[1])
    assert (headers["address"], headers["peer"]) == (address, "127.0.0.9")

    seen = []
    fixed = ProxyFix(lambda environment, _: seen.append(environment["REMOTE_ADDR"]), x_for=proxies)
    fixed(environ(asked, {"x-forwarded-for": forwarded}, b""), None)
    assert seen == [address]


def test_a_header_with_an_underscore_does_not_pass_for_another():
    found = environ(scope(), {"x_forwarded_for": "1.2.3.4", "x-request-id": "7"}, b"")

    assert "HTTP_X_FORWARDED_FOR" not in found
    assert found["HTTP_X_REQUEST_ID"] == "7"


def test_pages_that_wait_have_threads_of_their_own_and_hold_up_no_other_page():
    """An upstream that does not answer may hold every one of them; everybody else goes on."""
    go_on, waiting = threading.Event(), threading.Semaphore(0)

    def application(environ, start_response):
        if environ["PATH_INFO"].startswith("/upstream/"):
            waiting.release()
            go_on.wait(20)
        start_response("200 OK", [])
        return [threading.current_thread().name.encode()]

    async def all_of_them():
        bridge, slow = (
            Bridge(application, 1, waits=lambda path: path.startswith("/upstream/")),
            [Proto() for _ in range(6)],
        )
        tasks = [asyncio.ensure_future(bridge.__rsgi__(scope("/upstream/corp/callback"), one)) for one in slow]
        await asyncio.get_running_loop().run_in_executor(None, lambda: [waiting.acquire(timeout=20) for _ in slow])
        quick = Proto()
        await bridge.__rsgi__(scope("/sign-in"), quick)
        assert [one.answer for one in slow] == [None] * 6
        go_on.set()
        await asyncio.gather(*tasks)
        assert quick.answer[2].startswith(b"request")
        assert {one.answer[2].partition(b"_")[0] for one in slow} == {b"waiting"}

    run(all_of_them())
