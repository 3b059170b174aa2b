"""Owns the commands that go on: one request, then events until somebody ends it. Only transports with streams take them."""

from typing import Final, Literal

from pydantic import Field

from idp.api.commands.common import Message, Operation
from idp.api.commands.documents import DocumentReply, FilteredDocuments
from idp.api.commands.queues import NamedQueue, Taken
from idp.base import claims


class WatchDocuments(FilteredDocuments):
    """after: the `token` of an event: what came behind it is given first. Left out: what comes from now on."""

    after: str | None = Field(None, max_length=4000)


class Change(Message):
    """One change of one document. document: as it stands when the event is sent, null when it was deleted. action `alive`
    tells nothing but a token from which to go on."""

    token: str
    action: Literal["alive", "insert", "replace", "update", "acl", "delete", "restore"]
    id: str | None = None
    version: int | None = None
    at: str | None = None
    by: str | None = None
    document: DocumentReply | None = None


class ConsumeQueue(NamedQueue):
    """prefetch: so many messages at most are in the consumer's hands through this stream, neither acked nor rejected."""

    lease_seconds: int = Field(30, ge=1, le=900)
    prefetch: int = Field(10, ge=1, le=100)


STREAMS: Final = {
    operation.name: operation
    for operation in (
        Operation(
            "documents.watch", WatchDocuments, Change, claims.DOCUMENTS_READ, "Follow the changes of a collection"
        ),
        Operation("queues.consume", ConsumeQueue, Taken, claims.QUEUES_CONSUME, "Be given messages as they come"),
    )
}
