"""`idp scope …`: scopes of this installation's own. Leaves every rule to idp.services.scopes."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import ACTOR, group, installation, options, show

if TYPE_CHECKING:
    from idp.domain.relying import CustomScope

_flags = options(
    click.option("--words", help='What people read who are asked, for example "see your employee number".'),
    click.option(
        "--claim",
        "claims",
        multiple=True,
        metavar="NAME",
        help="Claim about the user that it releases, such as employee_number.",
    ),
)


@group("scope")
def scope() -> None:
    """Scopes of your own, and the claims that they release."""


@scope.command("add")
@click.argument("name")
@_flags
def add(name: str, words: str | None, claims: tuple[str, ...]) -> None:
    """Add a scope. Apps may ask for it once it is among their own: idp client set ID --scope …"""
    from idp.domain.relying import CustomScope

    with installation() as parts:
        show(_facts(parts.scopes.add(CustomScope(name, words or "", claims), actor=ACTOR)))


@scope.command("list")
def list_scopes() -> None:
    """List the scopes of this installation's own."""
    with installation() as parts:
        show([_facts(one) for one in parts.scopes.known().custom])


@scope.command("show")
@click.argument("name")
def show_scope(name: str) -> None:
    """Show a scope, and the apps that may ask for it."""
    with installation() as parts:
        found = _found(parts.scopes.get(name), name)
        show({**_facts(found), "clients": [one.id for one in parts.apps.clients() if name in one.scopes]})


@scope.command("set")
@click.argument("name")
@_flags
def change(name: str, words: str | None, claims: tuple[str, ...]) -> None:
    """Change a scope. What is given replaces what was."""
    with installation() as parts:
        found = _found(parts.scopes.get(name), name)
        wanted = replace(found, words=found.words if words is None else words, claims=claims or found.claims)
        show(_facts(parts.scopes.change(wanted, actor=ACTOR)))


@scope.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Remove a scope. It releases nothing any more, also for tokens that have it."""
    with installation() as parts:
        parts.scopes.remove(name, actor=ACTOR)
        show({"scope": name, "removed": True}, f"{name} is removed.")


def _found(scope: "CustomScope | None", name: str) -> "CustomScope":
    from idp.base.errors import Refused

    if scope is None:
        raise Refused("unknown_scope", f"There is no scope {name!r} of your own. See: idp scope list")
    return scope


def _facts(one: "CustomScope") -> dict[str, Any]:
    return {"scope": one.id, "words": one.words, "claims": list(one.claims)}
