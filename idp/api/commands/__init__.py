"""Owns the command set: every operation once, as name, request, response, scope. Transports frame it, app.py runs it.

One file for each area; how foreign bytes become a request is left to wire.py.
"""

from typing import Final

from idp.api.commands import audit, collections, documents, exchanges, files, keys, queues, roles, work_items
from idp.api.commands.common import Effect, Message, Nothing, Operation, to_acl

AREAS: Final = (documents, collections, roles, queues, exchanges, work_items, audit, files, keys)
OPERATIONS: Final = {operation.name: operation for area in AREAS for operation in area.OPERATIONS}

__all__ = ["OPERATIONS", "Effect", "Message", "Nothing", "Operation", "to_acl"]
