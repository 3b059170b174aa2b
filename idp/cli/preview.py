"""`idp client preview`: what an app would get for a user. Leaves what that is to idp.services.release."""

import json

import click

from idp.cli.common import Command, installation, printable, show


@click.command("preview", cls=Command)
@click.argument("client_id", metavar="ID")
@click.argument("username", metavar="NAME")
@click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="Scope asked for. Default: all that it may.")
def preview(client_id: str, username: str, scopes: tuple[str, ...]) -> None:
    """Show which claims an app would get for a user, in ID token, userinfo and access token. Nothing is issued."""
    from idp.base.errors import Refused

    with installation() as parts:
        app, person = parts.apps.client(client_id), parts.users.by_login(username)
        if app is None:
            raise Refused("unknown_client", f"There is no client {client_id!r}. See: idp client list")
        if person is None:
            raise Refused("unknown_user", f"There is no user {username!r}. See: idp user list")
        asked = tuple(dict.fromkeys(word for text in scopes for word in text.split())) or app.scopes
        beyond = [scope for scope in asked if scope not in app.scopes and scope != "offline_access"]
        if beyond:
            raise Refused(
                "invalid_scope", f"This app may not ask for {' '.join(beyond)}. See: idp client show {app.id}"
            )
        found = parts.release.preview(person, app, asked)
        show(found, "\n".join(_part(name, claims) for name, claims in found.items()))


def _part(name: str, claims: dict[str, object]) -> str:
    lines = [f"  {key}: {printable(json.dumps(value, ensure_ascii=False))}" for key, value in claims.items()]
    return "\n".join([f"{name}:", *(lines or ["  -"])])
