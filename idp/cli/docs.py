"""`idp docs …`: documents of the companion from the shell, under the rights of whoever is named.

Leaves every rule to the companion.
"""

from typing import Any

import click

from idp.cli.common import group
from idp.cli.reach import reach, reaching, read_json, tell


@group("docs")
def docs() -> None:
    """Read and write documents of the companion, as one of its users."""


@docs.command("list")
@click.argument("collection")
@click.option("--filter", "filter_", metavar="JSON", help="""Such as '{"stars": {"$gte": 3}}'.""")
@click.option("--sort", metavar="JSON", help="""Such as '{"stars": -1}'.""")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="So many at most.")
@reaching
def list_documents(collection: str, filter_: str | None, sort: str | None, limit: int, **where: Any) -> None:
    """List documents of a collection, one line of JSON each.

    The first --limit of them; all: idp docs export
    """
    asked = {
        "collection": collection,
        "filter": read_json(filter_) or {},
        "sort": read_json(sort) or {},
        "limit": limit,
    }
    for document in reach(**where).call("documents.query", asked)["documents"]:
        tell(document)


@docs.command("export")
@click.argument("collection")
@click.option("--filter", "filter_", metavar="JSON", help="Only those that match.")
@reaching
def export(collection: str, filter_: str | None, **where: Any) -> None:
    """Print every document that may be read, one line of JSON each."""
    asked = {"collection": collection, "filter": read_json(filter_) or {}, "limit": 1000}
    for document in reach(**where).pages("documents.query", asked, "documents"):
        tell(document)


@docs.command("get")
@click.argument("collection")
@click.argument("id")
@click.option("--version", "number", type=int, help="As it was in this version.")
@reaching
def get(collection: str, id: str, number: int | None, **where: Any) -> None:
    """Print one document."""
    named = {"collection": collection, "id": id}
    if number is None:
        tell(reach(**where).call("documents.get", named))
    else:
        tell(reach(**where).call("documents.get_version", {**named, "number": number}))


@docs.command("insert")
@click.argument("collection")
@click.argument("content", metavar="JSON|-")
@click.option("--acl", metavar="JSON", help="Who may do what. Default: as the collection says, else only the user.")
@click.option("--key", metavar="KEY", help="Idempotency key: the same command again has no second effect.")
@reaching
def insert(collection: str, content: str, acl: str | None, key: str | None, **where: Any) -> None:
    """Store a new document."""
    given: dict[str, Any] = {"collection": collection, "data": read_json(content)}
    given |= {"acl": read_json(acl)} if acl is not None else {}
    given |= {"idempotency_key": key} if key else {}
    tell(reach(**where).call("documents.insert", given))


@docs.command("update")
@click.argument("collection")
@click.argument("id")
@click.argument("update", metavar="UPDATE|-")
@click.option("--version", type=int, help="Refuse unless this is the stored version.")
@reaching
def update(collection: str, id: str, update: str, version: int | None, **where: Any) -> None:
    """Change fields of a document.

    UPDATE is JSON with operators, such as '{"$set": {"title": "New"}, "$inc": {"stars": 1}}'. All of them: docs/documents.md
    """
    given = {"collection": collection, "id": id, "update": read_json(update), "version": version}
    tell(reach(**where).call("documents.update", given))


@docs.command("delete")
@click.argument("collection")
@click.argument("id")
@reaching
def delete(collection: str, id: str, **where: Any) -> None:
    """Delete a document. Administrators can bring it back: idp docs restore"""
    reach(**where).call("documents.delete", {"collection": collection, "id": id})


@docs.command("history")
@click.argument("collection")
@click.argument("id")
@reaching
def history(collection: str, id: str, **where: Any) -> None:
    """List the versions of a document, the newest first: who wrote it, and when."""
    tell(reach(**where).call("documents.history", {"collection": collection, "id": id}))


@docs.command("restore")
@click.argument("collection")
@click.argument("id")
@click.argument("number", type=int)
@reaching
def restore(collection: str, id: str, number: int, **where: Any) -> None:
    """Make an old version of a document the present one."""
    tell(reach(**where).call("documents.restore", {"collection": collection, "id": id, "number": number}))


@docs.command("acl")
@click.argument("collection")
@click.argument("id")
@click.argument("acl", metavar="[JSON]", required=False)
@reaching
def acl(collection: str, id: str, acl: str | None, **where: Any) -> None:
    """Print who may do what with a document; with JSON, change it.

    JSON is the whole list: '[{"kind": "user", "id": "usr_…", "rights": ["read", "update"]}]'. Kinds: user, role, client,
    everyone. Rights: read, update, delete, share, unseal. null: administrators only. Ids of users: idp user list
    """
    named = {"collection": collection, "id": id}
    if acl is None:
        tell(reach(**where).call("documents.get_acl", named))
    else:
        tell(reach(**where).call("documents.set_acl", {**named, "acl": read_json(acl)}))


@docs.command("denials")
@click.option("--caller", help="Of this caller, such as user:usr_… or client:ID.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="So many at most.")
@reaching
def denials(caller: str | None, limit: int, **where: Any) -> None:
    """List what was denied lately, the newest first (administrators)."""
    for one in reach(**where).call("audit.query", {"caller": caller, "limit": limit})["denials"]:
        tell(one)


@docs.command("call")
@click.argument("operation")
@click.argument("request", metavar="[JSON|-]", required=False)
@reaching
def call(operation: str, request: str | None, **where: Any) -> None:
    """Ask for any operation by its name.

    Such as collections.list, keys.report, or documents.count '{"collection": "notes"}'. All of them: docs/companion.md
    """
    tell(reach(**where).call(operation, read_json(request) or {}))
