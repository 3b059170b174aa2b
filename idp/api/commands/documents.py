"""Owns the commands on documents."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from idp.api.commands.common import CollectionName, DocumentAcl, Effect, Id, Message, Nothing, Operation, Version
from idp.base import claims

MAX_CHANGES = 500
MAX_COUNT = 1_000_000
MAX_VALUES = 1000


class InCollection(Message):
    collection: CollectionName


class NewDocument(Message):
    """acl left out: what the collection declares; without a declaration the caller gets all rights. acl null: administrators
    only, and only they may say so."""

    data: dict[str, Any]
    acl: DocumentAcl | None = None


class InsertDocument(InCollection, NewDocument, Effect): ...


class InsertDocuments(InCollection, Effect):
    """All of them or none."""

    documents: list[NewDocument] = Field(min_length=1, max_length=MAX_CHANGES)


class GetDocument(InCollection):
    id: Id


class FilteredDocuments(InCollection):
    filter: dict[str, Any] = Field(default_factory=dict)


class QueryDocuments(FilteredDocuments):
    """sort: field to 1 or -1. fields: what to give of each document; none named: everything."""

    sort: dict[str, Literal[1, -1]] = Field(default_factory=dict)
    fields: list[str] = Field(default_factory=list, max_length=100)
    limit: int = Field(100, ge=1, le=1000)
    cursor: str | None = Field(None, max_length=1000)


class CountDocuments(FilteredDocuments):
    """at_most: count no further."""

    at_most: int = Field(100_000, ge=1, le=MAX_COUNT)


class DistinctValues(FilteredDocuments):
    field: str


class AggregateDocuments(InCollection):
    pipeline: list[dict[str, Any]]


class ReplaceDocument(GetDocument, Effect):
    """version: refuse unless the stored version is this one."""

    data: dict[str, Any]
    version: Version | None = None


class UpdateDocument(GetDocument, Effect):
    update: dict[str, Any]
    version: Version | None = None


class DeleteDocument(GetDocument, Effect):
    version: Version | None = None


class UpsertDocument(InCollection, Effect):
    """match: a value for each field of one unique index. The document that holds them gets `data` or `update`; when there is
    none, one is made of them with `acl` as in InsertDocument."""

    match: dict[str, str | int | float | bool] = Field(min_length=1, max_length=3)
    data: dict[str, Any] | None = None
    update: dict[str, Any] | None = None
    acl: DocumentAcl | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.data is None) == (self.update is None):
            raise ValueError("give either `data` or `update`")
        return self


class ReplaceIn(Message):
    id: Id
    data: dict[str, Any]
    version: Version | None = None


class UpdateIn(Message):
    id: Id
    update: dict[str, Any]
    version: Version | None = None


class DeleteIn(Message):
    id: Id
    version: Version | None = None


class BulkChange(Message):
    """One change of a bulk: exactly one of these."""

    insert: NewDocument | None = None
    replace: ReplaceIn | None = None
    update: UpdateIn | None = None
    delete: DeleteIn | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if len(self.model_fields_set) != 1 or self.asked is None:
            raise ValueError("a change is one of insert, replace, update, delete")
        return self

    @property
    def right(self) -> str:
        return "insert" if self.insert else "delete" if self.delete else "update"

    @property
    def asked(self) -> NewDocument | ReplaceIn | UpdateIn | DeleteIn | None:
        return self.insert or self.replace or self.update or self.delete


class Bulk(InCollection, Effect):
    """All changes or none, each document at most once."""

    changes: list[BulkChange] = Field(min_length=1, max_length=MAX_CHANGES)


class GetAcl(GetDocument): ...


class SetAcl(GetDocument, Effect):
    acl: DocumentAcl | None
    version: Version | None = None


class GetHistory(GetDocument):
    """Newest first, only versions below `before`."""

    before: Version | None = None
    limit: int = Field(100, ge=1, le=1000)


def _number(value: object) -> object:
    """From a path it comes as text."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19 else value


Number = Annotated[Version, BeforeValidator(_number)]


class GetVersion(GetDocument):
    number: Number


class RestoreVersion(GetVersion, Effect):
    """The data as they were in version `number` become a new version; the ACL stays. A deleted document comes back with the ACL
    it had."""

    version: Version | None = None


class DocumentStamp(Message):
    """What every write answers: the document without its data."""

    id: str
    version: int
    created_at: str
    created_by: str
    updated_at: str
    updated_by: str


class Upserted(DocumentStamp):
    created: bool


class DocumentReply(DocumentStamp):
    data: dict[str, Any]


class DocumentPage(Message):
    """cursor: null on the last page."""

    documents: list[DocumentReply]
    cursor: str | None


class Stamps(Message):
    documents: list[DocumentStamp]


class BulkReply(Message):
    """In the order of the changes; null for what was deleted."""

    results: list[DocumentStamp | None]


class CountReply(Message):
    """more: there are more than `at_most`."""

    count: int
    more: bool


class ValuesReply(Message):
    values: list[Any]


class ResultsReply(Message):
    results: list[dict[str, Any]]


class AclReply(Message):
    id: str
    version: int
    acl: list[dict[str, Any]] | None


class VersionStamp(Message):
    version: int
    action: str
    at: str
    by: str


class VersionReply(VersionStamp):
    data: dict[str, Any]


class HistoryReply(Message):
    """before: give it for the next page; null on the last one."""

    versions: list[VersionStamp]
    before: int | None


READ, WRITE = claims.DOCUMENTS_READ, claims.DOCUMENTS_WRITE
OPERATIONS: Final = (
    Operation("documents.insert", InsertDocument, DocumentStamp, WRITE, "Store a new document"),
    Operation("documents.insert_many", InsertDocuments, Stamps, WRITE, "Store new documents, all or none"),
    Operation("documents.get", GetDocument, DocumentReply, READ, "Read a document"),
    Operation("documents.query", QueryDocuments, DocumentPage, READ, "Find documents"),
    Operation("documents.count", CountDocuments, CountReply, READ, "Count documents"),
    Operation("documents.distinct", DistinctValues, ValuesReply, READ, "The different values of a field"),
    Operation("documents.aggregate", AggregateDocuments, ResultsReply, READ, "Group and compute"),
    Operation("documents.replace", ReplaceDocument, DocumentStamp, WRITE, "Replace all data"),
    Operation("documents.update", UpdateDocument, DocumentStamp, WRITE, "Change single fields"),
    Operation("documents.upsert", UpsertDocument, Upserted, WRITE, "Change the document with these values, or make it"),
    Operation("documents.delete", DeleteDocument, Nothing, WRITE, "Delete a document"),
    Operation("documents.bulk", Bulk, BulkReply, WRITE, "Many changes, all or none"),
    Operation("documents.get_acl", GetAcl, AclReply, READ, "Read who may do what"),
    Operation("documents.set_acl", SetAcl, AclReply, WRITE, "Change who may do what"),
    Operation("documents.history", GetHistory, HistoryReply, READ, "List the versions of a document"),
    Operation("documents.get_version", GetVersion, VersionReply, READ, "Read a document as it was"),
    Operation("documents.restore", RestoreVersion, DocumentStamp, WRITE, "Make an old version the present one"),
)
