"""Owns the commands on work items: jobs in a queue that have a state, a lease, retries and a result."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from idp.api.commands.common import CollectionName, Effect, Id, Message, Nothing, Operation
from idp.api.commands.queues import Delay, NamedQueue, Priority, Sender
from idp.base import claims

State = Literal["ready", "delayed", "taken", "completed", "failed"]
Lease = Annotated[int, Field(ge=1, le=3600)]


class FileOfItem(Message):
    """A file of the companion. Whoever reads it needs the right on the file itself."""

    collection: CollectionName
    id: Id


Files = Annotated[list[FileOfItem], Field(max_length=20)]


class AddItem(NamedQueue, Effect):
    """delay_seconds: not before so many seconds from now."""

    payload: dict[str, Any]
    files: Files = Field([])
    priority: Priority | None = None
    delay_seconds: Delay = 0


class TakeItem(NamedQueue):
    lease_seconds: Lease = 60


class OneItem(NamedQueue):
    id: Id


class GetItem(OneItem): ...


class DeleteItem(OneItem, Effect): ...


class RetryItem(OneItem, Effect):
    """A failed item becomes ready again, with all its attempts before it."""


class HeldItem(OneItem, Effect):
    """receipt: from the take."""

    receipt: str = Field(min_length=1, max_length=200)


class RenewItem(HeldItem):
    lease_seconds: Lease = 60


class UpdateItem(HeldItem):
    """payload, files: what is given takes the place of what was."""

    payload: dict[str, Any] | None = None
    files: Files | None = None


class CompleteItem(UpdateItem): ...


class FailItem(UpdateItem):
    """retry: again later, as long as the queue allows further attempts. delay_seconds: instead of the queue's back-off."""

    reason: str = Field(min_length=1, max_length=1000)
    retry: bool = True
    delay_seconds: Delay | None = None


class CountItems(NamedQueue):
    filter: dict[str, Any] = Field({})


class QueryItems(CountItems):
    """In the order of adding. after: the `after` of the page before."""

    limit: int = Field(100, ge=1, le=1000)
    after: Id | None = None


class PurgeItems(CountItems, Effect): ...


class Failure(Message):
    reason: str
    at: str


class Elsewhere(Message):
    """An item in another queue. id null: it could not be put there, because `problem`."""

    queue: str
    id: str | None
    problem: str | None = None


class ItemStamp(Message):
    """due_at: when it becomes ready (delayed), or returns (taken). followed_by: where the queue sent it on to."""

    id: str
    state: State
    due_at: str | None
    followed_by: Elsewhere | None


class Item(ItemStamp):
    priority: int
    payload: dict[str, Any]
    files: list[FileOfItem]
    attempts: int
    added_at: str
    added_by: Sender
    finished_at: str | None
    failure: Failure | None
    came_from: Elsewhere | None


class TakenItem(Item):
    receipt: str


class TakeItemReply(Message):
    item: TakenItem | None


class ItemPage(Message):
    """after: for the next page; null on the last one."""

    items: list[Item]
    after: str | None


class ItemCount(Message):
    """more: there are more; counting ends at 10,000."""

    count: int
    more: bool


class PurgedItems(Message):
    """more: so many were deleted in one go, and there are more."""

    deleted: int
    more: bool


_PUBLISH, _CONSUME, _MANAGE = claims.QUEUES_PUBLISH, claims.QUEUES_CONSUME, claims.QUEUES_MANAGE
OPERATIONS: Final = (
    Operation("work_items.add", AddItem, ItemStamp, _PUBLISH, "Add a work item"),
    Operation("work_items.take", TakeItem, TakeItemReply, _CONSUME, "Take the next work item on a lease"),
    Operation("work_items.renew", RenewItem, ItemStamp, _CONSUME, "Keep a work item longer"),
    Operation("work_items.update", UpdateItem, ItemStamp, _CONSUME, "Change the payload of a work item one holds"),
    Operation("work_items.complete", CompleteItem, ItemStamp, _CONSUME, "Done with a work item"),
    Operation("work_items.fail", FailItem, ItemStamp, _CONSUME, "Give a work item back, or up"),
    Operation("work_items.get", GetItem, Item, _CONSUME, "Read a work item"),
    Operation("work_items.query", QueryItems, ItemPage, _CONSUME, "Find work items"),
    Operation("work_items.count", CountItems, ItemCount, _CONSUME, "Count work items"),
    Operation("work_items.retry", RetryItem, ItemStamp, _MANAGE, "Make a failed work item ready again"),
    Operation("work_items.delete", DeleteItem, Nothing, _MANAGE, "Delete a work item"),
    Operation("work_items.purge", PurgeItems, PurgedItems, _MANAGE, "Delete all work items that match"),
)
