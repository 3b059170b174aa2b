"""Owns what an example of an operation is."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Example:
    """good: a body that is accepted; None when the request has none. wrong: bodies with a member of a wrong type or outside its
    limits. needs: at least one member must be given. stranger: what somebody without any right gets: the code of a refusal, or
    the status of an answer."""

    good: dict[str, Any] | None = None
    wrong: tuple[dict[str, Any], ...] = ()
    needs: bool = False
    stranger: str | int = 404
