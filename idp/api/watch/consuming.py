"""Owns queues.consume: messages of a queue are given as they come, no more at once than the consumer asked for.

Rights are asked with each message, as for queues.take; acks and rejects are operations of their own.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Final, cast

from idp.api.commands.queues import Taken, TakeReply
from idp.api.watch.stream import Stream

if TYPE_CHECKING:
    from idp.api.node import Node

LOOK_SECONDS: Final = 5.0  # a bell may be missed: it promises nothing


async def consume(node: "Node", stream: Stream) -> AsyncIterator[Taken]:
    """Ends by Refused only."""
    loop, rung = asyncio.get_running_loop(), stream.rung

    def wake() -> None:
        loop.call_soon_threadsafe(rung.set)

    stop = await node.work(_listen, node, stream, wake)
    try:
        while True:
            rung.clear()  # before the look, so that what comes after it rings
            now = node.clock()
            stream.held = {receipt: until for receipt, until in stream.held.items() if until > now}
            full = len(stream.held) >= stream.asked.prefetch
            if not full and (taken := await node.work(_take, node, stream)):
                stream.held[taken.receipt] = now + stream.asked.lease_seconds
                yield taken
                continue
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await rung.wait()
            except TimeoutError:
                pass
    finally:
        await node.work(stop)


def _listen(node: "Node", stream: Stream, wake: Callable[[], None]) -> Callable[[], None]:
    caller = node.api.roles.complete(stream.caller_at(node.clock()))
    return node.api.wakes(caller, stream.asked.name, wake)


def _take(node: "Node", stream: Stream) -> Taken | None:
    asked = {"name": stream.asked.name, "lease_seconds": stream.asked.lease_seconds}
    return cast(TakeReply, node.api.run("queues.take", stream.caller_at(node.clock()), lambda: asked)).message
