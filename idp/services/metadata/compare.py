"""A copy of a peer's metadata beside the one that counts: whether it is theirs, what would change, a name for what it says.

Leaves which parts there are to idp.saml.changes, and deciding to watch. Loads idp.saml when it is asked.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from idp.base import ids
from idp.base.errors import Refused

if TYPE_CHECKING:
    from idp.saml.changes import Change, View


@dataclass(frozen=True, slots=True)
class Pending:
    """A copy that waits for somebody to agree. digest: of what it says; adopt and discard take it, so that nobody agrees to
    another copy than the one that was shown. problem: why it cannot be adopted as it is, empty when it can."""

    metadata: str
    at: float
    digest: str
    changes: "tuple[Change, ...]"
    problem: str = ""

    @property
    def grave(self) -> bool:
        return any(one.grave for one in self.changes)


def changes(old: "View | None", new: "View") -> "list[Change]":
    """old: None when there is none that can be used; then everything is new."""
    from idp.saml.changes import Change, between, parts_of

    return between(old, new) if old is not None else [Change(part, (), one) for part, one in parts_of(new).items()]


def said_by(view: "View") -> str:
    """A digest of what it says: the same words with a new date or signature are the same."""
    from idp.saml.changes import parts_of

    return ids.digest(json.dumps(dict(parts_of(view)), sort_keys=True))


def parts(found: "Sequence[Change]") -> str:
    """The names of what changes, for the audit."""
    return " ".join(one.part for one in found)[:300]


def verified(body: bytes, certificates: Sequence[str], entity_id: str) -> str:
    """What one of the certificates has signed, as text; all of it when there are none. Raises Refused(metadata_unusable)."""
    from idp.saml import signed_metadata
    from idp.saml.metadata_document import Problem

    try:
        return (signed_metadata.verified(body, certificates, entity_id) if certificates else body).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise unusable("they are not UTF-8") from None
    except Problem as problem:
        raise unusable(str(problem)) from None


def unusable(why: str) -> Refused:
    return Refused("metadata_unusable", f"The new metadata cannot be used: {why}.", reason=why)
