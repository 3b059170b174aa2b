"""Every operation of the companion as a typed method. Written by scripts/make_client.py; do not edit."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Literal, NotRequired, TypedDict, cast

from sheaf_client.unset import UNSET, Unset

Call = Callable[[str, Mapping[str, Any]], Any]
AsyncCall = Callable[[str, Mapping[str, Any]], Awaitable[Any]]


class FileOfItem(TypedDict):
    """A file of the companion. Whoever reads it needs the right on the file itself."""

    collection: str
    id: str


class DocumentEntry(TypedDict):
    kind: Literal['user', 'role', 'client', 'everyone']
    id: NotRequired[str]
    effect: NotRequired[Literal['allow', 'deny']]
    rights: list[Literal['read', 'update', 'delete', 'share', 'unseal']]


class NewDocument(TypedDict):
    """acl left out: what the collection declares; without a declaration the caller gets all rights. acl null: administrators only, and only they may say so."""

    data: dict[str, Any]
    acl: NotRequired[list[DocumentEntry] | None]


class ReplaceIn(TypedDict):
    id: str
    data: dict[str, Any]
    version: NotRequired[int | None]


class UpdateIn(TypedDict):
    id: str
    update: dict[str, Any]
    version: NotRequired[int | None]


class DeleteIn(TypedDict):
    id: str
    version: NotRequired[int | None]


class BulkChange(TypedDict):
    """One change of a bulk: exactly one of these."""

    insert: NotRequired[NewDocument | None]
    replace: NotRequired[ReplaceIn | None]
    update: NotRequired[UpdateIn | None]
    delete: NotRequired[DeleteIn | None]


class CollectionEntry(TypedDict):
    kind: Literal['user', 'role', 'client', 'everyone']
    id: NotRequired[str]
    effect: NotRequired[Literal['allow', 'deny']]
    rights: list[Literal['insert', 'manage']]


class IndexOf(TypedDict):
    """fields: field to 1 or -1, in this order. unique: no two documents hold the same values."""

    name: str
    fields: dict[str, Literal[1, -1]]
    unique: NotRequired[bool]


class Expiry(TypedDict):
    """A document ends `seconds` after the time in `field`: RFC 3339 or seconds since 1970."""

    field: str
    seconds: NotRequired[int]


class QueueEntry(TypedDict):
    """max_priority: of the messages that this entry lets somebody publish."""

    kind: Literal['user', 'role', 'client', 'everyone']
    id: NotRequired[str]
    effect: NotRequired[Literal['allow', 'deny']]
    rights: list[Literal['publish', 'consume', 'manage']]
    max_priority: NotRequired[int]


class Member(TypedDict):
    kind: Literal['user', 'client', 'role']
    id: str


class DocumentStamp(TypedDict):
    """What every write answers: the document without its data."""

    id: str
    version: int
    created_at: str
    created_by: str
    updated_at: str
    updated_by: str


class Stamps(TypedDict):
    documents: list[DocumentStamp]


class DocumentReply(TypedDict):
    id: str
    version: int
    created_at: str
    created_by: str
    updated_at: str
    updated_by: str
    data: dict[str, Any]


class DocumentPage(TypedDict):
    """cursor: null on the last page."""

    documents: list[DocumentReply]
    cursor: str | None


class CountReply(TypedDict):
    """more: there are more than `at_most`."""

    count: int
    more: bool


class ValuesReply(TypedDict):
    values: list[Any]


class ResultsReply(TypedDict):
    results: list[dict[str, Any]]


class Upserted(TypedDict):
    id: str
    version: int
    created_at: str
    created_by: str
    updated_at: str
    updated_by: str
    created: bool


class BulkReply(TypedDict):
    """In the order of the changes; null for what was deleted."""

    results: list[DocumentStamp | None]


class AclReply(TypedDict):
    id: str
    version: int
    acl: list[dict[str, Any]] | None


class VersionStamp(TypedDict):
    version: int
    action: str
    at: str
    by: str


class HistoryReply(TypedDict):
    """before: give it for the next page; null on the last one."""

    versions: list[VersionStamp]
    before: int | None


class VersionReply(TypedDict):
    version: int
    action: str
    at: str
    by: str
    data: dict[str, Any]


class CollectionReply(TypedDict):
    name: str
    acl: list[dict[str, Any]] | None
    default_acl: list[dict[str, Any]]
    owner_rights: list[str]
    indexes: list[IndexOf]
    expire: Expiry | None
    sealed: Literal['all'] | list[str]


class CollectionsReply(TypedDict):
    collections: list[CollectionReply]


class RoleReply(TypedDict):
    name: str
    members: list[Member]


class RolesReply(TypedDict):
    roles: list[RoleReply]


class Declared(TypedDict):
    max_deliveries: NotRequired[int]
    retry_seconds: NotRequired[int]
    retry_max_seconds: NotRequired[int]
    expires_seconds: NotRequired[int | None]
    on_success: NotRequired[str | None]
    on_failure: NotRequired[str | None]
    keep_seconds: NotRequired[int]
    name: str
    kind: Literal['messages', 'work_items', 'exchange']


class QueueReply(TypedDict):
    """ready: can be taken now. delayed: not before a later time. taken: somebody holds it. dead: dead letters. Counts of a broker may lag a moment; of a queue of work items they are null, see work_items.count."""

    max_deliveries: NotRequired[int]
    retry_seconds: NotRequired[int]
    retry_max_seconds: NotRequired[int]
    expires_seconds: NotRequired[int | None]
    on_success: NotRequired[str | None]
    on_failure: NotRequired[str | None]
    keep_seconds: NotRequired[int]
    name: str
    kind: Literal['messages', 'work_items', 'exchange']
    ready: int | None
    delayed: int | None
    taken: int | None
    dead: int | None


class Listed(TypedDict):
    """rights: the caller's."""

    name: str
    kind: Literal['messages', 'work_items', 'exchange']
    rights: list[Literal['publish', 'consume', 'manage']]


class QueueList(TypedDict):
    """after: for the next page; null on the last one."""

    queues: list[Listed]
    after: str | None


class Published(TypedDict):
    id: str


class Sender(TypedDict):
    """Who sent it; never the token."""

    subject: str
    client_id: str


class DeadLetter(TypedDict):
    reason: str
    at: str


class Taken(TypedDict):
    """deliveries: 1 the first time. receipt: with it the taker, and nobody else, settles it until leased_until. token: what the sender handed over."""

    id: str
    body: Any
    priority: int
    sent_by: Sender
    published_at: str
    deliveries: int
    not_before: str | None
    expires_at: str | None
    exchange: str | None
    topic: str | None
    wants_reply: bool
    dead_letter: DeadLetter | None
    receipt: str
    leased_until: str
    token: str | None


class TakeReply(TypedDict):
    message: Taken | None


class Renewed(TypedDict):
    leased_until: str


class Reply(TypedDict):
    body: Any
    sent_by: Sender
    at: str


class FetchedReply(TypedDict):
    """reply: null as long as there is none."""

    reply: Reply | None


class Seen(TypedDict):
    """A message as whoever manages the queue sees it. exchange, topic: how it came here. wants_reply: its sender waits."""

    id: str
    body: Any
    priority: int
    sent_by: Sender
    published_at: str
    deliveries: int
    not_before: str | None
    expires_at: str | None
    exchange: str | None
    topic: str | None
    wants_reply: bool
    dead_letter: DeadLetter | None


class Inspected(TypedDict):
    messages: list[Seen]


class Moved(TypedDict):
    """How many messages were deleted or redriven."""

    count: int


class Binding(TypedDict):
    """active: whoever bound it may still consume here and manage the queue. If not, nothing is delivered."""

    queue: str
    pattern: str
    active: bool


class ExchangeReply(TypedDict):
    """bindings: those of queues that the caller may manage; all of them for those who may manage the exchange."""

    name: str
    bindings: list[Binding]


