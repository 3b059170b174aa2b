"""Owns what reading and writing share: who gets which document, and how it is shown.

A document that the caller may not read does not exist for the caller: 404, whatever was asked.
"""

from typing import Any

from idp.api import acl
from idp.api.caller import Caller
from idp.api.commands import documents as commands
from idp.api.document_store.contract import Document
from idp.base.errors import Refused


def permitted(caller: Caller, right: str, document: Document | None) -> Document:
    """The document if the caller may read it and do that; else Refused 404 or 403."""
    if document is None or not acl.may(caller, "read", document.acl):
        raise Refused("unknown_document", "There is no such document, or you may not read it.", status=404)
    if not acl.may(caller, right, document.acl):
        raise Refused("not_permitted", f"You may not {right} this document.", status=403, detail={"right": right})
    return document


def may_unseal(caller: Caller, document: Document) -> bool:
    """A narrowed token sees what is sealed only if it says so; without, what it reads is redacted."""
    try:
        caller.require_on_collection(document.collection, "unseal")
    except Refused:
        return False
    return acl.may(caller, "unseal", document.acl)


def stamp(d: Document) -> commands.DocumentStamp:
    return commands.DocumentStamp(**stamp_of(d))


def stamp_of(d: Document) -> dict[str, Any]:
    """The members of a DocumentStamp, which other answers have too."""
    return {
        "id": d.id, "version": d.version, "created_at": d.created_at, "created_by": d.created_by,
        "updated_at": d.updated_at, "updated_by": d.updated_by,
    }  # fmt: skip


def acl_reply(d: Document) -> commands.AclReply:
    return commands.AclReply(id=d.id, version=d.version, acl=acl.to_json(d.acl))
