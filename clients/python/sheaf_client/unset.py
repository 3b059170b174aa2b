"""Owns the difference between a member that is left out and one that is null."""

from typing import Final


class Unset:
    """Left out: the companion takes its default."""

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET: Final = Unset()