class Routed(TypedDict):
    """routed: at least one queue was reached."""

    id: str
    routed: bool


class Elsewhere(TypedDict):
    """An item in another queue. id null: it could not be put there, because `problem`."""

    queue: str
    id: str | None
    problem: NotRequired[str | None]


class ItemStamp(TypedDict):
    """due_at: when it becomes ready (delayed), or returns (taken). followed_by: where the queue sent it on to."""

    id: str
    state: Literal['ready', 'delayed', 'taken', 'completed', 'failed']
    due_at: str | None
    followed_by: Elsewhere | None


class Failure(TypedDict):
    reason: str
    at: str


class TakenItem(TypedDict):
    id: str
    state: Literal['ready', 'delayed', 'taken', 'completed', 'failed']
    due_at: str | None
    followed_by: Elsewhere | None
    priority: int
    payload: dict[str, Any]
    files: list[FileOfItem]
    attempts: int
    added_at: str
    added_by: Sender
    finished_at: str | None
    failure: Failure | None
    came_from: Elsewhere | None
    receipt: str


class TakeItemReply(TypedDict):
    item: TakenItem | None


class Item(TypedDict):
    id: str
    state: Literal['ready', 'delayed', 'taken', 'completed', 'failed']
    due_at: str | None
    followed_by: Elsewhere | None
    priority: int
    payload: dict[str, Any]
    files: list[FileOfItem]
    attempts: int
    added_at: str
    added_by: Sender
    finished_at: str | None
    failure: Failure | None
    came_from: Elsewhere | None


class ItemPage(TypedDict):
    """after: for the next page; null on the last one."""

    items: list[Item]
    after: str | None


class ItemCount(TypedDict):
    """more: there are more; counting ends at 10,000."""

    count: int
    more: bool


class PurgedItems(TypedDict):
    """more: so many were deleted in one go, and there are more."""

    deleted: int
    more: bool


class Denial(TypedDict):
    """The same denial within a minute is one line. target: collection, document or queue. trace: of the first of them, which stands in the log with the precise reason. caller: empty when the token said nobody."""

    at: str
    last_at: str
    count: int
    caller: str
    client_id: str
    operation: str
    target: str
    code: str
    trace: str


class AuditPage(TypedDict):
    """Newest first. cursor: null on the last page."""

    denials: list[Denial]
    cursor: str | None


class FileReply(TypedDict):
    id: str
    version: int
    created_at: str
    created_by: str
    updated_at: str
    updated_by: str
    name: str
    type: str
    size: int
    sha256: str


class FilePart(TypedDict):
    id: str
    version: int
    created_at: str
    created_by: str
    updated_at: str
    updated_by: str
    name: str
    type: str
    size: int
    sha256: str
    start: int
    content: str


class FilePage(TypedDict):
    """cursor: null on the last page."""

    files: list[FileReply]
    cursor: str | None


class KeyReport(TypedDict):
    """sealed: documents and versions of documents that hold something sealed under this key, at this moment. loaded: whether this node has the key."""

    key: str
    current: bool
    loaded: bool
    sealed: int


class KeysReport(TypedDict):
    keys: list[KeyReport]


class Resealed(TypedDict):
    """left: documents and versions still under other keys than the current one. failed: those of them that do not open; whoever has their key or a backup can help them, nobody else."""

    resealed: int
    left: int
    failed: list[dict[str, Any]]


# Those that change something: repeated safely only with an idempotency key.
EFFECTS: Final = frozenset(
    {
        "collections.declare",
        "collections.drop",
        "documents.bulk",
        "documents.delete",
        "documents.insert",
        "documents.insert_many",
        "documents.replace",
        "documents.restore",
        "documents.set_acl",
        "documents.update",
        "documents.upsert",
        "exchanges.bind",
        "exchanges.declare",
        "exchanges.delete",
        "exchanges.publish",
        "exchanges.unbind",
        "files.delete",
        "files.replace",
        "files.set_acl",
        "files.upload",
        "queues.ack",
        "queues.declare",
        "queues.delete",
        "queues.publish",
        "queues.purge",
        "queues.redrive",
        "queues.reject",
        "queues.renew",
        "queues.reply",
        "roles.delete",
        "roles.set",
        "work_items.add",
        "work_items.complete",
        "work_items.delete",
        "work_items.fail",
        "work_items.purge",
        "work_items.renew",
        "work_items.retry",
        "work_items.update",
    }
)


