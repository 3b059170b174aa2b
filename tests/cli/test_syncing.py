"""Answers that wait for the disk: none goes out before its sync, one sync serves many, and a failure is told to all."""

import asyncio
import threading
from types import SimpleNamespace

import pytest

from idp.cli import syncing
from idp.cli.bridge import Bridge
from idp.cli.syncing import Syncing
from idp.http.machine import Endpoint, Lane, Told
from idp.ports import StoreUnavailable
from tests.cli.test_bridge import Proto, scope, where
from tests.support.loops import run_loop


class Disk:
    """What `sync_later` of a store is. Written: what its requests have done; durable: how much of that is on the disk."""

    def __init__(self):
        self.written, self.durable, self.syncs, self.threads = 0, 0, 0, set()
        self.broken = False
        self.reached = []
        self.slow = threading.Event()
        self.slow.set()

    def run(self, function, *args):
        before = self.written
        return function(*args), self.written != before

    def sync(self):
        reached = self.written
        self.reached.append(reached)
        self.slow.wait(5)
        if self.broken:
            raise StoreUnavailable("the disk is full")
        self.syncs += 1
        self.threads.add(threading.current_thread().name)
        self.durable = reached


class Answered(Proto):
    """Notes how much was durable when the answer left."""

    def __init__(self, disk):
        super().__init__()
        self.disk = disk

    def response_bytes(self, status, headers, body):
        self.durable = self.disk.durable
        super().response_bytes(status, headers, body)


def bridge(disk, short_cut=None):
    def write(_asked):
        disk.written += 1
        return Told(200, str(disk.written).encode())

    settings = SimpleNamespace(
        server=SimpleNamespace(trusted_proxies=0),
        store=SimpleNamespace(url="sqlite"),
        oidc=SimpleNamespace(external_keys=""),
    )
    traces = SimpleNamespace(keep=lambda *_args, **_more: "TRACE")
    parts = SimpleNamespace(
        repo=SimpleNamespace(sync_later=disk),
        settings=settings,
        installation=SimpleNamespace(https_only=False),
        traces=traces,
    )
    get = frozenset({"GET"})
    table = [Endpoint("/write", get, write, short=True), Endpoint("/read", get, lambda _: Told(200, b"r"), short=True)]
    lane = Lane(table, parts, lambda refused, trace: Told(refused.status, trace.encode()), short_cut or {})
    return Bridge(where, 1, lane)


def run(made, disk, *paths):
    protos = [Answered(disk) for _ in paths]

    async def all_of_them():
        await asyncio.gather(*(made.__rsgi__(scope(path), proto) for path, proto in zip(paths, protos, strict=True)))

    _run(all_of_them())
    return protos


@pytest.mark.parametrize("quick", [True, False], ids=["in place", "in a thread"])
def test_no_answer_leaves_before_what_it_tells_of_is_durable(monkeypatch, quick):
    monkeypatch.setattr(syncing, "QUICK", 60.0 if quick else -1.0)
    disk = Disk()
    made = bridge(disk)
    made._syncing = Syncing(disk)
    made._syncing._took = 0.0
    for proto in run(made, disk, *["/write"] * 5):
        assert proto.answer[0] == 200
        assert proto.durable >= int(proto.answer[2])
    assert disk.threads == ({"loop_0"} if quick else {"sync_0"})


def test_those_that_are_ready_together_share_one_sync():
    disk = Disk()
    run(bridge(disk), disk, *["/write"] * 7)
    assert (disk.written, disk.syncs) == (7, 1)


def test_what_only_reads_waits_for_nobody():
    disk = Disk()
    (proto,) = run(bridge(disk), disk, "/read")
    assert (proto.answer[2], disk.syncs) == (b"r", 0)


def test_what_is_written_during_a_sync_waits_for_the_next(monkeypatch):
    monkeypatch.setattr(syncing, "QUICK", -1.0)
    disk = Disk()
    made = bridge(disk)

    async def two():
        disk.slow.clear()
        first, second = Answered(disk), Answered(disk)
        begun = asyncio.create_task(made.__rsgi__(scope("/write"), first))
        while not disk.reached:
            await asyncio.sleep(0)
        late = asyncio.create_task(made.__rsgi__(scope("/write"), second))
        while disk.written < 2:
            await asyncio.sleep(0)
        reads = Answered(disk)
        await made.__rsgi__(scope("/read"), reads)
        assert reads.answer[0] == 200  # the loop goes on meanwhile
        assert first.answer is second.answer is None
        disk.slow.set()
        await asyncio.gather(begun, late)
        return first, second

    first, second = _run(two())
    assert (disk.reached, second.durable, disk.syncs) == ([1, 2], 2, 2)
    assert first.answer is not None


def test_nobody_is_told_of_what_did_not_come_to_the_disk():
    disk = Disk()
    disk.broken = True
    made = bridge(disk)
    for proto in run(made, disk, "/write", "/write"):
        assert proto.answer[0] == 503
        assert ("Retry-After", "5") in proto.answer[1]
    disk.broken = False
    (proto,) = run(made, disk, "/write")
    assert proto.answer[0] == 200


def test_a_short_cut_is_answered_at_once_and_left_to_the_page_when_it_cannot():
    disk = Disk()
    made = bridge(disk, {"/page": lambda asked: Told(303, b"", [("Location", "/there")]) if asked.query else None})
    asked, proto = scope("/page"), Answered(disk)
    asked.query_string = "x=1"
    _run(made.__rsgi__(asked, proto))
    assert proto.answer[0] == 303
    assert ("Location", "/there") in proto.answer[1]
    (page,) = run(made, disk, "/page")
    assert page.answer[2].startswith(b"request")  # the application, in a thread
    (posted,) = [Answered(disk)]
    _run(made.__rsgi__(scope("/page", "POST"), posted))
    assert posted.answer[2].startswith(b"request")


def test_a_short_cut_whose_code_was_lost_is_left_to_the_page():
    disk = Disk()
    disk.broken = True

    def write(_asked):
        disk.written += 1
        return Told(303)

    (proto,) = run(bridge(disk, {"/page": write}), disk, "/page")
    assert proto.answer[2].startswith(b"request")


def _run(work):  # type: ignore[no-untyped-def]
    return run_loop(work)
