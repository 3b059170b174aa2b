"""Composition root of the companion: settings -> parts -> Flask app. The only file that knows every part.

`create_app` for embedding and tests; `app` is the factory that a WSGI server loads in its worker.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask

from idp.api.brokers.contract import Broker
from idp.api.caller import Caller, TokenJudge
from idp.api.commands import OPERATIONS, Message
from idp.api.document_store.contract import DocumentStore
from idp.api.documents import Documents
from idp.api.issuer import Issuer
from idp.api.queues import Queues
from idp.api.sender import Senders
from idp.api.transports import rest
from idp.api.wire import to_request
from idp.base.clock import Clock, system_clock
from idp.base.config import Settings, load
from idp.base.errors import Misconfigured
from idp.base.log import set_up

Handler = Callable[[Caller, Any], Message]


@dataclass(frozen=True)
class Api:
    """What every transport needs: who is calling, and running an operation for them."""

    issuer: str
    audience: str
    judge: TokenJudge
    store: DocumentStore
    broker: Broker
    handlers: Mapping[str, Handler]

    def run(self, name: str, caller: Caller, members: Callable[[], Mapping[str, Any]]) -> Message:
        """Scope first, then the request is read, then the operation with its own rights. Raises Refused."""
        operation = OPERATIONS[name]
        caller.require_scope(operation.scope)
        return self.handlers[name](caller, to_request(operation, members()))

    def ready(self) -> None:
        """Raises Refused 503 that names the part which does not answer."""
        self.store.ready()
        self.broker.ready()

    def close(self) -> None:
        self.broker.close()
        self.store.close()


def open_api(settings: Settings, clock: Clock = system_clock) -> Api:
    """Raises Misconfigured. Connects to nothing but files yet."""
    issuer = Issuer.from_settings(settings, clock)
    judge = TokenJudge(issuer, settings.api.audience, clock, Senders(settings, clock))
    store = _open_store(settings)
    broker = _open_broker(settings, clock)
    return Api(issuer.url, settings.api.audience, judge, store, broker, _handlers(store, broker, clock))


def create_app(settings: Settings, clock: Clock = system_clock) -> Flask:
    """The Flask app; `app.extensions["sheaf"]` is its Api, to be closed by whoever made it."""
    return rest.create(open_api(settings, clock))


def app() -> Flask:
    """For a WSGI server with a factory option. Settings come from IDP_CONFIG and IDP_SECTION__KEY."""
    settings = load(os.environ.get("IDP_CONFIG"))
    set_up(settings.log.level)
    return create_app(settings)


def _handlers(store: DocumentStore, broker: Broker, clock: Clock) -> Mapping[str, Handler]:
    """`documents.insert` is the method `insert` of Documents, and so on for every operation."""
    parts: Mapping[str, object] = {"documents": Documents(store, clock), "queues": Queues(store, broker, clock)}
    return {name: getattr(parts[name.partition(".")[0]], name.partition(".")[2]) for name in OPERATIONS}


def _open_store(settings: Settings) -> DocumentStore:
    url = settings.api.store
    if url.startswith(("mongodb://", "mongodb+srv://")):
        from idp.api.document_store.mongo import MongoDocumentStore  # heavy; only where it is used

        return MongoDocumentStore(url)
    from idp.api.document_store.sqlite import SqliteDocumentStore

    if url == "sqlite":
        return SqliteDocumentStore(_folder(settings) / "documents.db")
    if url.startswith("sqlite:/"):
        return SqliteDocumentStore(Path("/" + url.removeprefix("sqlite:").lstrip("/")))
    raise Misconfigured("api.store", "The kind of store is not known.", "Use sqlite, sqlite:/path.db or mongodb://….")


def _open_broker(settings: Settings, clock: Clock) -> Broker:
    url = settings.api.broker
    if url.startswith(("amqp://", "amqps://")):
        from idp.api.brokers.rabbitmq import RabbitBroker  # heavy; only where it is used

        return RabbitBroker(url, clock)
    from idp.api.brokers.embedded import EmbeddedBroker

    if url == "embedded":
        return EmbeddedBroker(_folder(settings) / "queues.db", clock)
    raise Misconfigured("api.broker", "The kind of broker is not known.", "Use embedded, amqp://… or amqps://….")


def _folder(settings: Settings) -> Path:
    for folder in (settings.data_dir, settings.data_dir / "api"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return settings.data_dir / "api"
