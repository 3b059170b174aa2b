"""Owns the list of what is declared, for one caller: what it has a right on and its token allows.

Nothing else is named or counted, nor does a page end where something hidden stands.
"""

from idp.api import acl
from idp.api.caller import Caller
from idp.api.commands import queues as commands
from idp.api.document_store.contract import Document, DocumentStore, Find, Sight
from idp.api.language import Combine, Compare, Node
from idp.api.queues.declarations import SYSTEM, kind_of
from idp.base.clock import Clock

BY_NAME = ((("_id",), 1),)


class Listing:
    def __init__(self, store: DocumentStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def list(self, caller: Caller, asked: commands.ListQueues) -> commands.QueueList:
        rights: dict[str, list[acl.QueueRight]] = {}
        declared: dict[str, Document] = {}
        known_to: list[str] = []  # behind the smallest of these, some right was not looked for
        for right in acl.QUEUE_RIGHTS:
            sight = Sight(acl.wanted_keys(caller, right), self._clock())
            found = self._store.find(
                SYSTEM, Find(_allowed(caller, right), BY_NAME, sight, asked.limit, after=asked.after)
            )
            for queue in found.documents:
                declared[queue.id] = queue
                rights.setdefault(queue.id, []).append(right)
            if found.more:
                known_to.append(found.documents[-1].id)
        names = sorted(name for name in declared if not known_to or name <= min(known_to))
        page = names[: asked.limit]
        more = bool(known_to) or len(names) > len(page)
        shown = [commands.Listed(name=n, kind=kind_of(declared[n]), rights=rights[n]) for n in page]
        return commands.QueueList(queues=shown, after=page[-1] if more else None)


def _allowed(caller: Caller, right: str) -> Node:
    if caller.narrowing is None:
        return Combine("$and", ())
    names = {name for on in caller.narrowing.queues if right in on.rights for name in on.names}
    return Compare(("_id",), "$in", tuple(sorted(names)))
