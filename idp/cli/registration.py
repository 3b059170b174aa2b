"""`idp registration token …`: who may register apps without an operator. Leaves the rules to idp.services.initial_tokens."""

import click

from idp.cli.common import ACTOR, group, installation, show, when

DAY = 86_400


@group("registration")
def registration() -> None:
    """Dynamic registration of apps (RFC 7591)."""


@registration.group("token")
def token() -> None:
    """Initial access tokens: whoever holds one may register apps."""


@token.command("add")
@click.option("--name", required=True, help="Whom it is for; stands in the audit.")
@click.option("--uses", type=click.IntRange(1), metavar="NUMBER", help="How many registrations. Default: any number.")
@click.option("--days", type=click.IntRange(1, 3650), default=30, metavar="NUMBER", help="How long. Default: 30.")
def add(name: str, uses: int | None, days: int) -> None:
    """Make a token; it is printed this once."""
    with installation() as parts:
        made, secret = parts.initial_tokens.add(name, uses=uses, seconds=float(days * DAY), actor=ACTOR)
        show({"name": made.name, "token": secret.reveal(), "uses_left": uses, "expires_at": when(made.expires_at)})


@token.command("list")
def list_tokens() -> None:
    """List the tokens that are still good."""
    with installation() as parts:
        show(
            [
                {
                    "name": one.name,
                    "uses_left": "any number" if one.uses_left is None else one.uses_left,
                    "created_at": when(one.created_at),
                    "expires_at": when(one.expires_at),
                }
                for one in sorted(parts.initial_tokens.all(), key=lambda one: one.name)
            ]
        )


@token.command("remove")
@click.argument("name", metavar="NAME")
def remove(name: str) -> None:
    """Take a token back. Apps that were registered with it stay."""
    with installation() as parts:
        parts.initial_tokens.remove(name, actor=ACTOR)
        show({"name": name, "removed": True}, f"The token {name} is no longer good.")
