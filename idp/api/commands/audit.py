"""Owns the commands on the record of denials."""

from typing import Annotated, Final

from pydantic import Field

from idp.api.commands.common import Message, Operation
from idp.base import claims

Text = Annotated[str, Field(min_length=1, max_length=300)]


class QueryAudit(Message):
    """All that is given must fit. since, until: RFC 3339, as in the answers."""

    caller: Text | None = None
    operation: Text | None = None
    code: Text | None = None
    target: Text | None = None
    since: Text | None = None
    until: Text | None = None
    limit: int = Field(100, ge=1, le=1000)
    cursor: str | None = Field(None, max_length=1000)


class Denial(Message):
    """The same denial within a minute is one line. target: collection, document or queue. trace: of the first of them, which
    stands in the log with the precise reason. caller: empty when the token said nobody."""

    at: str
    last_at: str
    count: int
    caller: str
    client_id: str
    operation: str
    target: str
    code: str
    trace: str


class AuditPage(Message):
    """Newest first. cursor: null on the last page."""

    denials: list[Denial]
    cursor: str | None


OPERATIONS: Final = (
    Operation(
        "audit.query", QueryAudit, AuditPage, claims.DOCUMENTS_MANAGE, "Look up what was denied (administrators)"
    ),
)
