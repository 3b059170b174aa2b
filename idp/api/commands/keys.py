"""Owns the commands on the keys under which fields are sealed. The keys themselves are never asked for nor told."""

from typing import Any, Final

from pydantic import Field

from idp.api.commands.common import Message, Operation
from idp.base import claims


class ReportKeys(Message): ...


class Reseal(Message):
    """limit: so many documents and versions at most; the same request again goes on."""

    limit: int = Field(500, ge=1, le=10_000)


class KeyReport(Message):
    """sealed: documents and versions of documents that hold something sealed under this key, at this moment. loaded:
    whether this node has the key."""

    key: str
    current: bool
    loaded: bool
    sealed: int


class KeysReport(Message):
    keys: list[KeyReport]


class Resealed(Message):
    """left: documents and versions still under other keys than the current one. failed: those of them that do not open;
    whoever has their key or a backup can help them, nobody else."""

    resealed: int
    left: int
    failed: list[dict[str, Any]]


MANAGE: Final = claims.DOCUMENTS_MANAGE
OPERATIONS: Final = (
    Operation("keys.report", ReportKeys, KeysReport, MANAGE, "Count what is sealed under each key"),
    Operation("keys.reseal", Reseal, Resealed, MANAGE, "Bring what is sealed under the current key"),
)
