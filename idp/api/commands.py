"""Owns the command set: every operation once, as name, request, response, scope. Transports frame it, app.py runs it.

How foreign bytes become a request is left to wire.py.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from idp.api import acl
from idp.api.update import MAX_INTEGER
from idp.base import claims

COLLECTION: Final = r"[a-z][a-z0-9_-]{0,63}"
QUEUE: Final = r"[a-z0-9]+([._-][a-z0-9]+)*"
MAX_QUEUE_NAME = 100


def _collection_name(value: str) -> str:
    if not re.fullmatch(COLLECTION, value):
        raise ValueError("must be a lower-case letter, then up to 63 of a-z, 0-9, _ and -")
    return value


def _queue_name(value: str) -> str:
    if len(value) > MAX_QUEUE_NAME or not re.fullmatch(QUEUE, value) or value.startswith("amq."):
        raise ValueError(
            f"must be at most {MAX_QUEUE_NAME} of a-z and 0-9, in parts joined by . _ or -, and not begin with amq."
        )
    return value


CollectionName = Annotated[str, AfterValidator(_collection_name)]
QueueName = Annotated[str, AfterValidator(_queue_name)]
Id = Annotated[str, Field(min_length=1, max_length=64)]
Version = Annotated[int, Field(ge=1, le=MAX_INTEGER)]


class Message(BaseModel):
    """Base of requests and responses: no unknown members, no silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


# --- ACLs ----------------------------------------------------------------------------------------------------------


class _Entry(Message):
    kind: acl.Kind
    id: str = Field("", max_length=255)
    effect: acl.Effect = "allow"

    @model_validator(mode="after")
    def _id_fits_kind(self) -> Self:
        if (self.kind == "everyone") != (self.id == ""):
            raise ValueError("`id` names the user, role or client; an entry for everyone has none")
        return self


class DocumentEntry(_Entry):
    rights: list[acl.DocumentRight] = Field(min_length=1, max_length=len(acl.DOCUMENT_RIGHTS))


class QueueEntry(_Entry):
    rights: list[acl.QueueRight] = Field(min_length=1, max_length=len(acl.QUEUE_RIGHTS))


DocumentAcl = Annotated[list[DocumentEntry], Field(max_length=64)]
QueueAcl = Annotated[list[QueueEntry], Field(max_length=64)]


def to_acl(entries: list[DocumentEntry] | list[QueueEntry] | None) -> acl.Acl | None:
    return None if entries is None else acl.from_json([entry.model_dump() for entry in entries])


# --- documents -----------------------------------------------------------------------------------------------------


class InsertDocument(Message):
    """acl left out: the caller gets all rights. acl null: administrators only, and only they may say so."""

    collection: CollectionName
    data: dict[str, Any]
    acl: DocumentAcl | None = None


class GetDocument(Message):
    collection: CollectionName
    id: Id


class QueryDocuments(Message):
    """sort: field to 1 or -1. fields: what to give of each document; none named: everything."""

    collection: CollectionName
    filter: dict[str, Any] = {}
    sort: dict[str, Literal[1, -1]] = {}
    fields: list[str] = Field([], max_length=100)
    limit: int = Field(100, ge=1, le=1000)
    cursor: str | None = Field(None, max_length=1000)


class ReplaceDocument(GetDocument):
    """version: refuse unless the stored version is this one."""

    data: dict[str, Any]
    version: Version | None = None


class UpdateDocument(GetDocument):
    update: dict[str, Any]
    version: Version | None = None


class DeleteDocument(GetDocument):
    version: Version | None = None


class GetAcl(GetDocument): ...


class SetAcl(GetDocument):
    acl: DocumentAcl | None
    version: Version | None = None


class DocumentStamp(Message):
    """What every write answers: the document without its data."""

    id: str
    version: int
    created_at: str
    created_by: str
    updated_at: str
    updated_by: str


class DocumentReply(DocumentStamp):
    data: dict[str, Any]


class DocumentPage(Message):
    """cursor: null on the last page."""

    documents: list[DocumentReply]
    cursor: str | None


