"""Changes to stored bodies between versions of Sheaf: a list of numbered steps that both engines run.
Leaves to the engines what needs no step: new collections, new keys, new or dropped indexes, new fields with defaults.

To change what is stored (rename or split a field, tighten a type) append a Step; never edit or remove a released one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from idp.base.errors import Misconfigured

Change = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Step:
    """change: old body -> new body, pure. It may run again over its own result (several processes start at once, or one
    is killed half-way), so change(change(body)) must equal change(body)."""

    collection: str
    why: str
    change: Change


STEPS: tuple[Step, ...] = ()


def missing(stored: int, steps: Sequence[Step]) -> Sequence[Step]:
    """The steps that a store at version `stored` has not seen. A store has version len(steps) when it is up to date.
    Raises Misconfigured when the store was written by a newer Sheaf."""
    if stored > len(steps):
        raise Misconfigured(
            "store.url",
            f"The store was written by a newer Sheaf (store version {stored}, this one knows {len(steps)}).",
            "Run that version, or restore a backup made before the upgrade.",
        )
    return steps[stored:]
