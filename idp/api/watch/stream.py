"""Owns one open stream: whose it is at this moment, and that it ends as soon as its token does.

What it gives is left to watching.py and consuming.py, how events travel to the transports.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from idp.api.caller import Caller
from idp.api.problems import bad_token, insufficient_scope
from idp.base.errors import Refused


class Stream:
    """asked: the request. scope: what its token must have as long as it is open. held: receipts of messages in the hands of
    its consumer, until when; rung: something may have changed for it. On the event loop, but for `caller_at`."""

    def __init__(self, token: str, caller: Caller, asked: Any, scope: str) -> None:
        self.token = token
        self.asked = asked
        self.scope = scope
        self.held: dict[str, float] = {}
        self.rung = asyncio.Event()
        self._caller = caller
        self._task: asyncio.Task[Any] | None = None
        self._reason: Refused | None = None

    def caller_at(self, now: float) -> Caller:
        """Raises Refused 401 when the token is over."""
        if self._caller.expires_at <= now:
            raise bad_token("expired_token", "The token has expired.")
        return self._caller

    def judged(self, token: str, verdict: Caller | Refused) -> None:
        """What the token is worth now; of no interest when there is another one meanwhile."""
        if token != self.token:
            return
        if isinstance(verdict, Refused):
            self.end(verdict)
        elif self.scope not in verdict.scopes:
            self.end(insufficient_scope(self.scope))
        else:
            self._caller = verdict

    def renew(self, token: str, caller: Caller) -> None:
        """Another token of the same user and client takes the place of the old one."""
        if caller.name == self._caller.name and caller.client_id == self._caller.client_id:
            self.token, self._caller = token, caller

    def end(self, reason: Refused) -> None:
        if self._task and not self._reason:
            self._reason = reason
            self._task.cancel()

    def settled(self, receipt: str) -> None:
        if self.held.pop(receipt, None) is not None:
            self.rung.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Around everything that the stream gives. `end` comes out of it as the Refused that was its reason."""
        self._task = asyncio.current_task()
        try:
            yield
        except asyncio.CancelledError:
            if self._reason is None or self._task is None:
                raise
            self._task.uncancel()
            raise self._reason from None
        finally:
            self._task = None
