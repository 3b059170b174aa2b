"""Owns the connection to MongoDB: its promises, its indexes of our own, transactions, and errors as refusals.

Every write waits for the majority and the journal; reads see only what the majority has. What is written and asked is left
to mongo.py, mongo_feed.py and mongo_upkeep.py.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import pymongo
from pymongo import IndexModel
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import ExecutionTimeout, OperationFailure, PyMongoError

from idp.api.document_store.contract import QUERY_SECONDS
from idp.api.document_store.mongo_rows import CODEC, Raw
from idp.api.problems import bad_request, unavailable
from idp.base.errors import Misconfigured, Refused

CALL_SECONDS = 8.0
START_SECONDS = 2.0
SOCKET_SECONDS = 30.0  # for long work (indexes, dropping) and for waiting; all other calls are `answering`, and shorter
PREFIX = "docs."  # no collection of a client can meet one of somebody else in the same database
HISTORY = "sheaf.history"
MEMORIES = "sheaf.memories"
DEFAULT_DATABASE = "sheaf_api"

# Indexes on two lists are refused by MongoDB, so `allow` stands in one of its own and not before the clients' fields.
# Those that few documents are in are partial; they cost the others nothing.
OF_DOCUMENTS: Final = (
    IndexModel([("allow", 1), ("_id", 1)]),
    IndexModel([("expires_at", 1)], partialFilterExpression={"expires_at": {"$exists": True}}),
    IndexModel([("seals.key", 1)], partialFilterExpression={"seals.key": {"$exists": True}}),
)
OF_HISTORY: Final = (
    IndexModel([("collection", 1), ("id", 1), ("version", -1)]),
    IndexModel([("seals.key", 1)], partialFilterExpression={"seals.key": {"$exists": True}}),
)
OF_MEMORIES: Final = (IndexModel([("until", 1)]),)

NOT_STANDALONE: Final = (
    "MongoDB runs without a replica set: no transactions, no change streams. One node is enough: --replSet."
)
TOO_LARGE: Final = (146, 292, 10334, 16819, 16945, 17217, 17419)  # memory of a sort or a group, a document beyond 16 MB
NOT_ALLOWED: Final = (13, 18, 8000)  # Unauthorized, AuthenticationFailed, AtlasError
PARALLEL: Final = (171,)  # CannotIndexParallelArrays

T = TypeVar("T")


class MongoLink:
    def __init__(self, uri: str) -> None:
        try:
            self.client: pymongo.MongoClient[Raw] = pymongo.MongoClient(
                uri,
                # Given here they win over those of the URI, and hold in transactions too.
                w="majority",
                journal=True,
                readConcernLevel="majority",
                readPreference="primary",
                retryWrites=True,
                retryReads=True,
                appname="sheaf-api",
                connect=False,
                connectTimeoutMS=3000,
                serverSelectionTimeoutMS=3000,
                socketTimeoutMS=int(SOCKET_SECONDS * 1000),
                heartbeatFrequencyMS=2000,  # a new primary is found within one call, not after it
            )
        except (PyMongoError, ValueError, OSError):
            # The message of pymongo may hold the URI and with it the password.
            raise Misconfigured("api.store", "The MongoDB URI cannot be read.", "Check it.") from None
        self.database: Database[Raw] = self.client.get_default_database(DEFAULT_DATABASE, codec_options=CODEC)
        self._prepared: set[str] = set()
        self._lock = threading.Lock()
        try:
            self._check()
        except Misconfigured:
            self.client.close()
            raise

    def _check(self) -> None:
        """A server that cannot be reached may come later, and gets 503 until then; one that will never do is said at once."""
        try:
            with pymongo.timeout(START_SECONDS):
                if self._is_standalone():
                    raise Misconfigured("api.store", NOT_STANDALONE, "Start it with --replSet and initiate the set.")
        except PyMongoError as error:
            if code_of(error) in NOT_ALLOWED:
                cure = "Give the user the role readWrite on the database."
                raise Misconfigured("api.store", "MongoDB refuses the user name or password.", cure) from None

    @property
    def history(self) -> Collection[Raw]:
        return self.database[HISTORY]

    @property
    def memories(self) -> Collection[Raw]:
        return self.database[MEMORIES]

    def documents(self, collection: str) -> Collection[Raw]:
        return self.database[PREFIX + collection]

    def collections(self) -> list[str]:
        names = self.database.list_collection_names(filter={"name": {"$regex": "^docs\\."}})
        return [name.removeprefix(PREFIX) for name in names]

    def prepare(self, *collections: str) -> None:
        """Before the first write of this process: a transaction would make collections without our indexes."""
        wanted = {PREFIX + name: OF_DOCUMENTS for name in collections} | {HISTORY: OF_HISTORY, MEMORIES: OF_MEMORIES}
        if missing := wanted.keys() - self._prepared:
            self.ready()
            for name in missing:
                with refusing():
                    self.database[name].create_indexes(list(wanted[name]))
                with self._lock:
                    self._prepared.add(name)

    def forget(self, collection: str) -> None:
        with self._lock:
            self._prepared.discard(PREFIX + collection)

    def transaction(self, act: Callable[[ClientSession], T]) -> T:
        """act: may run several times, when others write the same; so it must do nothing but write in its session."""
        with answering(), self.client.start_session() as session:
            return session.with_transaction(act)

    def ready(self) -> None:
        with answering():
            if self._is_standalone():
                raise unavailable("store", NOT_STANDALONE)

    def _is_standalone(self) -> bool:
        hello = self.client.admin.command("hello")
        return "setName" not in hello and hello.get("msg") != "isdbgrid"


@contextmanager
def refusing() -> Iterator[None]:
    """What the driver raises becomes a refusal, with its cause. Alone for long work: then only the connection sets limits."""
    try:
        yield
    except PyMongoError as error:
        raise _refusal(error) from error


@contextmanager
def answering() -> Iterator[None]:
    """Almost every call runs within one: retries and all it ends in time."""
    with refusing(), pymongo.timeout(CALL_SECONDS):
        yield


@contextmanager
def searching() -> Iterator[None]:
    """The driver hands the time that is left to the server (maxTimeMS), so that a query does not go on there alone."""
    try:
        with pymongo.timeout(QUERY_SECONDS):
            yield
    except PyMongoError as error:
        code = getattr(error, "code", None)
        # One that the driver raised itself, before it had asked, has no name: then it was the server that was missing.
        if isinstance(error, ExecutionTimeout) and "codeName" in (error.details or {}):
            raise bad_request(
                "query_too_slow", f"The query took longer than {QUERY_SECONDS:g} s. Narrow it."
            ) from error
        if code in TOO_LARGE:
            raise bad_request("query_too_large", "The query needs too much memory. Narrow it.") from error
        raise _refusal(error) from error


def _refusal(error: PyMongoError) -> Refused:
    code, text = code_of(error), str(error)
    if code in PARALLEL or (code == 2 and "parallel arrays" in text):
        message = "A document, or a sort, can have lists on one path of an index only."
        return bad_request("parallel_lists", message)
    return unavailable("store", f"{type(error).__name__} (code {code})")


def code_of(error: PyMongoError) -> Any:
    """Of a bulk write, the code of what went wrong in it."""
    details = getattr(error, "details", None) or {}
    faults = details.get("writeErrors") or [{}]
    return faults[0].get("code") or (error.code if isinstance(error, OperationFailure) else None)
