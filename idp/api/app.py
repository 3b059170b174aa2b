"""Composition root of the companion: settings -> parts -> Flask app. The only file that knows every part.

`create_app` for embedding and tests; `app` is the factory that a WSGI server loads in its worker.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from idp.api.audit import Audit
from idp.api.brokers.contract import Broker
from idp.api.caller import TokenJudge
from idp.api.commands import OPERATIONS
from idp.api.counters.contract import Counters
from idp.api.dispatch.contract import Courier
from idp.api.dispatch.dispatch import Dispatch
from idp.api.dispatch.priority import principals
from idp.api.document_store.contract import DocumentStore
from idp.api.documents.collections import Collections
from idp.api.documents.drafts import Drafts
from idp.api.documents.keyring import Keyring, open_keyring
from idp.api.documents.reading import Reading
from idp.api.documents.reseal import Keys
from idp.api.documents.sealing import Sealer
from idp.api.documents.versions import Versions
from idp.api.documents.writing import Writing
from idp.api.files.contract import FileStore
from idp.api.files.files import Files
from idp.api.gate import Api, Handler
from idp.api.issuer import Issuer
from idp.api.limits import Limits
from idp.api.once import Once
from idp.api.queues.chains import Chains
from idp.api.queues.copies import Copies
from idp.api.queues.declarations import Declarations
from idp.api.queues.exchanges import Exchanges
from idp.api.queues.handover import Handover
from idp.api.queues.listing import Listing
from idp.api.queues.managing import Managing
from idp.api.queues.queues import Keeping, Queues
from idp.api.queues.replies import Replies
from idp.api.queues.standing import Standing
from idp.api.queues.waiting import WaitingRoom
from idp.api.queues.work_items import WorkItems
from idp.api.roles import Roles
from idp.api.sender import Senders
from idp.api.store_key import StoreKey
from idp.api.upkeep import Upkeep
from idp.api.watch.changes import Changes
from idp.base.clock import Clock, system_clock
from idp.base.config import Settings, load
from idp.base.errors import Misconfigured
from idp.base.log import set_up

if TYPE_CHECKING:
    from flask import Flask


def open_api(settings: Settings, clock: Clock = system_clock) -> Api:
    """Raises Misconfigured. Connects to nothing but files yet."""
    issuer = Issuer.from_settings(settings, clock)
    counters = _open_counters(settings)
    judge = TokenJudge(issuer, settings.api.audience, clock, Senders(settings, clock, counters))
    store = _open_store(settings)
    broker = _open_broker(settings, clock)
    keyring = open_keyring(settings, clock)
    sealer = Sealer(keyring)
    once = Once(store, clock)
    roles = Roles(store, once, clock)
    collections = Collections(store, once, clock, settings.api.collection_makers)
    versions = Versions(store, clock, collections, sealer)
    drafts = Drafts(store, collections, versions, sealer)
    writing = Writing(once, drafts)
    key = StoreKey(store, clock)
    audit = Audit(store, clock, key)
    reading = Reading(store, clock, collections, sealer, key)
    files = Files(
        _open_files(settings), store, once, collections, drafts, reading, writing, clock, settings.api.file_max_bytes
    )
    parts = {
        "audit": (audit,),
        "documents": (reading, versions, writing),
        "collections": (collections,),
        "roles": (roles,),
        "keys": (Keys(store, sealer),),
        "files": (files,),
        **_queue_parts(settings, store, broker, once, roles, Handover(judge, keyring), clock),
    }
    limits = Limits.from_settings(counters, clock, settings)
    hops, audience = settings.server.trusted_proxies, settings.api.audience
    return Api(
        issuer.url, audience, settings.api_url, judge, store, broker, roles, limits, audit, _handlers(parts), hops,
        changes=Changes(store, clock, reading, roles, key), wakes=_method(parts["queues"], "wakes"), files=files,
        transports=_transports(settings), dispatch=_open_dispatch(settings, keyring, clock),
        urgent=principals(settings.api.high_priority),
    )  # fmt: skip


def create_app(settings: Settings, clock: Clock = system_clock) -> "Flask":
    """The Flask app; `app.extensions["sheaf"]` is its Api, to be closed by whoever made it."""
    from idp.api.transports import rest  # with Flask, which the process for streams never needs

    api = open_api(settings, clock)
    api.start()
    made = rest.create(api, settings.api.origins, here=not (api.dispatch or _on_mongodb(settings)))
    if api.dispatch:  # a request does little here but wait
        made.extensions["sheaf_waits"] = lambda path: True
    return made


def app() -> "Flask":
    """For a WSGI server with a factory option. Settings come from IDP_CONFIG and IDP_SECTION__KEY."""
    settings = load(os.environ.get("IDP_CONFIG"))
    set_up(settings.log.level)
    made = create_app(settings)
    api: Api = made.extensions["sheaf"]
    Upkeep((api.store.sweep, api.files.sweep), system_clock).start()
    return made


def _transports(settings: Settings) -> dict[str, str]:
    """Where clients find the other transports. A Unix socket concerns its machine only."""
    streams = settings.streams_url
    found = {"rest": settings.api_url}
    if streams:
        found["websocket"] = f"ws{streams.removeprefix('http')}/frames"
        found["server_sent_events"] = f"{streams}/commands/documents.watch"
    for name, port in (("tcp", settings.api.tcp_port), ("grpc", settings.api.grpc_port)):
        if port:
            found[name] = f"{urlsplit(streams or settings.api_url).hostname}:{port}"
    return found


def _queue_parts(
    settings: Settings,
    store: DocumentStore,
    broker: Broker,
    once: Once,
    roles: Roles,
    handover: Handover,
    clock: Clock,
) -> Mapping[str, Sequence[object]]:
    declarations, standing = Declarations(store, clock), Standing(roles)
    chains = Chains(declarations, standing)
    work_items = WorkItems(store, declarations, chains, once, clock)
    room = WaitingRoom(max(1, settings.api.threads // 2))
    keeping = Keeping(Replies(store, room, clock), Copies(store, clock), handover)
    managing = Managing(declarations, broker, work_items, chains, once)
    return {
        "queues": (Queues(declarations, broker, once, keeping, room, clock), managing, Listing(store, clock)),
        "exchanges": (Exchanges(declarations, standing, broker, once, clock),),
        "work_items": (work_items,),
    }


def _handlers(parts: Mapping[str, Sequence[object]]) -> Mapping[str, Handler]:
    """`documents.insert` is the method `insert` of one of the parts of documents, and so on for every operation."""
    found = {}
    for name in OPERATIONS:
        area, _, verb = name.partition(".")
        found[name] = _method(parts[area], verb)
    return found


def _method(parts: Sequence[object], name: str) -> Any:
    return next(getattr(part, name) for part in parts if hasattr(part, name))


def _on_mongodb(settings: Settings) -> bool:
    return settings.api.store.startswith(("mongodb://", "mongodb+srv://"))


def _open_counters(settings: Settings) -> Counters:
    if _on_mongodb(settings):
        from idp.api.counters.mongo import MongoCounters  # heavy; only where it is used

        return MongoCounters(settings.api.store)
    from idp.api.counters.sqlite import SqliteCounters

    return SqliteCounters(_folder(settings) / "limits.db")


def _open_store(settings: Settings) -> DocumentStore:
    url = settings.api.store
    if _on_mongodb(settings):
        from idp.api.document_store.mongo import MongoDocumentStore  # heavy; only where it is used

        return MongoDocumentStore(url)
    from idp.api.document_store.sqlite import SqliteDocumentStore

    if url == "sqlite":
        return SqliteDocumentStore(_folder(settings) / "documents.db")
    if url.startswith("sqlite:/"):
        return SqliteDocumentStore(Path("/" + url.removeprefix("sqlite:").lstrip("/")))
    raise Misconfigured("api.store", "The kind of store is not known.", "Use sqlite, sqlite:/path.db or mongodb://….")


def _open_files(settings: Settings) -> FileStore:
    if _on_mongodb(settings):
        from idp.api.document_store.mongo_link import MongoLink  # heavy; only where it is used
        from idp.api.files.mongo import MongoFileStore

        return MongoFileStore(MongoLink(settings.api.store))
    from idp.api.files.sqlite import SqliteFileStore

    return SqliteFileStore(_folder(settings) / "files.db")


def _open_broker(settings: Settings, clock: Clock) -> Broker:
    url = settings.api.broker
    if url.startswith(("amqp://", "amqps://")):
        from idp.api.brokers.rabbitmq import RabbitBroker  # heavy; only where it is used

        return RabbitBroker(url, clock)
    from idp.api.brokers.embedded import EmbeddedBroker

    if url == "embedded":
        return EmbeddedBroker(_folder(settings) / "queues.db", clock)
    raise Misconfigured("api.broker", "The kind of broker is not known.", "Use embedded, amqp://… or amqps://….")


def _open_dispatch(settings: Settings, keyring: Keyring, clock: Clock) -> Dispatch | None:
    if settings.api.dispatch == "direct":
        return None
    courier: Courier
    if settings.api.broker.startswith(("amqp://", "amqps://")):
        from idp.api.brokers.rabbitmq_courier import RabbitCourier  # heavy; only where it is used

        courier = RabbitCourier(settings.api.broker)
    else:
        from idp.api.dispatch.embedded import EmbeddedCourier

        courier = EmbeddedCourier(_folder(settings) / "dispatch.db", clock)
    return Dispatch(courier, keyring, clock, settings.api.threads)


def _folder(settings: Settings) -> Path:
    for folder in (settings.data_dir, settings.data_dir / "api"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return settings.data_dir / "api"
