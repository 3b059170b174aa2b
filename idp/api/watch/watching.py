"""Owns documents.watch: from a position on, every change that the watcher may see, none twice and none left out.

Reading the feed is left to feed.py, who may see what to changes.py.
"""

import time
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Final

from idp.api.commands.streams import Change
from idp.api.document_store.contract import Past, PositionLost
from idp.api.problems import unavailable
from idp.api.watch.changes import Begun
from idp.api.watch.feed import BATCH, position_lost
from idp.api.watch.stream import Stream

if TYPE_CHECKING:
    from idp.api.node import Node

ALIVE_SECONDS: Final = 25.0
AT_ONCE: Final = 20  # events that are judged together, just before they are sent
FRESH_SECONDS: Final = 1.0


async def watch(node: "Node", stream: Stream) -> AsyncIterator[Change]:
    """Ends by Refused only."""
    asked, changes, feed = stream.asked, node.api.changes, node.feed
    begun = await node.work(changes.begin, stream.caller_at(node.clock()), asked)
    position = begun.position or feed.end or await feed.arrival(None, ALIVE_SECONDS)
    if position is None:
        raise unavailable("store", "the feed has not begun")
    yield changes.alive(begun, position)
    told_at = time.monotonic()
    while True:
        seen = feed.end
        lines, kept = await _behind(node, position)
        async for change in _visible(node, stream, begun, lines):
            yield change
            told_at = time.monotonic()
        # By what this watcher was told, not by what happened: else a late sign of life would tell of hidden writes.
        quiet = told_at + ALIVE_SECONDS - time.monotonic()
        if lines:
            position = lines[-1].position
        elif quiet > 0 and (kept or feed.end == seen):
            # Up to date. One who is ahead of the reader waits for any line, and keeps its own place.
            arrived = await feed.arrival(asked.collection if kept else None, quiet)
            if kept:
                position = arrived or feed.end or position
        if quiet <= 0:
            yield changes.alive(begun, position)
            told_at = time.monotonic()


async def _behind(node: "Node", position: str) -> tuple[list[Past], bool]:
    """The next lines, and whether they are among those that the reader has kept."""
    lines = node.feed.behind(position)
    if lines is not None:
        return lines, True
    return await node.work(_stored, node, position), False


async def _visible(node: "Node", stream: Stream, begun: Begun, lines: Sequence[Past]) -> AsyncIterator[Change]:
    ours = [line for line in lines if line.collection == stream.asked.collection]
    while ours:
        judged_at = time.monotonic()
        caller = stream.caller_at(node.clock())
        for change in await node.work(node.api.changes.told, caller, stream.asked, begun, ours[:AT_ONCE]):
            ours.pop(0)
            if change:
                yield change
            if time.monotonic() - judged_at > FRESH_SECONDS:
                break  # the watcher is slow: the rest is judged anew when its turn has come


def _stored(node: "Node", position: str) -> list[Past]:
    try:
        return node.api.store.feed(position, BATCH, 0.0)
    except PositionLost:
        raise position_lost() from None
