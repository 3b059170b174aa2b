"""Owns the table of REST: method and path of every operation. Serving them is left to rest.py."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    operation: str
    status: int = 200

    @property
    def has_body(self) -> bool:
        return self.method in ("POST", "PUT", "PATCH")


DOCUMENT = "/documents/<collection>/<id>"
COLLECTION = "/collections/<name>"
FILE = "/files/<collection>/<id>"
ROLE = "/roles/<name>"
QUEUE = "/queues/<name>"
ITEM = QUEUE + "/items/<id>"
EXCHANGE = "/exchanges/<name>"
ROUTES: Final = (
    Route("POST", "/documents/<collection>", "documents.insert", 201),
    Route("POST", "/documents/<collection>/many", "documents.insert_many", 201),
    Route("POST", "/documents/<collection>/bulk", "documents.bulk"),
    Route("POST", "/documents/<collection>/upsert", "documents.upsert"),
    Route("POST", "/documents/<collection>/query", "documents.query"),
    Route("POST", "/documents/<collection>/count", "documents.count"),
    Route("POST", "/documents/<collection>/distinct", "documents.distinct"),
    Route("POST", "/documents/<collection>/aggregate", "documents.aggregate"),
    Route("GET", DOCUMENT, "documents.get"),
    Route("PUT", DOCUMENT, "documents.replace"),
    Route("PATCH", DOCUMENT, "documents.update"),
    Route("DELETE", DOCUMENT, "documents.delete", 204),
    Route("GET", DOCUMENT + "/acl", "documents.get_acl"),
    Route("PUT", DOCUMENT + "/acl", "documents.set_acl"),
    Route("POST", DOCUMENT + "/history", "documents.history"),
    Route("GET", DOCUMENT + "/versions/<number>", "documents.get_version"),
    Route("POST", DOCUMENT + "/versions/<number>/restore", "documents.restore"),
    Route("GET", "/collections", "collections.list"),
    Route("PUT", COLLECTION, "collections.declare"),
    Route("GET", COLLECTION, "collections.get"),
    Route("DELETE", COLLECTION, "collections.drop", 204),
    Route("POST", "/files/<collection>/query", "files.query"),
    Route("GET", FILE + "/about", "files.get"),
    Route("DELETE", FILE, "files.delete", 204),
    Route("GET", FILE + "/acl", "files.get_acl"),
    Route("PUT", FILE + "/acl", "files.set_acl"),
    Route("GET", "/keys", "keys.report"),
    Route("POST", "/keys/reseal", "keys.reseal"),
    Route("GET", "/roles", "roles.list"),
    Route("PUT", ROLE, "roles.set"),
    Route("GET", ROLE, "roles.get"),
    Route("DELETE", ROLE, "roles.delete", 204),
    Route("PUT", QUEUE, "queues.declare"),
    Route("GET", QUEUE, "queues.get"),
    Route("POST", "/queues/list", "queues.list"),
    Route("DELETE", QUEUE, "queues.delete", 204),
    Route("POST", QUEUE + "/messages", "queues.publish", 201),
    Route("POST", QUEUE + "/take", "queues.take"),
    Route("POST", QUEUE + "/inspect", "queues.inspect"),
    Route("POST", QUEUE + "/purge", "queues.purge"),
    Route("POST", QUEUE + "/redrive", "queues.redrive"),
    Route("POST", QUEUE + "/messages/<receipt>/renew", "queues.renew"),
    Route("POST", QUEUE + "/messages/<receipt>/ack", "queues.ack", 204),
    Route("POST", QUEUE + "/messages/<receipt>/reject", "queues.reject", 204),
    Route("POST", QUEUE + "/messages/<receipt>/reply", "queues.reply", 204),
    Route("POST", QUEUE + "/replies/<id>", "queues.fetch_reply"),
    Route("POST", "/audit/query", "audit.query"),
    Route("PUT", EXCHANGE, "exchanges.declare"),
    Route("GET", EXCHANGE, "exchanges.get"),
    Route("DELETE", EXCHANGE, "exchanges.delete", 204),
    Route("POST", EXCHANGE + "/bind", "exchanges.bind"),
    Route("POST", EXCHANGE + "/unbind", "exchanges.unbind"),
    Route("POST", EXCHANGE + "/messages", "exchanges.publish", 201),
    Route("POST", QUEUE + "/items", "work_items.add", 201),
    Route("POST", QUEUE + "/items/take", "work_items.take"),
    Route("POST", QUEUE + "/items/query", "work_items.query"),
    Route("POST", QUEUE + "/items/count", "work_items.count"),
    Route("POST", QUEUE + "/items/purge", "work_items.purge"),
    Route("GET", ITEM, "work_items.get"),
    Route("PATCH", ITEM, "work_items.update"),
    Route("DELETE", ITEM, "work_items.delete", 204),
    Route("POST", ITEM + "/renew", "work_items.renew"),
    Route("POST", ITEM + "/complete", "work_items.complete"),
    Route("POST", ITEM + "/fail", "work_items.fail"),
    Route("POST", ITEM + "/retry", "work_items.retry"),
)
# Their bodies, or answers, are the bytes of a file (rest_files.py).
STREAMED: Final = (
    Route("POST", "/files/<collection>", "files.upload", 201),
    Route("PUT", FILE, "files.replace"),
    Route("GET", FILE, "files.download"),
)
BODY_OPTIONAL: Final = (
    "files.query",
    "keys.reseal",
    "audit.query",
    "documents.query",
    "documents.count",
    "documents.history",
    "documents.restore",
    "collections.declare",
    "queues.declare",
    "queues.list",
    "queues.take",
    "queues.ack",
    "queues.renew",
    "queues.inspect",
    "queues.purge",
    "queues.redrive",
    "queues.fetch_reply",
    "exchanges.declare",
    "work_items.take",
    "work_items.query",
    "work_items.count",
    "work_items.purge",
    "work_items.retry",
)
VERSIONED: Final = (
    "files.delete",
    "files.set_acl",
    "documents.replace",
    "documents.update",
    "documents.delete",
    "documents.set_acl",
    "documents.restore",
)
