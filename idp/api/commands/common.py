"""Owns what all commands share: names, ACL entries as they are written in a request, and what an operation is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from idp.api import acl
from idp.api.language import MAX_INTEGER

COLLECTION: Final = r"[a-z][a-z0-9_-]{0,63}"
QUEUE: Final = r"[a-z0-9]+([._-][a-z0-9]+)*"
MAX_QUEUE_NAME = 100
IDEMPOTENCY_KEY: Final = r"[\x21-\x7e]{1,200}"


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
IdempotencyKey = Annotated[str, Field(pattern=rf"^{IDEMPOTENCY_KEY}$")]


class Message(BaseModel):
    """Base of requests and responses: no unknown members, no silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Effect(Message):
    """Base of requests that change something. idempotency_key: the same key with the same request of the same caller has
    its effect once, and the same answer, for a day; with another request it is refused."""

    idempotency_key: IdempotencyKey | None = None


class Nothing(Message): ...


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


class CollectionEntry(_Entry):
    rights: list[acl.CollectionRight] = Field(min_length=1, max_length=len(acl.COLLECTION_RIGHTS))


class QueueEntry(_Entry):
    """max_priority: of the messages that this entry lets somebody publish."""

    rights: list[acl.QueueRight] = Field(min_length=1, max_length=len(acl.QUEUE_RIGHTS))
    max_priority: int = Field(acl.HIGHEST, ge=0, le=acl.HIGHEST)

    @model_validator(mode="after")
    def _priority_is_of_publishers(self) -> Self:
        if self.max_priority != acl.HIGHEST and ("publish" not in self.rights or self.effect == "deny"):
            raise ValueError("`max_priority` belongs to an entry that allows to publish")
        return self


DocumentAcl = Annotated[list[DocumentEntry], Field(max_length=64)]
QueueAcl = Annotated[list[QueueEntry], Field(max_length=64)]


def to_acl(entries: Sequence[_Entry] | None) -> acl.Acl | None:
    return None if entries is None else acl.from_json([entry.model_dump() for entry in entries])


# --- operations ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Operation:
    """name: area.verb. The area is the part that runs it (app.py), the verb its method."""

    name: str
    request: type[Message]
    response: type[Message]
    scope: str
    summary: str
