"""Uploads as the thread sees them: exactly what came, in the order it came, and not for ever."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from idp.cli import bridge_files
from idp.cli.bridge_files import UPLOADS, Incoming, Transfers
from tests.support.loops import run_loop


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


async def coming(*parts: bytes, then: Exception | None = None, hangs: bool = False) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    if then:
        raise then
    if hangs:
        await asyncio.Event().wait()


def test_what_came_is_read_in_pieces_of_the_size_asked_for(loop: asyncio.AbstractEventLoop) -> None:
    body = Incoming(coming(b"ab", b"", b"cde", b"f"), loop)
    assert [body.read(4) for _ in range(4)] == [b"abcd", b"e", b"f", b""]


def test_a_client_that_goes_ends_the_body(loop: asyncio.AbstractEventLoop) -> None:
    body = Incoming(coming(b"ab", then=RuntimeError("closed")), loop)
    assert body.read(4) == b""


def test_a_client_that_sends_too_slowly_is_given_up(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge_files, "PART_SECONDS", 0.05)
    body = Incoming(coming(b"ab", hangs=True), loop)
    with pytest.raises(TimeoutError):
        body.read(4)


class Proto:
    def __init__(self) -> None:
        self.answer: tuple[int, Any, bytes] | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return coming()

    def response_bytes(self, *answer: Any) -> None:
        self.answer = answer


def test_whoever_comes_when_every_thread_for_uploads_is_taken_is_told_so() -> None:
    go = threading.Event()

    def slow(environment: Any, start_response: Any) -> list[bytes]:
        go.wait(10)
        start_response("201 Created", [])
        return [b"{}"]

    async def send(first: list[Proto], last: Proto) -> None:
        transfers = Transfers(slow, ThreadPoolExecutor(2))
        running = [asyncio.create_task(transfers.run(one, {"REQUEST_METHOD": "POST"}, {})) for one in first]
        await asyncio.sleep(0)
        try:
            await asyncio.wait_for(transfers.run(last, {"REQUEST_METHOD": "POST"}, {}), 5)
        finally:
            go.set()
        await asyncio.gather(*running)

    first, last = [Proto() for _ in range(UPLOADS)], Proto()
    run_loop(send(first, last))
    assert last.answer is not None
    assert (last.answer[0], json.loads(last.answer[2])["code"]) == (503, "too_many_uploads")
    assert [one.answer and one.answer[0] for one in first] == [201] * UPLOADS
