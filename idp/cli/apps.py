"""`idp client …`: OIDC clients. Leaves every rule to idp.services.manage_apps, service providers to idp.cli.service_providers."""

from dataclasses import fields as dataclass_fields
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import ACTOR, group, installation, note, options, read_stdin_line, show, when

if TYPE_CHECKING:
    from idp.domain.relying import Client
    from idp.http.parts import Parts

SHORT_SECRET = 32  # characters; below, a stolen store lets somebody guess it
_FIXED = ("id", "created_at", "secret_digest", "version")

_flags = options(
    click.option(
        "--redirect-uri",
        "redirect_uris",
        multiple=True,
        metavar="URI",
        help="Where codes may be sent.",
    ),
    click.option(
        "--post-logout-redirect-uri",
        "post_logout_redirect_uris",
        multiple=True,
        metavar="URI",
        help="Where sign-out ends.",
    ),
    click.option(
        "--grant",
        "grant_types",
        multiple=True,
        metavar="GRANT",
        help="authorization_code, refresh_token or client_credentials.",
    ),
    click.option(
        "--auth-method",
        type=click.Choice(["client_secret_basic", "client_secret_post", "none"]),
        help="How the client authenticates at /token.",
    ),
    click.option("--scope", "scopes", multiple=True, metavar="SCOPE", help="Scope that it may ask for."),
    click.option(
        "--audience",
        "audiences",
        multiple=True,
        metavar="AUDIENCE",
        help="API that its tokens are for.",
    ),
    click.option("--pkce", type=click.Choice(["required", "optional"]), help="Is PKCE needed? Default: required."),
    click.option("--public", is_flag=True, help="A client without a secret: in a browser, on a phone or a desktop."),
    click.option("--consent", type=click.Choice(["ask", "skip"]), help="Ask the user for consent? Default: ask."),
    click.option("--set", "more", multiple=True, metavar="KEY=VALUE", help="Any other field; see: idp client show."),
)


@group("client")
def client() -> None:
    """Apps that use OpenID Connect."""


@client.command("add")
@click.option("--name", required=True, help="Name that people see.")
@_flags
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

    chosen = _with_defaults(_chosen(flags))
    secret = Secret(read_stdin_line("client secret")) if secret_stdin else None
    if secret and len(secret.reveal()) < SHORT_SECRET:
        note(
            f"warning: a secret of fewer than {SHORT_SECRET} characters can be guessed; without --secret-stdin it is random."
        )
    with installation() as parts:
        wanted = Client(id=client_id or ids.public_id("app"), name=name, created_at=parts.clock(), **chosen)
        made, shown = parts.apps.add_client(wanted, actor=ACTOR, with_secret=True, secret=secret)
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
        show(_facts(_find(parts, client_id)))


@client.command("set")
@click.argument("client_id", metavar="ID")
@click.option("--name", help="Name that people see.")
@_flags
@click.option("--new-secret", is_flag=True, help="Make a new secret; the old one is no longer good.")
def change(client_id: str, name: str | None, new_secret: bool, **flags: Any) -> None:
    """Change an app. A flag that is given replaces the whole field; the others stay."""
    from idp.base import ids

    chosen = _chosen(flags) | ({"name": name} if name else {})
    with installation() as parts:
        found = _find(parts, client_id)
        secret = ids.secret() if new_secret else None
        if secret:
            chosen["secret_digest"] = ids.digest(secret)
        wanted = replace(found, **chosen)
        if wanted.is_public and secret:
            raise click.UsageError("A public client has no secret")
        if not wanted.is_public and wanted.secret_digest is None:
            raise click.UsageError("This client would need a secret: add --new-secret")
        facts = _facts(parts.apps.change_client(wanted, actor=ACTOR))
        show({**facts, "client_secret": secret} if secret else facts)


@client.command("remove")
@click.argument("client_id", metavar="ID")
def remove(client_id: str) -> None:
    """Remove an app with all its grants and consents."""
    with installation() as parts:
        parts.apps.remove_client(client_id, actor=ACTOR)
        show({"client_id": client_id, "removed": True}, f"{client_id} is removed.")


def _chosen(flags: dict[str, Any]) -> dict[str, Any]:
    """Fields of Client that the flags name, and only those. Raises UsageError."""
    from idp.cli.fields import pairs, values
    from idp.domain.relying import Client

    names = [one.name for one in dataclass_fields(Client) if one.name not in _FIXED]
    chosen = values(Client, pairs(flags["more"]), names)
    for name in ("redirect_uris", "post_logout_redirect_uris", "grant_types", "scopes", "audiences"):
        if flags[name]:
            # Scopes and the like come as one text with blanks or as several options.
            chosen[name] = tuple(dict.fromkeys(word for text in flags[name] for word in text.split()))
    if flags["public"] and flags["auth_method"] not in (None, "none"):
        raise click.UsageError(f"--public and --auth-method {flags['auth_method']} contradict each other")
    if flags["public"] or flags["auth_method"]:
        chosen["auth_method"] = "none" if flags["public"] else flags["auth_method"]
    if flags["pkce"]:
        chosen["pkce_required"] = flags["pkce"] == "required"
    if flags["consent"]:
        chosen["consent"] = flags["consent"]
    return chosen


def _with_defaults(chosen: dict[str, Any]) -> dict[str, Any]:
    if not any(chosen.get(name) for name in ("redirect_uris", "grant_types", "audiences")):
        raise click.UsageError(
            "Say what it is for: --redirect-uri for an app with people, --grant client_credentials for a machine"
        )
    grants = chosen.setdefault(
        "grant_types", ("authorization_code", "refresh_token") if chosen.get("redirect_uris") else ()
    )
    people = "authorization_code" in grants
    offline = ("offline_access",) if "refresh_token" in grants else ()
    chosen.setdefault("scopes", ("openid", "profile", "email", *offline) if people else ())
    return chosen


def _find(parts: "Parts", client_id: str) -> "Client":
    from idp.base.errors import Refused

    found = parts.apps.client(client_id)
    if found is None:
        raise Refused("unknown_client", f"There is no client {client_id!r}. See: idp client list")
    return found


def _summary(one: "Client") -> dict[str, Any]:
    return {
        "client_id": one.id,
        "name": one.name,
        "auth_method": one.auth_method,
        "grant_types": list(one.grant_types),
        "redirect_uris": list(one.redirect_uris),
    }


def _facts(one: "Client") -> dict[str, Any]:
    stored = {f.name: getattr(one, f.name) for f in dataclass_fields(one) if f.name not in _FIXED}
    listed = {name: list(value) if isinstance(value, tuple) else value for name, value in stored.items()}
    return {
        "client_id": one.id,
        **listed,
        "has_secret": one.secret_digest is not None,
        "created_at": when(one.created_at),
    }
