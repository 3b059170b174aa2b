"""Owns that a request with an idempotency key has its effect once: the same key, caller and request get the same answer, for a day.

Keeping what was done is left to the store: in the same commit as the effect where the effect is a commit (`commit`), before and
after it where it is something else (`carry_out`).
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from idp.api.caller import Caller
from idp.api.commands import OPERATIONS, Effect, Message
from idp.api.document_store.contract import (
    DocumentStore,
    DoneBefore,
    Duplicate,
    Memory,
    NotUnique,
    Overtaken,
    Write,
)
from idp.base import ids
from idp.base.clock import Clock
from idp.base.errors import Refused

KEPT_SECONDS = 86_400.0
MAX_TRIES = 50
M = TypeVar("M", bound=Message)


class Once:
    def __init__(self, store: DocumentStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def commit(
        self, caller: Caller, operation: str, asked: Effect, plan: Callable[[float], tuple[Sequence[Write], M]]
    ) -> M:
        """`plan` reads, judges, and says what to write and what to answer. When somebody else was faster it is asked anew, so that
        what was judged is what holds at the moment of writing."""
        taken = False
        for _ in range(MAX_TRIES):
            known: M | None = self.answered(caller, operation, asked)
            if known:
                return known
            writes, answer = plan(self._clock())
            try:
                self._store.commit(writes, self.memory(caller, operation, asked, answer))
            except (Overtaken, Duplicate, DoneBefore):
                continue
            except NotUnique as found:
                if taken:  # anew once: an upsert may now find what was just made
                    raise not_unique(found) from None
                taken = True
                continue
            return answer
        message = "Too many write the same thing at once. Try again."
        raise Refused("contended", message, status=503, headers={"Retry-After": "1"})

    def memory(self, caller: Caller, operation: str, asked: Effect, answer: Message | None) -> Memory | None:
        """What is to be remembered with the effect; None when the request has no key. answer None: the effect only begins."""
        if asked.idempotency_key is None:
            return None
        key = ids.digest(json.dumps([caller.client_id, caller.subject, asked.idempotency_key]))
        # What was left out and what was given as null are not the same request.
        request = asked.model_dump_json(exclude_unset=True, exclude={"idempotency_key"})
        now = self._clock()
        told = "" if answer is None else answer.model_dump_json()
        return Memory(key, ids.digest(f"{operation}\n{request}"), told, now + KEPT_SECONDS, at=now)

    def answered(self, caller: Caller, operation: str, asked: Effect) -> Any:
        """The answer that this request got before. Raises Refused 422 when its key was used for another one."""
        mine = self.memory(caller, operation, asked, None)
        known = self._recall(mine) if mine else None
        return _answer(operation, known) if known and known.answer else None

    def carry_out(self, caller: Caller, operation: str, asked: Effect, effect: Callable[[str], Message]) -> Message:
        """For an effect that is no commit. It is given 32 characters to make its ids of, the same ones when the request comes
        again after a crash: it must then not happen twice."""
        begun = self.memory(caller, operation, asked, None)
        if begun is None:
            return effect(secrets.token_hex(16))
        known = self._recall(begun) or self._begin(begun)
        if known.answer:
            answered: Message = _answer(operation, known)
            return answered
        # With the time, because the same key may be used again when it is forgotten.
        answer = effect(hashlib.sha256(f"{known.key}{known.until}".encode()).hexdigest()[:32])
        self._store.conclude(replace(known, answer=answer.model_dump_json()))
        return answer

    def _begin(self, begun: Memory) -> Memory:
        try:
            self._store.commit([], begun)
        except DoneBefore:  # the same request is being carried out by somebody else
            return self._recall(begun) or begun
        return begun

    def _recall(self, mine: Memory) -> Memory | None:
        known = self._store.recall(mine.key, self._clock())
        if known and known.request != mine.request:
            message = "This idempotency key was used for another request within the last day."
            raise Refused("idempotency_key_reused", message, status=422)
        return known


def _answer(operation: str, known: Memory) -> Any:
    return OPERATIONS[operation].response.model_validate_json(known.answer)


def not_unique(found: NotUnique) -> Refused:
    """The same words whether or not the caller may read the other document."""
    message = "Another document of the collection holds these values already."
    return Refused("not_unique", message, status=409, detail={"index": found.index})
