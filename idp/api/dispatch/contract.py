"""Owns what carries requests between nodes must do: embedded.py, and brokers/rabbitmq_courier.py. What is carried, sealed, is
dispatch.py's."""

from collections.abc import Callable
from typing import Protocol

# (id, sealed request) -> sealed answer; None when nobody waits for it. Never raises.
Execute = Callable[[str, str], str | None]
# (id, sealed answer)
Answered = Callable[[str, str], None]


class Courier(Protocol):
    """Gives each request to one process that has a thread free, the highest rank first, within it the oldest. A request whose
    process dies is given to another one, so it may come twice. Nothing is kept for anybody: who asked waits for the answer."""

    def start(self, threads: int, execute: Execute, answered: Answered, lost: Callable[[], None]) -> None:
        """From now on this process executes, too, so many at once. lost: is called when answers on their way are lost."""

    def send(self, id: str, rank: int, body: str) -> None:
        """Raises Refused 503; it may then be executed all the same."""

    def ready(self) -> None:
        """Raises Refused 503."""

    def close(self) -> None: ...
