"""Owns what a server of a double may do instead of answering, and what every double keeps of that."""

from dataclasses import dataclass
from threading import Event


@dataclass
class Trouble:
    """What one path does instead of answering: wait (seconds), a status, a redirect, a body (of `size` bytes), or an end (cut)
    in the middle. What takes long ends when the double is closed."""

    wait: float = 0.0
    status: int | None = None
    location: str | None = None
    size: int = 0
    body: bytes | None = None
    drip: bool = False
    cut: bool = False


class Troubled:
    """What every double keeps: trouble by path, and `finished`: the paths whose long trouble somebody waited for to the end."""

    def __init__(self) -> None:
        self.trouble: dict[str, Trouble] = {}
        self.faults: list[Exception] = []
        self.finished: list[str] = []
        self.closing = Event()
