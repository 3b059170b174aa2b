"""`idp client …`: OIDC clients. Leaves options to idp.cli.app_options, every rule to idp.services.manage_apps, service
providers to idp.cli.service_providers."""

from dataclasses import fields as dataclass_fields
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from idp.cli.app_options import FIXED, chosen, metadata_options, with_defaults
from idp.cli.common import ACTOR, group, installation, note, read_stdin_line, show, when

if TYPE_CHECKING:
    from idp.domain.relying import Client
    from idp.http.parts import Parts

SHORT_SECRET = 32  # characters; below, a stolen store lets somebody guess it
DAY = 86_400


@group("client")
def client() -> None:
    """Apps that use OpenID Connect."""


@client.command("add")
@click.option("--name", required=True, help="Name that people see.")
@metadata_options
@click.option("--client-id", help="Client id. Default: a random one.")
@click.option(
    "--secret-stdin", is_flag=True, help="Read the secret from standard input instead of making a random one."
)
def add(name: str, client_id: str | None, secret_stdin: bool, **flags: Any) -> None:
    """Add an app; prints its client id and its secret, this once.

    With --redirect-uri an app for people: authorization code and refresh tokens. For machines: --grant client_credentials.
    Options that take a URI, grant, scope or audience may be repeated.
    """
    from idp.base import ids
    from idp.base.secret import Secret
    from idp.domain.relying import Client

    wanted_fields = with_defaults(chosen(flags))
    secret = Secret(read_stdin_line("client secret")) if secret_stdin else None
    if secret and len(secret.reveal()) < SHORT_SECRET:
        note(
            f"warning: a secret of fewer than {SHORT_SECRET} characters can be guessed; without --secret-stdin it is random."
        )
    with installation() as parts:
        wanted = Client(id=client_id or ids.public_id("app"), name=name, created_at=parts.clock(), **wanted_fields)
        made, shown = parts.apps.add_client(wanted, actor=ACTOR, with_secret=True, secret=secret)
        _warn(made)
        show({"client_id": made.id, "client_secret": shown.reveal() if shown else None})


@client.command("list")
def list_clients() -> None:
    """List all apps."""
    with installation() as parts:
        show([_summary(one) for one in parts.apps.clients()])


@client.command("show")
@click.argument("client_id", metavar="ID")
def show_client(client_id: str) -> None:
    """Show every field of an app. The secret is not stored and cannot be shown."""
    with installation() as parts:
        found = _find(parts, client_id)
        _warn(found)
        show(_facts(found))


@client.command("set")
@click.argument("client_id", metavar="ID")
@click.option("--name", help="Name that people see.")
@metadata_options
@click.option("--new-secret", is_flag=True, help="Make a new secret; the old one is no longer good.")
def change(client_id: str, name: str | None, new_secret: bool, **flags: Any) -> None:
    """Change an app. A flag that is given replaces the whole field; the others stay."""
    from idp.domain.metadata import has_secret
    from idp.services.draft_app import lacks_secret, native_if_it_must_be

    given = chosen(flags) | ({"name": name} if name else {})
    with installation() as parts:
        found = _find(parts, client_id)
        if flags["pkce"] == "required" and found.profile == "legacy":
            given.setdefault("profile", "")
        wanted = replace(found, **native_if_it_must_be(given, found))
        if new_secret and not has_secret(wanted):
            raise click.UsageError(f"A client that authenticates with {wanted.auth_method} has no secret")
        if not new_secret and lacks_secret(found, wanted):
            raise click.UsageError("This client would need a secret: add --new-secret")
        if new_secret:
            stored, secret = parts.apps.change_client_with_new_secret(wanted, actor=ACTOR)
            facts = {**_facts(stored), "client_secret": secret.reveal()}
        else:
            stored = parts.apps.change_client(wanted, actor=ACTOR)
            facts = _facts(stored)
        _warn(stored)
        show(facts)


@client.command("rotate-secret")
@click.argument("client_id", metavar="ID")
@click.option(
    "--overlap",
    type=click.IntRange(0, 30 * DAY),
    default=DAY,
    metavar="SECONDS",
    help="So long the old secret stays good. Default: 86400, a day. 0 when it has leaked.",
)
def rotate_secret(client_id: str, overlap: int) -> None:
    """Give an app a new secret, printed this once."""
    with installation() as parts:
        stored, secret = parts.apps.rotate_secret(_find(parts, client_id).id, overlap, ACTOR)
        show(
            {
                "client_id": stored.id,
                "client_secret": secret.reveal(),
                "old_secret_until": when(stored.old_secret_until),
            }
        )


@client.command("retire-secret")
@click.argument("client_id", metavar="ID")
def retire_secret(client_id: str) -> None:
    """End the old secret of an app now: it uses the new one already."""
    with installation() as parts:
        stored = parts.apps.retire_old_secret(_find(parts, client_id).id, ACTOR)
        show({"client_id": stored.id, "old_secret_until": None}, f"Only the new secret of {stored.id} is good.")


@client.command("remove")
@click.argument("client_id", metavar="ID")
def remove(client_id: str) -> None:
    """Remove an app with all its grants and consents."""
    with installation() as parts:
        parts.apps.remove_client(client_id, actor=ACTOR)
        show({"client_id": client_id, "removed": True}, f"{client_id} is removed.")


def _find(parts: "Parts", client_id: str) -> "Client":
    from idp.base.errors import Refused

    found = parts.apps.client(client_id)
    if found is None:
        raise Refused("unknown_client", f"There is no client {client_id!r}. See: idp client list")
    return found


def _warn(one: "Client") -> None:
    from idp.domain.profile import weaknesses

    for weakness in weaknesses(one):
        note(f"warning: {weakness}")


def _summary(one: "Client") -> dict[str, Any]:
    return {
        "client_id": one.id,
        "name": one.name,
        "auth_method": one.auth_method,
        "profile": one.profile,
        "grant_types": list(one.grant_types),
        "redirect_uris": list(one.redirect_uris),
        "registered_itself": one.registration_token_digest is not None,
    }


def _facts(one: "Client") -> dict[str, Any]:
    stored = {f.name: getattr(one, f.name) for f in dataclass_fields(one) if f.name not in FIXED}
    listed = {name: list(value) if isinstance(value, tuple) else value for name, value in stored.items()}
    return {
        "client_id": one.id,
        **listed,
        "has_secret": one.secret_digest is not None,
        "old_secret_until": when(one.old_secret_until),
        "registered_itself": one.registration_token_digest is not None,
        "created_at": when(one.created_at),
    }
