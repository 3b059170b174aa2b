"""Owns requests over the queue: a judged request is sealed and sent, whichever node is free judges its token anew, executes it and
answers the node that asked.

How it travels is a courier's, fair shares are shares.py's, rights those of the operation. A request has an idempotency key, its
own id when the client gave none, so that one that comes twice because a node died has its effect once.
"""

import json
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as Late
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from idp.api.caller import Caller
from idp.api.commands import OPERATIONS, Effect, Message
from idp.api.dispatch.contract import Courier
from idp.api.dispatch.shares import Shares
from idp.api.documents.keyring import CannotOpen, Keyring
from idp.api.problems import RETRY_SECONDS, tell, unavailable
from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused
from idp.base.log import event

logger = logging.getLogger("idp.api.dispatch")

ANSWER_SECONDS: Final = 20.0
LEAST_THREADS: Final = 4  # a quarter of them is for others than the one who floods
MOST_THREADS: Final = 16  # with more, one caller could hold all threads of the process that wait for answers
# Executed where they arrive: bytes of files are no messages; a take waits, and one whose answer is lost holds a message.
HERE: Final = frozenset(
    {"queues.take", "queues.fetch_reply", *(name for name in OPERATIONS if name.startswith("files."))}
)
OF_PROBLEM: Final = ("type", "title", "status", "detail", "code", "trace")

# (operation, token, members)
Run = Callable[[str, str, Mapping[str, Any]], Message]


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that was admitted here. token: of its caller."""

    operation: str
    caller: Caller
    token: str
    members: Mapping[str, Any]
    rank: int

    def __repr__(self) -> str:
        return f"Sent({self.operation})"


class Dispatch:
    """threads: that execute in this process. Safe to share between threads."""

    def __init__(self, courier: Courier, keyring: Keyring, clock: Clock, threads: int) -> None:
        self._courier = courier
        self._keyring = keyring
        self._clock = clock
        self._threads = min(max(threads, LEAST_THREADS), MOST_THREADS)
        self._shares = Shares(self._threads)
        self._asked: dict[str, Future[str]] = {}
        self._run: Run

    def start(self, run: Run) -> None:
        """run: judges the token and does the operation, with its rights. Before anything is asked."""
        self._run = run
        self._courier.start(self._threads, self._execute, self._answered, self._lost)

    def answer(self, sent: Sent) -> Message:
        """Raises Refused: what the operation refuses; 429, 503."""
        deadline = self._clock() + ANSWER_SECONDS
        caller = sent.caller
        with self._shares.turn(f"{caller.client_id}\n{caller.subject}", sent.rank, ANSWER_SECONDS):
            if sent.operation in HERE:
                return self._run(sent.operation, sent.token, sent.members)
            return self._ask(sent, deadline)

    def ready(self) -> None:
        """Raises Refused 503."""
        self._courier.ready()

    def close(self) -> None:
        self._courier.close()

    def _ask(self, sent: Sent, deadline: float) -> Message:
        id, operation, members = ids.public_id("req"), OPERATIONS[sent.operation], sent.members
        if issubclass(operation.request, Effect) and members.get("idempotency_key") is None:
            members = {**members, "idempotency_key": id}
        tree = {"operation": operation.name, "members": members, "token": sent.token, "deadline": deadline}
        body = self._keyring.seal_text(json.dumps(tree), ("dispatch", "request", id))
        future = self._asked[id] = Future()
        try:
            self._courier.send(id, sent.rank, body)
            answer = future.result(max(0.0, deadline - self._clock()))
        except Late:
            raise _no_answer() from None
        finally:
            del self._asked[id]
        return self._read(operation.response, id, answer)

    def _read(self, response: type[Message], id: str, sealed: str) -> Message:
        tree = json.loads(self._opened(sealed, "answer", id))
        if "result" in tree:
            return response.model_validate_json(tree["result"])
        body = tree["problem"]
        detail = {name: value for name, value in body.items() if name not in OF_PROBLEM}
        refused = Refused(
            body["code"], body["detail"], status=body["status"], detail=detail, headers=tree["headers"],
            reason="refused by the node that executed it",
        )  # fmt: skip
        refused.trace = body["trace"]
        raise refused

    def _opened(self, sealed: str, what: str, id: str) -> str:
        try:
            return self._keyring.open_text(sealed, ("dispatch", what, id))
        except CannotOpen as why:
            raise unavailable("keyring", f"dispatch: {why}; do all nodes have the same keyring?") from None

    def _answered(self, id: str, sealed: str) -> None:
        future = self._asked.get(id)
        with suppress(InvalidStateError):  # it was answered twice, or given up
            if future:
                future.set_result(sealed)

    def _lost(self) -> None:
        for future in list(self._asked.values()):
            with suppress(InvalidStateError):
                future.set_exception(unavailable("broker", "the connection was lost while an answer was awaited"))

    # --- on the node that executes -------------------------------------------------------------------------------------

    def _execute(self, id: str, sealed: str) -> str | None:
        tree: dict[str, Any] = {}
        try:
            tree = json.loads(self._opened(sealed, "request", id))
            if tree["deadline"] <= self._clock():
                return None
            answer = self._run(tree["operation"], tree["token"], tree["members"])
            told: dict[str, Any] = {"result": answer.model_dump_json()}
        except Exception as error:  # noqa: BLE001  (as in a transport: told and logged)
            problem = tell(error, transport="dispatch", operation=tree.get("operation"))
            told = {"problem": problem.body, "headers": problem.headers}
        try:
            return self._keyring.seal_text(json.dumps(told), ("dispatch", "answer", id))
        except Refused as refused:
            event(logger, "answer_not_sealed", logging.ERROR, request=id, reason=refused.reason)
            return None


def _no_answer() -> Refused:
    return Refused(
        "no_answer", "No node answered in time. It may have happened: ask again with the same idempotency key.",
        status=503, headers={"Retry-After": str(RETRY_SECONDS)},
    )  # fmt: skip
