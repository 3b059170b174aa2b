"""Owns what shared counters must do. What is counted is left to limits.py."""

from typing import Protocol


class Counters(Protocol):
    """Raises Refused 503 when they do not answer."""

    def reserve(self, key: str, amount: int, limit: int, until: float) -> int:
        """Take `amount` of what is left below `limit` under `key`, or what is left; 0 when nothing is. Over all nodes never
        more than `limit` is given out. The key is forgotten after `until`, in epoch seconds."""

    def close(self) -> None: ...
