"""Owns what watchers cost: memory and CPU time of a thousand idle WebSockets, each with a token of its own, and of one change that
goes to all of them.

Run alone: python -m benchmarks.streams. Nothing is asserted: the goals stand beside the figures.
"""

import asyncio
import json
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from websockets.asyncio.client import connect

from benchmarks import processes
from benchmarks.companion import NO_LIMITS, SCOPES, Caller, _token, say
from tests.support.ports import free_port
from tests.support.sheaf import Sheaf

WATCHERS = 1000
IDLE_SECONDS = 20.0
EVERYBODY = [{"kind": "everyone", "rights": ["read"]}]


def streams_pid(sheaf: Sheaf) -> int:
    found = processes.tree(sheaf.process.pid)
    return next(pid for pid in found if b"idp.api.streams" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))


async def watch(url: str, token: str) -> Any:
    socket = await connect(url, proxy=None, compression=None, ping_interval=None)
    request = {"id": 1, "operation": "documents.watch", "request": {"collection": "bench"}, "token": token}
    await socket.send(json.dumps(request))
    frame = json.loads(await socket.recv())
    assert "event" in frame, frame
    return socket


async def changed(socket: Any) -> None:
    while json.loads(await socket.recv())["event"]["action"] == "alive":
        pass


async def print_watchers(sheaf: Sheaf, port: int) -> None:
    caller, pid = Caller(sheaf), streams_pid(sheaf)
    caller.send("POST", "/documents/bench", {"data": {"n": 0}})
    say("streams: nobody connected", f"{processes.pss_mb(pid):.0f} MB", "-", "")
    scopes = [word for scope in SCOPES for word in ("--scope", scope)]
    made = sheaf.cli(
        "client", "add", "--name", "W", "--grant", "client_credentials", "--audience", "urn:sheaf:api", *scopes
    )
    tokens = [_token(sheaf, made["client_id"], made["client_secret"]) for _ in range(WATCHERS)]
    watching = [await watch(f"ws://127.0.0.1:{port}/frames", token) for token in tokens]
    await asyncio.sleep(5)
    say(f"streams: {WATCHERS} idle watchers", f"{processes.pss_mb(pid):.0f} MB", "150 MB", "")
    before = processes.cpu_seconds(pid)
    await asyncio.sleep(IDLE_SECONDS)
    idle = (processes.cpu_seconds(pid) - before) / IDLE_SECONDS
    say("streams: their tokens, each asked every 4 s", f"{idle * 100:.0f} % CPU", "-", "of one processor")
    before = processes.cpu_seconds(pid)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    again = await asyncio.to_thread(Caller, sheaf)  # the connection of the other one has been idle too long
    await asyncio.to_thread(again.send, "POST", "/documents/bench", {"data": {"n": 1}, "acl": EVERYBODY})
    await asyncio.gather(*(changed(socket) for socket in watching))
    took, cpu = loop.time() - begun, processes.cpu_seconds(pid) - before
    say(
        "streams: one change told to all of them", f"{cpu * 1000:.0f} ms CPU", "-", f"{took * 1000:.0f} ms on the clock"
    )
    say("streams: memory after that", f"{processes.pss_mb(pid):.0f} MB", "150 MB", "")
    for socket in watching:
        socket.transport.abort()


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    streams_port = free_port()
    settings = {**NO_LIMITS, "IDP_API__STREAMS_PORT": str(streams_port)}
    with (
        tempfile.TemporaryDirectory(prefix="sheaf-bench-") as folder,
        Sheaf(Path(folder), api=True, env=settings) as running,
    ):
        asyncio.run(print_watchers(running, streams_port))