class AclReply(Message):
    id: str
    version: int
    acl: list[dict[str, Any]] | None


class Nothing(Message): ...


# --- queues --------------------------------------------------------------------------------------------------------


class NamedQueue(Message):
    name: QueueName


class DeclareQueue(NamedQueue):
    """acl as in InsertDocument. A message that was taken max_deliveries times without an ack becomes a dead letter."""

    acl: QueueAcl | None = None
    max_deliveries: int = Field(5, ge=1, le=100)


class GetQueue(NamedQueue): ...


class PublishMessage(NamedQueue):
    body: Any
    priority: int = Field(4, ge=0, le=9)


class TakeMessage(NamedQueue):
    """lease_seconds: how long the message is the taker's before it returns. dead: take from the dead letters."""

    lease_seconds: int = Field(30, ge=1, le=900)
    dead: bool = False


class AckMessage(NamedQueue):
    receipt: str = Field(min_length=1, max_length=200)


class RejectMessage(AckMessage):
    """requeue true: back to the queue, where others can take it. false: to the dead letters, with the reason."""

    requeue: bool
    reason: str | None = Field(None, min_length=1, max_length=200)

    @model_validator(mode="after")
    def _dead_letters_have_a_reason(self) -> Self:
        if not self.requeue and self.reason is None:
            raise ValueError("`reason` is needed when requeue is false")
        return self


class QueueReply(Message):
    """ready: messages that can be taken now; dead: dead letters. Counts of a broker may lag a moment."""

    name: str
    max_deliveries: int
    ready: int
    dead: int


class Published(Message):
    id: str


class Sender(Message):
    """Who sent it; never the token."""

    subject: str
    client_id: str


class DeadLetter(Message):
    reason: str
    at: str


class Taken(Message):
    """deliveries: 1 the first time. receipt: with it the taker, and nobody else, acks or rejects until leased_until."""

    id: str
    body: Any
    priority: int
    sent_by: Sender
    published_at: str
    deliveries: int
    receipt: str
    leased_until: str
    dead_letter: DeadLetter | None


class TakeReply(Message):
    message: Taken | None


# --- the set -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    request: type[Message]
    response: type[Message]
    scope: str
    summary: str


OPERATIONS: Final = {
    operation.name: operation
    for operation in (
        Operation("documents.insert", InsertDocument, DocumentStamp, claims.DOCUMENTS_WRITE, "Store a new document"),
        Operation("documents.get", GetDocument, DocumentReply, claims.DOCUMENTS_READ, "Read a document"),
        Operation("documents.query", QueryDocuments, DocumentPage, claims.DOCUMENTS_READ, "Find documents"),
        Operation("documents.replace", ReplaceDocument, DocumentStamp, claims.DOCUMENTS_WRITE, "Replace all data"),
        Operation("documents.update", UpdateDocument, DocumentStamp, claims.DOCUMENTS_WRITE, "Change single fields"),
        Operation("documents.delete", DeleteDocument, Nothing, claims.DOCUMENTS_WRITE, "Delete a document"),
        Operation("documents.get_acl", GetAcl, AclReply, claims.DOCUMENTS_READ, "Read who may do what"),
        Operation("documents.set_acl", SetAcl, AclReply, claims.DOCUMENTS_WRITE, "Change who may do what"),
        Operation("queues.declare", DeclareQueue, QueueReply, claims.QUEUES_MANAGE, "Make or change a queue"),
        Operation("queues.get", GetQueue, QueueReply, claims.QUEUES_CONSUME, "Count what is in a queue"),
        Operation("queues.publish", PublishMessage, Published, claims.QUEUES_PUBLISH, "Send a message"),
        Operation("queues.take", TakeMessage, TakeReply, claims.QUEUES_CONSUME, "Take the next message on a lease"),
        Operation("queues.ack", AckMessage, Nothing, claims.QUEUES_CONSUME, "Done with a message"),
        Operation("queues.reject", RejectMessage, Nothing, claims.QUEUES_CONSUME, "Give a message back, or up"),
    )
}
