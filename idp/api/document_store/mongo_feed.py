"""Owns the feed of a MongoDB store: the change stream of the history, in which a position is a resume token.

The stream only says which lines are new; they are read from the history, as they stand there: after a re-seal under the
new key, after a drop not at all.
"""

import re
import threading
import time
from collections import OrderedDict, deque
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import pymongo
from pymongo.client_session import ClientSession
from pymongo.errors import CursorNotFound, OperationFailure, PyMongoError

from idp.api.document_store.contract import Past, PositionLost
from idp.api.document_store.mongo_link import HISTORY, MongoLink, answering, refusing
from idp.api.document_store.mongo_rows import Raw, to_past
from idp.base.errors import Refused

PIPELINE: Final = ({"$match": {"operationType": "insert"}}, {"$project": {"_id": 1, "documentKey": 1}})
AWAIT_SECONDS = 1.0  # of one round trip; a caller that waits longer comes again
LOOK_SECONDS = 0.05  # at least: so long a server may need to find what is there already
KEPT = 4  # open streams that nobody reads at the moment
# FailedToParse, InvalidResumeToken, ChangeStreamFatalError, ChangeStreamHistoryLost; and numbered assertions on tokens.
LOST: Final = (9, 260, 280, 286)
ASSERTIONS: Final = 10_000
_POSITION = re.compile("[0-9A-Fa-f]{2,4000}")


@dataclass
class _Stream:
    """token: from where it goes on, also when nothing of ours was behind the last position for a long time.
    ahead: (position, id of the line) that have come and were not given yet. cursor: 0 when there is none."""

    token: Raw | None
    ahead: deque[tuple[str, Any]] = field(default_factory=deque)
    session: ClientSession | None = None
    cursor: int = 0


class MongoFeed:
    def __init__(self, link: MongoLink) -> None:
        self._link = link
        self._streams: OrderedDict[str, _Stream] = OrderedDict()  # by the position up to which they were given
        self._lock = threading.Lock()

    def position(self) -> str:
        self._link.prepare()
        stream = _Stream(None)
        self._open(stream)
        assert stream.token is not None
        position = str(stream.token["_data"])
        self._keep(position, stream)
        return position

    def lines(self, after: str, limit: int, wait_seconds: float) -> list[Past]:
        """Raises PositionLost; Refused 503, after which the same position can be asked for again."""
        if not _POSITION.fullmatch(after):
            raise PositionLost(after[:40])
        with self._lock:
            stream = self._streams.pop(after, None) or _Stream({"_data": after})
        deadline = time.monotonic() + wait_seconds
        try:
            while True:
                self._read(stream, limit, max(0.0, deadline - time.monotonic()))
                found = self._stored(stream, limit)
                if found or time.monotonic() >= deadline:
                    break
        except PositionLost:
            self._end(stream)
            raise
        except Refused:
            self._end(stream)
            self._keep(after, stream)
            raise
        self._keep(found[-1].position if found else after, stream)
        return found

    def _read(self, stream: _Stream, limit: int, wait_seconds: float) -> None:
        if not stream.ahead and not stream.cursor:
            self._open(stream)
        if stream.ahead:
            return
        wait = min(max(wait_seconds, LOOK_SECONDS), AWAIT_SECONDS)
        question = {"getMore": stream.cursor, "collection": HISTORY, "batchSize": limit, "maxTimeMS": int(wait * 1000)}
        try:
            with refusing():  # not `answering`: the driver would put its own limit in the place of this one
                reply = self._link.database.command(question, session=stream.session)
        except Refused as error:
            # A server forgets those that rest for ten minutes, and when it starts anew.
            if not isinstance(error.__cause__, CursorNotFound):
                raise
            self._end(stream)
            self._open(stream)
        else:
            _take(stream, reply["cursor"], "nextBatch")

    def _open(self, stream: _Stream) -> None:
        since = {"resumeAfter": stream.token} if stream.token else {}
        stream.session = self._link.client.start_session(causal_consistency=False)  # a cursor belongs to its session
        pipeline = [{"$changeStream": since}, *PIPELINE]
        try:
            with answering():
                reply = self._link.database.command(
                    "aggregate", HISTORY, pipeline=pipeline, cursor={}, session=stream.session
                )
        except Refused as error:
            cause = error.__cause__
            if (
                since
                and isinstance(cause, OperationFailure)
                and (cause.code in LOST or (cause.code or 0) >= ASSERTIONS)
            ):
                raise PositionLost(str(stream.token)[:60]) from cause
            raise
        _take(stream, reply["cursor"], "firstBatch")

    def _stored(self, stream: _Stream, limit: int) -> list[Past]:
        given = list(islice(stream.ahead, limit))
        if not given:
            return []
        with answering():
            stored = {raw["_id"]: raw for raw in self._link.history.find({"_id": {"$in": [id for _, id in given]}})}
        for _ in given:
            stream.ahead.popleft()
        return [to_past(stored[id], position) for position, id in given if id in stored]

    def _keep(self, position: str, stream: _Stream) -> None:
        with self._lock:
            replaced = self._streams.pop(position, None)
            self._streams[position] = stream
            oldest = self._streams.popitem(last=False)[1] if len(self._streams) > KEPT else None
        for unused in (replaced, oldest):
            if unused:
                self._end(unused)

    def _end(self, stream: _Stream) -> None:
        """What it holds stays; only the server may forget it."""
        cursor, session, stream.cursor, stream.session = stream.cursor, stream.session, 0, None
        if session:
            with suppress(PyMongoError), pymongo.timeout(1):
                if cursor:
                    self._link.database.command("killCursors", HISTORY, cursors=[cursor], session=session)
            session.end_session()

    def close(self) -> None:
        with self._lock:
            streams, self._streams = list(self._streams.values()), OrderedDict()
        for stream in streams:
            self._end(stream)


def _take(stream: _Stream, cursor: Raw, batch: str) -> None:
    stream.ahead.extend((str(event["_id"]["_data"]), event["documentKey"]["_id"]) for event in cursor[batch])
    stream.cursor, stream.token = cursor["id"], cursor["postBatchResumeToken"]