class Documents:
    def __init__(self, call: Call) -> None:
        self._call = call

    def insert(
        self,
        *,
        data: Mapping[str, Any],
        collection: str,
        acl: Sequence[DocumentEntry] | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> DocumentStamp:
        """Store a new document."""
        return cast(DocumentStamp, self._call("documents.insert", {"idempotency_key": idempotency_key, "data": data, "acl": acl, "collection": collection}))

    def insert_many(
        self,
        *,
        collection: str,
        documents: Sequence[NewDocument],
        idempotency_key: str | Unset | None = UNSET,
    ) -> Stamps:
        """Store new documents, all or none. All of them or none."""
        return cast(Stamps, self._call("documents.insert_many", {"idempotency_key": idempotency_key, "collection": collection, "documents": documents}))

    def get(
        self,
        *,
        collection: str,
        id: str,
    ) -> DocumentReply:
        """Read a document."""
        return cast(DocumentReply, self._call("documents.get", {"collection": collection, "id": id}))

    def query(
        self,
        *,
        collection: str,
        filter: Mapping[str, Any] | Unset = UNSET,
        sort: Mapping[str, Literal[1, -1]] | Unset = UNSET,
        fields: Sequence[str] | Unset = UNSET,
        limit: int | Unset = UNSET,
        cursor: str | Unset | None = UNSET,
    ) -> DocumentPage:
        """Find documents. sort: field to 1 or -1. fields: what to give of each document; none named: everything."""
        return cast(DocumentPage, self._call("documents.query", {"collection": collection, "filter": filter, "sort": sort, "fields": fields, "limit": limit, "cursor": cursor}))

    def count(
        self,
        *,
        collection: str,
        filter: Mapping[str, Any] | Unset = UNSET,
        at_most: int | Unset = UNSET,
    ) -> CountReply:
        """Count documents. at_most: count no further."""
        return cast(CountReply, self._call("documents.count", {"collection": collection, "filter": filter, "at_most": at_most}))

    def distinct(
        self,
        *,
        collection: str,
        field: str,
        filter: Mapping[str, Any] | Unset = UNSET,
    ) -> ValuesReply:
        """The different values of a field."""
        return cast(ValuesReply, self._call("documents.distinct", {"collection": collection, "filter": filter, "field": field}))

    def aggregate(
        self,
        *,
        collection: str,
        pipeline: Sequence[Mapping[str, Any]],
    ) -> ResultsReply:
        """Group and compute."""
        return cast(ResultsReply, self._call("documents.aggregate", {"collection": collection, "pipeline": pipeline}))

    def replace(
        self,
        *,
        collection: str,
        id: str,
        data: Mapping[str, Any],
        version: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> DocumentStamp:
        """Replace all data. version: refuse unless the stored version is this one."""
        return cast(DocumentStamp, self._call("documents.replace", {"idempotency_key": idempotency_key, "collection": collection, "id": id, "data": data, "version": version}))

    def update(
        self,
        *,
        collection: str,
        id: str,
        update: Mapping[str, Any],
        version: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> DocumentStamp:
        """Change single fields."""
        return cast(DocumentStamp, self._call("documents.update", {"idempotency_key": idempotency_key, "collection": collection, "id": id, "update": update, "version": version}))

    def upsert(
        self,
        *,
        collection: str,
        match: Mapping[str, str | int | float | bool],
        data: Mapping[str, Any] | Unset | None = UNSET,
        update: Mapping[str, Any] | Unset | None = UNSET,
        acl: Sequence[DocumentEntry] | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> Upserted:
        """Change the document with these values, or make it. match: a value for each field of one unique index. The document that holds them gets `data` or `update`; when there is none, one is made of them with `acl` as in InsertDocument."""
        return cast(Upserted, self._call("documents.upsert", {"idempotency_key": idempotency_key, "collection": collection, "match": match, "data": data, "update": update, "acl": acl}))

    def delete(
        self,
        *,
        collection: str,
        id: str,
        version: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Delete a document."""
        self._call("documents.delete", {"idempotency_key": idempotency_key, "collection": collection, "id": id, "version": version})

    def bulk(
        self,
        *,
        collection: str,
        changes: Sequence[BulkChange],
        idempotency_key: str | Unset | None = UNSET,
    ) -> BulkReply:
        """Many changes, all or none. All changes or none, each document at most once."""
        return cast(BulkReply, self._call("documents.bulk", {"idempotency_key": idempotency_key, "collection": collection, "changes": changes}))

    def get_acl(
        self,
        *,
        collection: str,
        id: str,
    ) -> AclReply:
        """Read who may do what."""
        return cast(AclReply, self._call("documents.get_acl", {"collection": collection, "id": id}))

    def set_acl(
        self,
        *,
        collection: str,
        id: str,
        acl: Sequence[DocumentEntry] | None,
        version: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> AclReply:
        """Change who may do what."""
        return cast(AclReply, self._call("documents.set_acl", {"idempotency_key": idempotency_key, "collection": collection, "id": id, "acl": acl, "version": version}))

    def history(
        self,
        *,
        collection: str,
        id: str,
        before: int | Unset | None = UNSET,
        limit: int | Unset = UNSET,
    ) -> HistoryReply:
        """List the versions of a document. Newest first, only versions below `before`."""
        return cast(HistoryReply, self._call("documents.history", {"collection": collection, "id": id, "before": before, "limit": limit}))

    def get_version(
        self,
        *,
        collection: str,
        id: str,
        number: int,
    ) -> VersionReply:
        """Read a document as it was."""
        return cast(VersionReply, self._call("documents.get_version", {"collection": collection, "id": id, "number": number}))

    def restore(
        self,
        *,
        collection: str,
        id: str,
        number: int,
        version: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> DocumentStamp:
        """Make an old version the present one. The data as they were in version `number` become a new version; the ACL stays. A deleted document comes back with the ACL it had."""
        return cast(DocumentStamp, self._call("documents.restore", {"idempotency_key": idempotency_key, "collection": collection, "id": id, "number": number, "version": version}))


class Collections:
    def __init__(self, call: Call) -> None:
        self._call = call

    def declare(
        self,
        *,
        name: str,
        acl: Sequence[CollectionEntry] | Unset | None = UNSET,
        default_acl: Sequence[DocumentEntry] | Unset = UNSET,
        owner_rights: Sequence[Literal['read', 'update', 'delete', 'share', 'unseal']] | Unset = UNSET,
        indexes: Sequence[IndexOf] | Unset = UNSET,
        expire: Expiry | Unset | None = UNSET,
        sealed: Literal['all'] | Sequence[str] | Unset = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> CollectionReply:
        """Make or change a collection. Everything that is left out is as if it had never been declared; only the ACL stays as it is. A new collection is its maker's."""
        return cast(CollectionReply, self._call("collections.declare", {"idempotency_key": idempotency_key, "acl": acl, "default_acl": default_acl, "owner_rights": owner_rights, "indexes": indexes, "expire": expire, "sealed": sealed, "name": name}))

    def get(
        self,
        *,
        name: str,
    ) -> CollectionReply:
        """Read what is declared of a collection."""
        return cast(CollectionReply, self._call("collections.get", {"name": name}))

    def list(
        self,
    ) -> CollectionsReply:
        """List the collections one may manage."""
        return cast(CollectionsReply, self._call("collections.list", {}))

    def drop(
        self,
        *,
        name: str,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Delete a collection with everything in it."""
        self._call("collections.drop", {"idempotency_key": idempotency_key, "name": name})


class Roles:
    def __init__(self, call: Call) -> None:
        self._call = call

    def set(
        self,
        *,
        name: str,
        members: Sequence[Member],
        idempotency_key: str | Unset | None = UNSET,
    ) -> RoleReply:
        """Say who is in a role. The role has exactly these members, beside everybody to whom the token gives it."""
        return cast(RoleReply, self._call("roles.set", {"idempotency_key": idempotency_key, "name": name, "members": members}))

    def get(
        self,
        *,
        name: str,
    ) -> RoleReply:
        """Read who is in a role."""
        return cast(RoleReply, self._call("roles.get", {"name": name}))

    def list(
        self,
    ) -> RolesReply:
        """List the roles that are defined here."""
        return cast(RolesReply, self._call("roles.list", {}))

    def delete(
        self,
        *,
        name: str,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Take a role away from its members."""
        self._call("roles.delete", {"idempotency_key": idempotency_key, "name": name})


class Queues:
    def __init__(self, call: Call) -> None:
        self._call = call

    def declare(
        self,
        *,
        name: str,
        max_deliveries: int | Unset = UNSET,
        retry_seconds: int | Unset = UNSET,
        retry_max_seconds: int | Unset = UNSET,
        expires_seconds: int | Unset | None = UNSET,
        on_success: str | Unset | None = UNSET,
        on_failure: str | Unset | None = UNSET,
        keep_seconds: int | Unset = UNSET,
        kind: Literal['messages', 'work_items'] | Unset = UNSET,
        acl: Sequence[QueueEntry] | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> Declared:
        """Make or change a queue. acl as in InsertDocument. Settings that are left out have their defaults, also when the queue exists."""
        return cast(Declared, self._call("queues.declare", {"idempotency_key": idempotency_key, "max_deliveries": max_deliveries, "retry_seconds": retry_seconds, "retry_max_seconds": retry_max_seconds, "expires_seconds": expires_seconds, "on_success": on_success, "on_failure": on_failure, "keep_seconds": keep_seconds, "name": name, "kind": kind, "acl": acl}))

    def get(
        self,
        *,
        name: str,
    ) -> QueueReply:
        """Count what is in a queue."""
        return cast(QueueReply, self._call("queues.get", {"name": name}))

    def list(
        self,
        *,
        limit: int | Unset = UNSET,
        after: str | Unset | None = UNSET,
    ) -> QueueList:
        """List the queues and exchanges one has a right on. In the order of their names. after: the `after` of the page before."""
        return cast(QueueList, self._call("queues.list", {"limit": limit, "after": after}))

    def delete(
        self,
        *,
        name: str,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Delete a queue with everything in it."""
        self._call("queues.delete", {"idempotency_key": idempotency_key, "name": name})

    def publish(
        self,
        *,
        name: str,
        body: Any,
        priority: int | Unset | None = UNSET,
        delay_seconds: int | Unset = UNSET,
        expires_seconds: int | Unset | None = UNSET,
        reply_seconds: int | Unset | None = UNSET,
        token: str | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> Published:
        """Send a message. priority: 4, or the highest the caller may use. delay_seconds: not before so many seconds from now. expires_seconds: a message nobody has taken by then becomes a dead letter. reply_seconds: so long the caller waits for a reply. token: given to the taker; a token that was exchanged for being sent to this queue."""
        return cast(Published, self._call("queues.publish", {"idempotency_key": idempotency_key, "name": name, "body": body, "priority": priority, "delay_seconds": delay_seconds, "expires_seconds": expires_seconds, "reply_seconds": reply_seconds, "token": token}))

    def take(
        self,
        *,
        name: str,
        lease_seconds: int | Unset = UNSET,
        wait_seconds: int | Unset = UNSET,
        dead: bool | Unset = UNSET,
    ) -> TakeReply:
        """Take the next message on a lease. lease_seconds: how long the message is the taker's before it returns. wait_seconds: how long to wait for one. dead: take from the dead letters."""
        return cast(TakeReply, self._call("queues.take", {"name": name, "lease_seconds": lease_seconds, "wait_seconds": wait_seconds, "dead": dead}))

    def renew(
        self,
        *,
        name: str,
        receipt: str,
        lease_seconds: int | Unset = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> Renewed:
        """Keep a message longer."""
        return cast(Renewed, self._call("queues.renew", {"idempotency_key": idempotency_key, "name": name, "receipt": receipt, "lease_seconds": lease_seconds}))

    def ack(
        self,
        *,
        name: str,
        receipt: str,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Done with a message."""
        self._call("queues.ack", {"idempotency_key": idempotency_key, "name": name, "receipt": receipt})

    def reject(
        self,
        *,
        name: str,
        receipt: str,
        requeue: bool,
        delay_seconds: int | Unset | None = UNSET,
        reason: str | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Give a message back, or up. requeue true: back to the queue, where others can take it after delay_seconds (left out: the queue's back-off). false: to the dead letters, with the reason."""
        self._call("queues.reject", {"idempotency_key": idempotency_key, "name": name, "receipt": receipt, "requeue": requeue, "delay_seconds": delay_seconds, "reason": reason})

    def reply(
        self,
        *,
        name: str,
        receipt: str,
        body: Any,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Answer whoever sent a message. To whoever asked; the message is held on."""
        self._call("queues.reply", {"idempotency_key": idempotency_key, "name": name, "receipt": receipt, "body": body})

    def fetch_reply(
        self,
        *,
        name: str,
        id: str,
        wait_seconds: int | Unset = UNSET,
    ) -> FetchedReply:
        """Get the answer to a message. id: of the message that was published with reply_seconds."""
        return cast(FetchedReply, self._call("queues.fetch_reply", {"name": name, "id": id, "wait_seconds": wait_seconds}))

    def inspect(
        self,
        *,
        name: str,
        limit: int | Unset = UNSET,
        dead: bool | Unset = UNSET,
    ) -> Inspected:
        """See messages without taking them."""
        return cast(Inspected, self._call("queues.inspect", {"name": name, "limit": limit, "dead": dead}))

    def purge(
        self,
        *,
        name: str,
        dead: bool | Unset = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> Moved:
        """Delete the messages of a queue. What is ready or delayed, or the dead letters; what somebody holds stays."""
        return cast(Moved, self._call("queues.purge", {"idempotency_key": idempotency_key, "name": name, "dead": dead}))

    def redrive(
        self,
        *,
        name: str,
        limit: int | Unset = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> Moved:
        """Put dead letters back into the queue."""
        return cast(Moved, self._call("queues.redrive", {"idempotency_key": idempotency_key, "name": name, "limit": limit}))


class Exchanges:
    def __init__(self, call: Call) -> None:
        self._call = call

    def declare(
        self,
        *,
        name: str,
        acl: Sequence[QueueEntry] | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> ExchangeReply:
        """Make or change an exchange."""
        return cast(ExchangeReply, self._call("exchanges.declare", {"idempotency_key": idempotency_key, "name": name, "acl": acl}))

    def get(
        self,
        *,
        name: str,
    ) -> ExchangeReply:
        """See what is bound to an exchange."""
        return cast(ExchangeReply, self._call("exchanges.get", {"name": name}))

    def delete(
        self,
        *,
        name: str,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Delete an exchange."""
        self._call("exchanges.delete", {"idempotency_key": idempotency_key, "name": name})

    def bind(
        self,
        *,
        name: str,
        queue: str,
        pattern: str,
        idempotency_key: str | Unset | None = UNSET,
    ) -> ExchangeReply:
        """Let a queue have what is published to a topic."""
        return cast(ExchangeReply, self._call("exchanges.bind", {"idempotency_key": idempotency_key, "name": name, "queue": queue, "pattern": pattern}))

    def unbind(
        self,
        *,
        name: str,
        queue: str,
        pattern: str,
        idempotency_key: str | Unset | None = UNSET,
    ) -> ExchangeReply:
        """End that."""
        return cast(ExchangeReply, self._call("exchanges.unbind", {"idempotency_key": idempotency_key, "name": name, "queue": queue, "pattern": pattern}))

    def publish(
        self,
        *,
        name: str,
        topic: str,
        body: Any,
        priority: int | Unset | None = UNSET,
        delay_seconds: int | Unset = UNSET,
        expires_seconds: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> Routed:
        """Send a message to all queues bound to a topic. priority, delay_seconds, expires_seconds as in PublishMessage."""
        return cast(Routed, self._call("exchanges.publish", {"idempotency_key": idempotency_key, "name": name, "topic": topic, "body": body, "priority": priority, "delay_seconds": delay_seconds, "expires_seconds": expires_seconds}))


class WorkItems:
    def __init__(self, call: Call) -> None:
        self._call = call

    def add(
        self,
        *,
        name: str,
        payload: Mapping[str, Any],
        files: Sequence[FileOfItem] | Unset = UNSET,
        priority: int | Unset | None = UNSET,
        delay_seconds: int | Unset = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> ItemStamp:
        """Add a work item. delay_seconds: not before so many seconds from now."""
        return cast(ItemStamp, self._call("work_items.add", {"idempotency_key": idempotency_key, "name": name, "payload": payload, "files": files, "priority": priority, "delay_seconds": delay_seconds}))

    def take(
        self,
        *,
        name: str,
        lease_seconds: int | Unset = UNSET,
    ) -> TakeItemReply:
        """Take the next work item on a lease."""
        return cast(TakeItemReply, self._call("work_items.take", {"name": name, "lease_seconds": lease_seconds}))

    def renew(
        self,
        *,
        name: str,
        id: str,
        receipt: str,
        lease_seconds: int | Unset = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> ItemStamp:
        """Keep a work item longer."""
        return cast(ItemStamp, self._call("work_items.renew", {"idempotency_key": idempotency_key, "name": name, "id": id, "receipt": receipt, "lease_seconds": lease_seconds}))

    def update(
        self,
        *,
        name: str,
        id: str,
        receipt: str,
        payload: Mapping[str, Any] | Unset | None = UNSET,
        files: Sequence[FileOfItem] | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> ItemStamp:
        """Change the payload of a work item one holds. payload, files: what is given takes the place of what was."""
        return cast(ItemStamp, self._call("work_items.update", {"idempotency_key": idempotency_key, "name": name, "id": id, "receipt": receipt, "payload": payload, "files": files}))

    def complete(
        self,
        *,
        name: str,
        id: str,
        receipt: str,
        payload: Mapping[str, Any] | Unset | None = UNSET,
        files: Sequence[FileOfItem] | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> ItemStamp:
        """Done with a work item."""
        return cast(ItemStamp, self._call("work_items.complete", {"idempotency_key": idempotency_key, "name": name, "id": id, "receipt": receipt, "payload": payload, "files": files}))

    def fail(
        self,
        *,
        name: str,
        id: str,
        receipt: str,
        reason: str,
        payload: Mapping[str, Any] | Unset | None = UNSET,
        files: Sequence[FileOfItem] | Unset | None = UNSET,
        retry: bool | Unset = UNSET,
        delay_seconds: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> ItemStamp:
        """Give a work item back, or up. retry: again later, as long as the queue allows further attempts. delay_seconds: instead of the queue's back-off."""
        return cast(ItemStamp, self._call("work_items.fail", {"idempotency_key": idempotency_key, "name": name, "id": id, "receipt": receipt, "payload": payload, "files": files, "reason": reason, "retry": retry, "delay_seconds": delay_seconds}))

    def get(
        self,
        *,
        name: str,
        id: str,
    ) -> Item:
        """Read a work item."""
        return cast(Item, self._call("work_items.get", {"name": name, "id": id}))

    def query(
        self,
        *,
        name: str,
        filter: Mapping[str, Any] | Unset = UNSET,
        limit: int | Unset = UNSET,
        after: str | Unset | None = UNSET,
    ) -> ItemPage:
        """Find work items. In the order of adding. after: the `after` of the page before."""
        return cast(ItemPage, self._call("work_items.query", {"name": name, "filter": filter, "limit": limit, "after": after}))

    def count(
        self,
        *,
        name: str,
        filter: Mapping[str, Any] | Unset = UNSET,
    ) -> ItemCount:
        """Count work items."""
        return cast(ItemCount, self._call("work_items.count", {"name": name, "filter": filter}))

    def retry(
        self,
        *,
        name: str,
        id: str,
        idempotency_key: str | Unset | None = UNSET,
    ) -> ItemStamp:
        """Make a failed work item ready again. A failed item becomes ready again, with all its attempts before it."""
        return cast(ItemStamp, self._call("work_items.retry", {"idempotency_key": idempotency_key, "name": name, "id": id}))

    def delete(
        self,
        *,
        name: str,
        id: str,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Delete a work item."""
        self._call("work_items.delete", {"idempotency_key": idempotency_key, "name": name, "id": id})

    def purge(
        self,
        *,
        name: str,
        filter: Mapping[str, Any] | Unset = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> PurgedItems:
        """Delete all work items that match."""
        return cast(PurgedItems, self._call("work_items.purge", {"idempotency_key": idempotency_key, "name": name, "filter": filter}))


class Audit:
    def __init__(self, call: Call) -> None:
        self._call = call

    def query(
        self,
        *,
        caller: str | Unset | None = UNSET,
        operation: str | Unset | None = UNSET,
        code: str | Unset | None = UNSET,
        target: str | Unset | None = UNSET,
        since: str | Unset | None = UNSET,
        until: str | Unset | None = UNSET,
        limit: int | Unset = UNSET,
        cursor: str | Unset | None = UNSET,
    ) -> AuditPage:
        """Look up what was denied (administrators). All that is given must fit. since, until: RFC 3339, as in the answers."""
        return cast(AuditPage, self._call("audit.query", {"caller": caller, "operation": operation, "code": code, "target": target, "since": since, "until": until, "limit": limit, "cursor": cursor}))


class Files:
    def __init__(self, call: Call) -> None:
        self._call = call

    def upload(
        self,
        *,
        collection: str,
        content: str,
        name: str | Unset = UNSET,
        type: str | Unset = UNSET,
        sha256: str | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> FileReply:
        """Store a file."""
        return cast(FileReply, self._call("files.upload", {"idempotency_key": idempotency_key, "collection": collection, "name": name, "type": type, "sha256": sha256, "content": content}))

    def replace(
        self,
        *,
        collection: str,
        id: str,
        content: str,
        name: str | Unset = UNSET,
        type: str | Unset = UNSET,
        sha256: str | Unset | None = UNSET,
        version: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> FileReply:
        """Exchange the content of a file."""
        return cast(FileReply, self._call("files.replace", {"idempotency_key": idempotency_key, "collection": collection, "name": name, "type": type, "sha256": sha256, "id": id, "version": version, "content": content}))

    def download(
        self,
        *,
        collection: str,
        id: str,
        start: int | Unset = UNSET,
        length: int | Unset = UNSET,
    ) -> FilePart:
        """Read the content of a file, or a part of it. A part of the content: `length` bytes from `start` on, or up to the end."""
        return cast(FilePart, self._call("files.download", {"collection": collection, "id": id, "start": start, "length": length}))

    def get(
        self,
        *,
        collection: str,
        id: str,
    ) -> FileReply:
        """Read what is known of a file."""
        return cast(FileReply, self._call("files.get", {"collection": collection, "id": id}))

    def query(
        self,
        *,
        collection: str,
        filter: Mapping[str, Any] | Unset = UNSET,
        sort: Mapping[str, Literal[1, -1]] | Unset = UNSET,
        limit: int | Unset = UNSET,
        cursor: str | Unset | None = UNSET,
    ) -> FilePage:
        """Find files. Fields: name, type, size, sha256, and the system fields of documents."""
        return cast(FilePage, self._call("files.query", {"collection": collection, "filter": filter, "sort": sort, "limit": limit, "cursor": cursor}))

    def delete(
        self,
        *,
        collection: str,
        id: str,
        version: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Delete a file."""
        self._call("files.delete", {"idempotency_key": idempotency_key, "collection": collection, "id": id, "version": version})

    def get_acl(
        self,
        *,
        collection: str,
        id: str,
    ) -> AclReply:
        """Read who may do what with a file."""
        return cast(AclReply, self._call("files.get_acl", {"collection": collection, "id": id}))

    def set_acl(
        self,
        *,
        collection: str,
        id: str,
        acl: Sequence[DocumentEntry] | None,
        version: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> AclReply:
        """Change who may do what with a file."""
        return cast(AclReply, self._call("files.set_acl", {"idempotency_key": idempotency_key, "collection": collection, "id": id, "acl": acl, "version": version}))


class Keys:
    def __init__(self, call: Call) -> None:
        self._call = call

    def report(
        self,
    ) -> KeysReport:
        """Count what is sealed under each key."""
        return cast(KeysReport, self._call("keys.report", {}))

    def reseal(
        self,
        *,
        limit: int | Unset = UNSET,
    ) -> Resealed:
        """Bring what is sealed under the current key. limit: so many documents and versions at most; the same request again goes on."""
        return cast(Resealed, self._call("keys.reseal", {"limit": limit}))


class Operations:
    def __init__(self, call: Call) -> None:
        self.documents = Documents(call)
        self.collections = Collections(call)
        self.roles = Roles(call)
        self.queues = Queues(call)
        self.exchanges = Exchanges(call)
        self.work_items = WorkItems(call)
        self.audit = Audit(call)
        self.files = Files(call)
        self.keys = Keys(call)


class AsyncDocuments:
    def __init__(self, call: AsyncCall) -> None:
        self._call = call

    async def insert(
        self,
        *,
        data: Mapping[str, Any],
        collection: str,
        acl: Sequence[DocumentEntry] | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> DocumentStamp:
        """Store a new document."""
        return cast(DocumentStamp, await self._call("documents.insert", {"idempotency_key": idempotency_key, "data": data, "acl": acl, "collection": collection}))

    async def insert_many(
        self,
        *,
        collection: str,
        documents: Sequence[NewDocument],
        idempotency_key: str | Unset | None = UNSET,
    ) -> Stamps:
        """Store new documents, all or none. All of them or none."""
        return cast(Stamps, await self._call("documents.insert_many", {"idempotency_key": idempotency_key, "collection": collection, "documents": documents}))

    async def get(
        self,
        *,
        collection: str,
        id: str,
    ) -> DocumentReply:
        """Read a document."""
        return cast(DocumentReply, await self._call("documents.get", {"collection": collection, "id": id}))

    async def query(
        self,
        *,
        collection: str,
        filter: Mapping[str, Any] | Unset = UNSET,
        sort: Mapping[str, Literal[1, -1]] | Unset = UNSET,
        fields: Sequence[str] | Unset = UNSET,
        limit: int | Unset = UNSET,
        cursor: str | Unset | None = UNSET,
    ) -> DocumentPage:
        """Find documents. sort: field to 1 or -1. fields: what to give of each document; none named: everything."""
        return cast(DocumentPage, await self._call("documents.query", {"collection": collection, "filter": filter, "sort": sort, "fields": fields, "limit": limit, "cursor": cursor}))

    async def count(
        self,
        *,
        collection: str,
        filter: Mapping[str, Any] | Unset = UNSET,
        at_most: int | Unset = UNSET,
    ) -> CountReply:
        """Count documents. at_most: count no further."""
        return cast(CountReply, await self._call("documents.count", {"collection": collection, "filter": filter, "at_most": at_most}))

    async def distinct(
        self,
        *,
        collection: str,
        field: str,
        filter: Mapping[str, Any] | Unset = UNSET,
    ) -> ValuesReply:
        """The different values of a field."""
        return cast(ValuesReply, await self._call("documents.distinct", {"collection": collection, "filter": filter, "field": field}))

    async def aggregate(
        self,
        *,
        collection: str,
        pipeline: Sequence[Mapping[str, Any]],
    ) -> ResultsReply:
        """Group and compute."""
        return cast(ResultsReply, await self._call("documents.aggregate", {"collection": collection, "pipeline": pipeline}))

    async def replace(
        self,
        *,
        collection: str,
        id: str,
        data: Mapping[str, Any],
        version: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> DocumentStamp:
        """Replace all data. version: refuse unless the stored version is this one."""
        return cast(DocumentStamp, await self._call("documents.replace", {"idempotency_key": idempotency_key, "collection": collection, "id": id, "data": data, "version": version}))

    async def update(
        self,
        *,
        collection: str,
        id: str,
        update: Mapping[str, Any],
        version: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> DocumentStamp:
        """Change single fields."""
        return cast(DocumentStamp, await self._call("documents.update", {"idempotency_key": idempotency_key, "collection": collection, "id": id, "update": update, "version": version}))

    async def upsert(
        self,
        *,
        collection: str,
        match: Mapping[str, str | int | float | bool],
        data: Mapping[str, Any] | Unset | None = UNSET,
        update: Mapping[str, Any] | Unset | None = UNSET,
        acl: Sequence[DocumentEntry] | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> Upserted:
        """Change the document with these values, or make it. match: a value for each field of one unique index. The document that holds them gets `data` or `update`; when there is none, one is made of them with `acl` as in InsertDocument."""
        return cast(Upserted, await self._call("documents.upsert", {"idempotency_key": idempotency_key, "collection": collection, "match": match, "data": data, "update": update, "acl": acl}))

    async def delete(
        self,
        *,
        collection: str,
        id: str,
        version: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Delete a document."""
        await self._call("documents.delete", {"idempotency_key": idempotency_key, "collection": collection, "id": id, "version": version})

    async def bulk(
        self,
        *,
        collection: str,
        changes: Sequence[BulkChange],
        idempotency_key: str | Unset | None = UNSET,
    ) -> BulkReply:
        """Many changes, all or none. All changes or none, each document at most once."""
        return cast(BulkReply, await self._call("documents.bulk", {"idempotency_key": idempotency_key, "collection": collection, "changes": changes}))

    async def get_acl(
        self,
        *,
        collection: str,
        id: str,
    ) -> AclReply:
        """Read who may do what."""
        return cast(AclReply, await self._call("documents.get_acl", {"collection": collection, "id": id}))

    async def set_acl(
        self,
        *,
        collection: str,
        id: str,
        acl: Sequence[DocumentEntry] | None,
        version: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> AclReply:
        """Change who may do what."""
        return cast(AclReply, await self._call("documents.set_acl", {"idempotency_key": idempotency_key, "collection": collection, "id": id, "acl": acl, "version": version}))

    async def history(
        self,
        *,
        collection: str,
        id: str,
        before: int | Unset | None = UNSET,
        limit: int | Unset = UNSET,
    ) -> HistoryReply:
        """List the versions of a document. Newest first, only versions below `before`."""
        return cast(HistoryReply, await self._call("documents.history", {"collection": collection, "id": id, "before": before, "limit": limit}))

    async def get_version(
        self,
        *,
        collection: str,
        id: str,
        number: int,
    ) -> VersionReply:
        """Read a document as it was."""
        return cast(VersionReply, await self._call("documents.get_version", {"collection": collection, "id": id, "number": number}))

    async def restore(
        self,
        *,
        collection: str,
        id: str,
        number: int,
        version: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> DocumentStamp:
        """Make an old version the present one. The data as they were in version `number` become a new version; the ACL stays. A deleted document comes back with the ACL it had."""
        return cast(DocumentStamp, await self._call("documents.restore", {"idempotency_key": idempotency_key, "collection": collection, "id": id, "number": number, "version": version}))


class AsyncCollections:
    def __init__(self, call: AsyncCall) -> None:
        self._call = call

    async def declare(
        self,
        *,
        name: str,
        acl: Sequence[CollectionEntry] | Unset | None = UNSET,
        default_acl: Sequence[DocumentEntry] | Unset = UNSET,
        owner_rights: Sequence[Literal['read', 'update', 'delete', 'share', 'unseal']] | Unset = UNSET,
        indexes: Sequence[IndexOf] | Unset = UNSET,
        expire: Expiry | Unset | None = UNSET,
        sealed: Literal['all'] | Sequence[str] | Unset = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> CollectionReply:
        """Make or change a collection. Everything that is left out is as if it had never been declared; only the ACL stays as it is. A new collection is its maker's."""
        return cast(CollectionReply, await self._call("collections.declare", {"idempotency_key": idempotency_key, "acl": acl, "default_acl": default_acl, "owner_rights": owner_rights, "indexes": indexes, "expire": expire, "sealed": sealed, "name": name}))

    async def get(
        self,
        *,
        name: str,
    ) -> CollectionReply:
        """Read what is declared of a collection."""
        return cast(CollectionReply, await self._call("collections.get", {"name": name}))

    async def list(
        self,
    ) -> CollectionsReply:
        """List the collections one may manage."""
        return cast(CollectionsReply, await self._call("collections.list", {}))

    async def drop(
        self,
        *,
        name: str,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Delete a collection with everything in it."""
        await self._call("collections.drop", {"idempotency_key": idempotency_key, "name": name})


class AsyncRoles:
    def __init__(self, call: AsyncCall) -> None:
        self._call = call

    async def set(
        self,
        *,
        name: str,
        members: Sequence[Member],
        idempotency_key: str | Unset | None = UNSET,
    ) -> RoleReply:
        """Say who is in a role. The role has exactly these members, beside everybody to whom the token gives it."""
        return cast(RoleReply, await self._call("roles.set", {"idempotency_key": idempotency_key, "name": name, "members": members}))

    async def get(
        self,
        *,
        name: str,
    ) -> RoleReply:
        """Read who is in a role."""
        return cast(RoleReply, await self._call("roles.get", {"name": name}))

    async def list(
        self,
    ) -> RolesReply:
        """List the roles that are defined here."""
        return cast(RolesReply, await self._call("roles.list", {}))

    async def delete(
        self,
        *,
        name: str,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Take a role away from its members."""
        await self._call("roles.delete", {"idempotency_key": idempotency_key, "name": name})


class AsyncQueues:
    def __init__(self, call: AsyncCall) -> None:
        self._call = call

    async def declare(
        self,
        *,
        name: str,
        max_deliveries: int | Unset = UNSET,
        retry_seconds: int | Unset = UNSET,
        retry_max_seconds: int | Unset = UNSET,
        expires_seconds: int | Unset | None = UNSET,
        on_success: str | Unset | None = UNSET,
        on_failure: str | Unset | None = UNSET,
        keep_seconds: int | Unset = UNSET,
        kind: Literal['messages', 'work_items'] | Unset = UNSET,
        acl: Sequence[QueueEntry] | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> Declared:
        """Make or change a queue. acl as in InsertDocument. Settings that are left out have their defaults, also when the queue exists."""
        return cast(Declared, await self._call("queues.declare", {"idempotency_key": idempotency_key, "max_deliveries": max_deliveries, "retry_seconds": retry_seconds, "retry_max_seconds": retry_max_seconds, "expires_seconds": expires_seconds, "on_success": on_success, "on_failure": on_failure, "keep_seconds": keep_seconds, "name": name, "kind": kind, "acl": acl}))

    async def get(
        self,
        *,
        name: str,
    ) -> QueueReply:
        """Count what is in a queue."""
        return cast(QueueReply, await self._call("queues.get", {"name": name}))

    async def list(
        self,
        *,
        limit: int | Unset = UNSET,
        after: str | Unset | None = UNSET,
    ) -> QueueList:
        """List the queues and exchanges one has a right on. In the order of their names. after: the `after` of the page before."""
        return cast(QueueList, await self._call("queues.list", {"limit": limit, "after": after}))

    async def delete(
        self,
        *,
        name: str,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Delete a queue with everything in it."""
        await self._call("queues.delete", {"idempotency_key": idempotency_key, "name": name})

    async def publish(
        self,
        *,
        name: str,
        body: Any,
        priority: int | Unset | None = UNSET,
        delay_seconds: int | Unset = UNSET,
        expires_seconds: int | Unset | None = UNSET,
        reply_seconds: int | Unset | None = UNSET,
        token: str | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> Published:
        """Send a message. priority: 4, or the highest the caller may use. delay_seconds: not before so many seconds from now. expires_seconds: a message nobody has taken by then becomes a dead letter. reply_seconds: so long the caller waits for a reply. token: given to the taker; a token that was exchanged for being sent to this queue."""
        return cast(Published, await self._call("queues.publish", {"idempotency_key": idempotency_key, "name": name, "body": body, "priority": priority, "delay_seconds": delay_seconds, "expires_seconds": expires_seconds, "reply_seconds": reply_seconds, "token": token}))

    async def take(
        self,
        *,
        name: str,
        lease_seconds: int | Unset = UNSET,
        wait_seconds: int | Unset = UNSET,
        dead: bool | Unset = UNSET,
    ) -> TakeReply:
        """Take the next message on a lease. lease_seconds: how long the message is the taker's before it returns. wait_seconds: how long to wait for one. dead: take from the dead letters."""
        return cast(TakeReply, await self._call("queues.take", {"name": name, "lease_seconds": lease_seconds, "wait_seconds": wait_seconds, "dead": dead}))

    async def renew(
        self,
        *,
        name: str,
        receipt: str,
        lease_seconds: int | Unset = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> Renewed:
        """Keep a message longer."""
        return cast(Renewed, await self._call("queues.renew", {"idempotency_key": idempotency_key, "name": name, "receipt": receipt, "lease_seconds": lease_seconds}))

    async def ack(
        self,
        *,
        name: str,
        receipt: str,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Done with a message."""
        await self._call("queues.ack", {"idempotency_key": idempotency_key, "name": name, "receipt": receipt})

    async def reject(
        self,
        *,
        name: str,
        receipt: str,
        requeue: bool,
        delay_seconds: int | Unset | None = UNSET,
        reason: str | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Give a message back, or up. requeue true: back to the queue, where others can take it after delay_seconds (left out: the queue's back-off). false: to the dead letters, with the reason."""
        await self._call("queues.reject", {"idempotency_key": idempotency_key, "name": name, "receipt": receipt, "requeue": requeue, "delay_seconds": delay_seconds, "reason": reason})

    async def reply(
        self,
        *,
        name: str,
        receipt: str,
        body: Any,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Answer whoever sent a message. To whoever asked; the message is held on."""
        await self._call("queues.reply", {"idempotency_key": idempotency_key, "name": name, "receipt": receipt, "body": body})

    async def fetch_reply(
        self,
        *,
        name: str,
        id: str,
        wait_seconds: int | Unset = UNSET,
    ) -> FetchedReply:
        """Get the answer to a message. id: of the message that was published with reply_seconds."""
        return cast(FetchedReply, await self._call("queues.fetch_reply", {"name": name, "id": id, "wait_seconds": wait_seconds}))

    async def inspect(
        self,
        *,
        name: str,
        limit: int | Unset = UNSET,
        dead: bool | Unset = UNSET,
    ) -> Inspected:
        """See messages without taking them."""
        return cast(Inspected, await self._call("queues.inspect", {"name": name, "limit": limit, "dead": dead}))

    async def purge(
        self,
        *,
        name: str,
        dead: bool | Unset = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> Moved:
        """Delete the messages of a queue. What is ready or delayed, or the dead letters; what somebody holds stays."""
        return cast(Moved, await self._call("queues.purge", {"idempotency_key": idempotency_key, "name": name, "dead": dead}))

    async def redrive(
        self,
        *,
        name: str,
        limit: int | Unset = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> Moved:
        """Put dead letters back into the queue."""
        return cast(Moved, await self._call("queues.redrive", {"idempotency_key": idempotency_key, "name": name, "limit": limit}))


class AsyncExchanges:
    def __init__(self, call: AsyncCall) -> None:
        self._call = call

    async def declare(
        self,
        *,
        name: str,
        acl: Sequence[QueueEntry] | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> ExchangeReply:
        """Make or change an exchange."""
        return cast(ExchangeReply, await self._call("exchanges.declare", {"idempotency_key": idempotency_key, "name": name, "acl": acl}))

    async def get(
        self,
        *,
        name: str,
    ) -> ExchangeReply:
        """See what is bound to an exchange."""
        return cast(ExchangeReply, await self._call("exchanges.get", {"name": name}))

    async def delete(
        self,
        *,
        name: str,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Delete an exchange."""
        await self._call("exchanges.delete", {"idempotency_key": idempotency_key, "name": name})

    async def bind(
        self,
        *,
        name: str,
        queue: str,
        pattern: str,
        idempotency_key: str | Unset | None = UNSET,
    ) -> ExchangeReply:
        """Let a queue have what is published to a topic."""
        return cast(ExchangeReply, await self._call("exchanges.bind", {"idempotency_key": idempotency_key, "name": name, "queue": queue, "pattern": pattern}))

    async def unbind(
        self,
        *,
        name: str,
        queue: str,
        pattern: str,
        idempotency_key: str | Unset | None = UNSET,
    ) -> ExchangeReply:
        """End that."""
        return cast(ExchangeReply, await self._call("exchanges.unbind", {"idempotency_key": idempotency_key, "name": name, "queue": queue, "pattern": pattern}))

    async def publish(
        self,
        *,
        name: str,
        topic: str,
        body: Any,
        priority: int | Unset | None = UNSET,
        delay_seconds: int | Unset = UNSET,
        expires_seconds: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> Routed:
        """Send a message to all queues bound to a topic. priority, delay_seconds, expires_seconds as in PublishMessage."""
        return cast(Routed, await self._call("exchanges.publish", {"idempotency_key": idempotency_key, "name": name, "topic": topic, "body": body, "priority": priority, "delay_seconds": delay_seconds, "expires_seconds": expires_seconds}))


class AsyncWorkItems:
    def __init__(self, call: AsyncCall) -> None:
        self._call = call

    async def add(
        self,
        *,
        name: str,
        payload: Mapping[str, Any],
        files: Sequence[FileOfItem] | Unset = UNSET,
        priority: int | Unset | None = UNSET,
        delay_seconds: int | Unset = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> ItemStamp:
        """Add a work item. delay_seconds: not before so many seconds from now."""
        return cast(ItemStamp, await self._call("work_items.add", {"idempotency_key": idempotency_key, "name": name, "payload": payload, "files": files, "priority": priority, "delay_seconds": delay_seconds}))

    async def take(
        self,
        *,
        name: str,
        lease_seconds: int | Unset = UNSET,
    ) -> TakeItemReply:
        """Take the next work item on a lease."""
        return cast(TakeItemReply, await self._call("work_items.take", {"name": name, "lease_seconds": lease_seconds}))

    async def renew(
        self,
        *,
        name: str,
        id: str,
        receipt: str,
        lease_seconds: int | Unset = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> ItemStamp:
        """Keep a work item longer."""
        return cast(ItemStamp, await self._call("work_items.renew", {"idempotency_key": idempotency_key, "name": name, "id": id, "receipt": receipt, "lease_seconds": lease_seconds}))

    async def update(
        self,
        *,
        name: str,
        id: str,
        receipt: str,
        payload: Mapping[str, Any] | Unset | None = UNSET,
        files: Sequence[FileOfItem] | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> ItemStamp:
        """Change the payload of a work item one holds. payload, files: what is given takes the place of what was."""
        return cast(ItemStamp, await self._call("work_items.update", {"idempotency_key": idempotency_key, "name": name, "id": id, "receipt": receipt, "payload": payload, "files": files}))

    async def complete(
        self,
        *,
        name: str,
        id: str,
        receipt: str,
        payload: Mapping[str, Any] | Unset | None = UNSET,
        files: Sequence[FileOfItem] | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> ItemStamp:
        """Done with a work item."""
        return cast(ItemStamp, await self._call("work_items.complete", {"idempotency_key": idempotency_key, "name": name, "id": id, "receipt": receipt, "payload": payload, "files": files}))

    async def fail(
        self,
        *,
        name: str,
        id: str,
        receipt: str,
        reason: str,
        payload: Mapping[str, Any] | Unset | None = UNSET,
        files: Sequence[FileOfItem] | Unset | None = UNSET,
        retry: bool | Unset = UNSET,
        delay_seconds: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> ItemStamp:
        """Give a work item back, or up. retry: again later, as long as the queue allows further attempts. delay_seconds: instead of the queue's back-off."""
        return cast(ItemStamp, await self._call("work_items.fail", {"idempotency_key": idempotency_key, "name": name, "id": id, "receipt": receipt, "payload": payload, "files": files, "reason": reason, "retry": retry, "delay_seconds": delay_seconds}))

    async def get(
        self,
        *,
        name: str,
        id: str,
    ) -> Item:
        """Read a work item."""
        return cast(Item, await self._call("work_items.get", {"name": name, "id": id}))

    async def query(
        self,
        *,
        name: str,
        filter: Mapping[str, Any] | Unset = UNSET,
        limit: int | Unset = UNSET,
        after: str | Unset | None = UNSET,
    ) -> ItemPage:
        """Find work items. In the order of adding. after: the `after` of the page before."""
        return cast(ItemPage, await self._call("work_items.query", {"name": name, "filter": filter, "limit": limit, "after": after}))

    async def count(
        self,
        *,
        name: str,
        filter: Mapping[str, Any] | Unset = UNSET,
    ) -> ItemCount:
        """Count work items."""
        return cast(ItemCount, await self._call("work_items.count", {"name": name, "filter": filter}))

    async def retry(
        self,
        *,
        name: str,
        id: str,
        idempotency_key: str | Unset | None = UNSET,
    ) -> ItemStamp:
        """Make a failed work item ready again. A failed item becomes ready again, with all its attempts before it."""
        return cast(ItemStamp, await self._call("work_items.retry", {"idempotency_key": idempotency_key, "name": name, "id": id}))

    async def delete(
        self,
        *,
        name: str,
        id: str,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Delete a work item."""
        await self._call("work_items.delete", {"idempotency_key": idempotency_key, "name": name, "id": id})

    async def purge(
        self,
        *,
        name: str,
        filter: Mapping[str, Any] | Unset = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> PurgedItems:
        """Delete all work items that match."""
        return cast(PurgedItems, await self._call("work_items.purge", {"idempotency_key": idempotency_key, "name": name, "filter": filter}))


class AsyncAudit:
    def __init__(self, call: AsyncCall) -> None:
        self._call = call

    async def query(
        self,
        *,
        caller: str | Unset | None = UNSET,
        operation: str | Unset | None = UNSET,
        code: str | Unset | None = UNSET,
        target: str | Unset | None = UNSET,
        since: str | Unset | None = UNSET,
        until: str | Unset | None = UNSET,
        limit: int | Unset = UNSET,
        cursor: str | Unset | None = UNSET,
    ) -> AuditPage:
        """Look up what was denied (administrators). All that is given must fit. since, until: RFC 3339, as in the answers."""
        return cast(AuditPage, await self._call("audit.query", {"caller": caller, "operation": operation, "code": code, "target": target, "since": since, "until": until, "limit": limit, "cursor": cursor}))


class AsyncFiles:
    def __init__(self, call: AsyncCall) -> None:
        self._call = call

    async def upload(
        self,
        *,
        collection: str,
        content: str,
        name: str | Unset = UNSET,
        type: str | Unset = UNSET,
        sha256: str | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> FileReply:
        """Store a file."""
        return cast(FileReply, await self._call("files.upload", {"idempotency_key": idempotency_key, "collection": collection, "name": name, "type": type, "sha256": sha256, "content": content}))

    async def replace(
        self,
        *,
        collection: str,
        id: str,
        content: str,
        name: str | Unset = UNSET,
        type: str | Unset = UNSET,
        sha256: str | Unset | None = UNSET,
        version: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> FileReply:
        """Exchange the content of a file."""
        return cast(FileReply, await self._call("files.replace", {"idempotency_key": idempotency_key, "collection": collection, "name": name, "type": type, "sha256": sha256, "id": id, "version": version, "content": content}))

    async def download(
        self,
        *,
        collection: str,
        id: str,
        start: int | Unset = UNSET,
        length: int | Unset = UNSET,
    ) -> FilePart:
        """Read the content of a file, or a part of it. A part of the content: `length` bytes from `start` on, or up to the end."""
        return cast(FilePart, await self._call("files.download", {"collection": collection, "id": id, "start": start, "length": length}))

    async def get(
        self,
        *,
        collection: str,
        id: str,
    ) -> FileReply:
        """Read what is known of a file."""
        return cast(FileReply, await self._call("files.get", {"collection": collection, "id": id}))

    async def query(
        self,
        *,
        collection: str,
        filter: Mapping[str, Any] | Unset = UNSET,
        sort: Mapping[str, Literal[1, -1]] | Unset = UNSET,
        limit: int | Unset = UNSET,
        cursor: str | Unset | None = UNSET,
    ) -> FilePage:
        """Find files. Fields: name, type, size, sha256, and the system fields of documents."""
        return cast(FilePage, await self._call("files.query", {"collection": collection, "filter": filter, "sort": sort, "limit": limit, "cursor": cursor}))

    async def delete(
        self,
        *,
        collection: str,
        id: str,
        version: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> None:
        """Delete a file."""
        await self._call("files.delete", {"idempotency_key": idempotency_key, "collection": collection, "id": id, "version": version})

    async def get_acl(
        self,
        *,
        collection: str,
        id: str,
    ) -> AclReply:
        """Read who may do what with a file."""
        return cast(AclReply, await self._call("files.get_acl", {"collection": collection, "id": id}))

    async def set_acl(
        self,
        *,
        collection: str,
        id: str,
        acl: Sequence[DocumentEntry] | None,
        version: int | Unset | None = UNSET,
        idempotency_key: str | Unset | None = UNSET,
    ) -> AclReply:
        """Change who may do what with a file."""
        return cast(AclReply, await self._call("files.set_acl", {"idempotency_key": idempotency_key, "collection": collection, "id": id, "acl": acl, "version": version}))


class AsyncKeys:
    def __init__(self, call: AsyncCall) -> None:
        self._call = call

    async def report(
        self,
    ) -> KeysReport:
        """Count what is sealed under each key."""
        return cast(KeysReport, await self._call("keys.report", {}))

    async def reseal(
        self,
        *,
        limit: int | Unset = UNSET,
    ) -> Resealed:
        """Bring what is sealed under the current key. limit: so many documents and versions at most; the same request again goes on."""
        return cast(Resealed, await self._call("keys.reseal", {"limit": limit}))


class AsyncOperations:
    def __init__(self, call: AsyncCall) -> None:
        self.documents = AsyncDocuments(call)
        self.collections = AsyncCollections(call)
        self.roles = AsyncRoles(call)
        self.queues = AsyncQueues(call)
        self.exchanges = AsyncExchanges(call)
        self.work_items = AsyncWorkItems(call)
        self.audit = AsyncAudit(call)
        self.files = AsyncFiles(call)
        self.keys = AsyncKeys(call)
