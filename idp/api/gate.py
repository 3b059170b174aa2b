"""Owns the way that every request takes, whatever transport it came by: limits, token, scope, roles, the operation; denials are noted.

Parts are made by app.py; rights on documents and queues are left to the operations.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from idp.api.audit import Audit
from idp.api.brokers.contract import Broker
from idp.api.caller import Caller, TokenJudge
from idp.api.commands import OPERATIONS, Message
from idp.api.dispatch import priority
from idp.api.dispatch.dispatch import Dispatch, Sent
from idp.api.dispatch.priority import Principals
from idp.api.document_store.contract import DocumentStore
from idp.api.files.files import Files
from idp.api.limits import Limits
from idp.api.roles import Roles
from idp.api.sender import Carried
from idp.api.watch.changes import Changes
from idp.api.wire import to_request
from idp.base.errors import Refused
from idp.base.forwarded import forwarded_for

Handler = Callable[[Caller, Any], Message]


@dataclass(frozen=True)
class Api:
    """What every transport needs. url: under which clients reach it; transports: where the other ones are. hops: how many
    proxies stand in front of it. dispatch: None when each node executes what it got. urgent: who may send what goes first."""

    issuer: str
    audience: str
    url: str
    judge: TokenJudge
    store: DocumentStore
    broker: Broker
    roles: Roles
    limits: Limits
    audit: Audit
    handlers: Mapping[str, Handler]
    hops: int = 0
    changes: Changes = field(kw_only=True)
    files: Files = field(kw_only=True)
    dispatch: Dispatch | None = field(default=None, kw_only=True)
    urgent: Principals = field(default=frozenset(), kw_only=True)
    transports: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    wakes: Callable[[Caller, str, Callable[[], None]], Callable[[], None]] = field(kw_only=True)

    def admit(self, name: str, authorization: str | None, carried: Carried) -> Caller:
        """Who sends this request for the operation `name`. Raises Refused 401, 429, 503."""
        self.limits.take_address(forwarded_for(carried.headers.get("x-forwarded-for"), self.hops) or carried.peer)
        try:
            caller = self.judge.judge(authorization, carried)
        except Refused as refused:
            self.audit.note(refused, name, None, {})
            raise
        self.limits.take_caller(caller.subject, caller.client_id)
        return caller

    def answer(
        self,
        name: str,
        caller: Caller,
        members: Callable[[], Mapping[str, Any]],
        authorization: str | None,
        carried: Carried,
    ) -> Message:
        """What was admitted, done here or by any node, as `api.dispatch` says. Raises Refused."""
        try:
            rank = priority.rank(caller, carried.priority, self.urgent)
        except Refused as refused:
            self.audit.note(refused, name, caller, {})
            raise
        if self.dispatch is None:
            return self.run(name, caller, members)
        token = (authorization or "").partition(" ")[2].strip(" ")
        return self.dispatch.answer(Sent(name, caller, token, self._read(name, caller, members), rank))

    def run(self, name: str, caller: Caller, members: Callable[[], Mapping[str, Any]]) -> Message:
        """Scope first, then the request is read, then the operation with its own rights. Raises Refused."""
        return self._execute(name, caller, self._read(name, caller, members))

    def start(self) -> None:
        """Take part in what is dispatched, in the process that serves."""
        if self.dispatch:
            self.dispatch.start(self._execute_for)

    def _read(self, name: str, caller: Caller, members: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        try:
            caller.require_scope(OPERATIONS[name].scope)
            return members()
        except Refused as refused:
            self.audit.note(refused, name, caller, {})
            raise

    def _execute_for(self, name: str, token: str, given: Mapping[str, Any]) -> Message:
        """What comes over the queue. A proof was for the node that it was sent to; what the token is worth is asked anew."""
        try:
            caller = self.judge.again(token)
        except Refused as refused:
            self.audit.note(refused, name, None, given)
            raise
        return self._execute(name, caller, given)

    def _execute(self, name: str, caller: Caller, given: Mapping[str, Any]) -> Message:
        operation = OPERATIONS[name]
        try:
            # Asked again: on another node the token may be worth less by now.
            caller.require_scope(operation.scope)
            return self.handlers[name](self.roles.complete(caller), to_request(operation, given))
        except Refused as refused:
            self.audit.note(refused, name, caller, given)
            raise

    def ready(self) -> None:
        """Raises Refused 503 that names the part which does not answer."""
        self.store.ready()
        self.broker.ready()
        if self.dispatch:
            self.dispatch.ready()

    def close(self) -> None:
        if self.dispatch:
            self.dispatch.close()
        self.audit.close()
        self.limits.close()
        self.broker.close()
        self.files.close()
        self.store.close()
