"""Owns the commands on collections: what is declared of them."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from idp.api.acl import DOCUMENT_RIGHTS, DocumentRight
from idp.api.commands.common import CollectionEntry, CollectionName, DocumentEntry, Effect, Message, Nothing, Operation
from idp.base import claims

MAX_INDEXES = 16
MAX_SEALED = 32


class NamedCollection(Message):
    name: CollectionName


class IndexOf(Message):
    """fields: field to 1 or -1, in this order. unique: no two documents hold the same values."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    fields: dict[str, Literal[1, -1]] = Field(min_length=1, max_length=3)
    unique: bool = False


class Expiry(Message):
    """A document ends `seconds` after the time in `field`: RFC 3339 or seconds since 1970."""

    field: str
    seconds: int = Field(0, ge=0, le=3_155_760_000)


class Declaration(Message):
    """acl: who may insert, and who may change the declaration. A new document without an ACL of its own gets owner_rights for
    whoever inserts it, and default_acl. sealed: fields that are encrypted, or "all"."""

    acl: Annotated[list[CollectionEntry], Field(max_length=64)] | None = None
    default_acl: Annotated[list[DocumentEntry], Field(max_length=63)] = Field([])
    owner_rights: list[DocumentRight] = Field(list(DOCUMENT_RIGHTS), max_length=len(DOCUMENT_RIGHTS))
    indexes: list[IndexOf] = Field([], max_length=MAX_INDEXES)
    expire: Expiry | None = None
    sealed: Literal["all"] | Annotated[list[str], Field(max_length=MAX_SEALED)] = Field([])

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        if len({index.name for index in self.indexes}) != len(self.indexes):
            raise ValueError("two indexes have the same name")
        return self


class DeclareCollection(NamedCollection, Declaration, Effect):
    """Everything that is left out is as if it had never been declared; only the ACL stays as it is. A new collection is its
    maker's."""


class GetCollection(NamedCollection): ...


class ListCollections(Message): ...


class DropCollection(NamedCollection, Effect): ...


class CollectionReply(Message):
    name: str
    acl: list[dict[str, Any]] | None
    default_acl: list[dict[str, Any]]
    owner_rights: list[str]
    indexes: list[IndexOf]
    expire: Expiry | None
    sealed: Literal["all"] | list[str]


class CollectionsReply(Message):
    collections: list[CollectionReply]


MANAGE: Final = claims.DOCUMENTS_MANAGE
OPERATIONS: Final = (
    Operation("collections.declare", DeclareCollection, CollectionReply, MANAGE, "Make or change a collection"),
    Operation("collections.get", GetCollection, CollectionReply, MANAGE, "Read what is declared of a collection"),
    Operation("collections.list", ListCollections, CollectionsReply, MANAGE, "List the collections one may manage"),
    Operation("collections.drop", DropCollection, Nothing, MANAGE, "Delete a collection with everything in it"),
)
