"""One MongoClient for each process, made at the first use, with the options that our promises need.
Leaves what is asked over it to the repository, and what must stand before the first use to schema."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pymongo
from pymongo import errors
from pymongo.collection import Collection as MongoCollection
from pymongo.database import Database

from idp.base.errors import Misconfigured
from idp.base.secret import Secret
from idp.ports import StoreUnavailable
from idp.storage import forks

Document = dict[str, Any]
DATABASE = "sheaf"  # when the URI names none
OPERATION_SECONDS = 5.0  # finding a server, retries and all
PREPARATION_SECONDS = 300.0  # the first start after an upgrade may build indexes
NOT_ALLOWED = (13, 18, 8000)  # Unauthorized, AuthenticationFailed, AtlasError


class Connection:
    """`with connection.collection(name) as collection`: errors of the driver that leave the block become StoreUnavailable,
    a DuplicateKeyError passes. prepare: runs once in each process, before the first use."""

    def __init__(
        self,
        uri: str,
        operation_seconds: float,
        prepare: Callable[[Database[Document]], None],
    ) -> None:
        self._uri = Secret(uri)  # may hold a password
        self._options: dict[str, Any] = {
            # Given here they win over those of the URI. A write is acknowledged when it survives a fail-over.
            "w": "majority",
            "journal": True,
            "retryWrites": True,
            "retryReads": True,
            "readPreference": "primary",
            "tz_aware": True,
            "appname": "sheaf",
            "connectTimeoutMS": int(operation_seconds * 1000),
            "heartbeatFrequencyMS": 2000,  # a new primary is found within one operation, not after it
            "timeoutMS": int(operation_seconds * 1000),
        }
        self._prepare = prepare
        self._lock = threading.Lock()
        self._client: pymongo.MongoClient[Document] | None = None
        self._database: Database[Document] | None = None
        self._closed = False
        self._make_client().close()  # only checks the URI
        forks.watch(self)

    @contextlib.contextmanager
    def collection(self, name: str) -> Iterator[MongoCollection[Document]]:
        try:
            yield (self._database if self._database is not None else self._connect())[name]
        except errors.DuplicateKeyError:
            raise
        except errors.PyMongoError as error:
            # Its text can be long and name hosts; the cause keeps it for the log.
            raise StoreUnavailable(f"MongoDB: {type(error).__name__} {_code(error)}".rstrip()) from error

    def close(self) -> None:
        with self._lock:
            self._closed, self._database = True, None
            if self._client is not None:
                self._client.close()
                self._client = None

    def after_fork(self) -> None:
        forks.keep_for_good(self._client)
        self._client = self._database = None
        self._lock = threading.Lock()  # another thread of the parent may have held it

    def __del__(self) -> None:
        if getattr(self, "_client", None) is not None:
            self.close()

    def _connect(self) -> Database[Document]:
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the repository is closed")
            if self._database is None:
                if self._client is None:
                    self._client = self._make_client()
                database = self._client.get_default_database(DATABASE)
                try:
                    database.command("ping")  # answers, or not, within the short time
                    with pymongo.timeout(PREPARATION_SECONDS):
                        self._prepare(database)
                except errors.OperationFailure as error:
                    if error.code not in NOT_ALLOWED:
                        raise
                    problem = "MongoDB refuses the user name or password, or the user may not write to this database."
                    raise Misconfigured("store.url", problem, "Give the user the role readWrite on it.") from None
                self._database = database
            return self._database

    def _make_client(self) -> "pymongo.MongoClient[Document]":
        try:
            return pymongo.MongoClient(self._uri.reveal(), connect=False, **self._options)
        except (errors.InvalidURI, errors.ConfigurationError, ValueError, TypeError):
            # Without the driver's words: they can repeat parts of the URI.
            problem, cure = "This is not a MongoDB connection string.", "Use `mongodb://user:password@host/database`."
            raise Misconfigured("store.url", problem, cure) from None
        except OSError as error:
            problem = f"It names the file {error.filename}, which cannot be read ({error.strerror})."
            raise Misconfigured("store.url", problem, "Mend the path of the certificate.") from None


def _code(error: errors.PyMongoError) -> str:
    return f"(code {error.code})" if isinstance(error, errors.OperationFailure) and error.code else ""
