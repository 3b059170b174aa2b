"""`idp upstream …`: upstream providers. Leaves what settings a kind has to idp.upstream, storing to idp.services."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import ACTOR, group, installation, show, when

if TYPE_CHECKING:
    from idp.domain.upstream import UpstreamProvider
    from idp.http.parts import Parts

_settings = click.option(
    "--set",
    "more",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting; secrets also as KEY=file:PATH or KEY=env:NAME, metadata as KEY=@PATH.",
)


@group("upstream")
def upstream() -> None:
    """Other identity providers through which people sign in."""


@upstream.command("add")
@click.argument("kind")
@click.option(
    "--id", "provider_id", required=True, help="Short name: it stands in the redirect URI and cannot be changed."
)
@_settings
def add(kind: str, provider_id: str, more: tuple[str, ...]) -> None:
    """Add an upstream provider; prints what to register there.

    Examples: idp upstream add oidc --id corporate --set label="Corporate login" --set issuer=https://login.example.org
    --set client_id=sheaf --set client_secret=file:secret.txt

    idp upstream add saml --id campus --set metadata_url=https://login.example.edu/idp/shibboleth
    """
    from idp.cli.fields import pairs
    from idp.upstream.parse import new_provider
    from idp.upstream.registry import secret_fields

    with installation() as parts:
        wanted = new_provider(kind, provider_id, pairs(more), parts.clock())
        made = parts.upstreams.add(wanted, secrets=secret_fields(kind), actor=ACTOR)
        notes = _notes(parts, made)
        show(
            {**_facts(parts, made), "notes": notes}, "\n".join([_text(parts, made), *(f"Note: {one}" for one in notes)])
        )


@upstream.command("list")
def list_upstreams() -> None:
    """List all upstream providers."""
    with installation() as parts:
        show([_summary(one) for one in parts.upstreams.all()])


@upstream.command("show")
@click.argument("provider_id", metavar="ID")
def show_upstream(provider_id: str) -> None:
    """Show an upstream provider. Secret settings are never shown."""
    with installation() as parts:
        show(_facts(parts, _find(parts, provider_id)))


@upstream.command("set")
@click.argument("provider_id", metavar="ID")
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
@_settings
def change(provider_id: str, words: tuple[str, ...], more: tuple[str, ...]) -> None:
    """Change settings of an upstream provider; the others stay."""
    from idp.cli.fields import pairs
    from idp.upstream.parse import changed_provider

    given = pairs([*words, *more])
    if not given:
        raise click.UsageError("Give at least one --set KEY=VALUE")
    with installation() as parts:
        changed, settings = changed_provider(_find(parts, provider_id), given)
        _store(parts, changed, settings)


@upstream.command("enable")
@click.argument("provider_id", metavar="ID")
def enable(provider_id: str) -> None:
    """Offer it again."""
    _switch(provider_id, True)


@upstream.command("disable")
@click.argument("provider_id", metavar="ID")
def disable(provider_id: str) -> None:
    """Refuse it on every path; its settings and the linked logins stay."""
    _switch(provider_id, False)


@upstream.command("remove")
@click.argument("provider_id", metavar="ID")
def remove(provider_id: str) -> None:
    """Remove an upstream provider and every login linked through it."""
    with installation() as parts:
        parts.upstreams.remove(provider_id, actor=ACTOR)
        show({"id": provider_id, "removed": True}, f"{provider_id} is removed.")


def _switch(provider_id: str, enabled: bool) -> None:
    with installation() as parts:
        _store(parts, replace(_find(parts, provider_id), enabled=enabled), {})


def _store(parts: "Parts", provider: "UpstreamProvider", settings: dict[str, Any]) -> None:
    from idp.upstream.registry import secret_fields

    stored = parts.upstreams.change(provider, settings, secrets=secret_fields(provider.kind), actor=ACTOR)
    show(_facts(parts, stored))


def _find(parts: "Parts", provider_id: str) -> "UpstreamProvider":
    from idp.base.errors import Refused

    found = parts.upstreams.get(provider_id)
    if found is None:
        raise Refused("unknown_upstream", f"There is no upstream {provider_id!r}. See: idp upstream list")
    return found


def _summary(one: "UpstreamProvider") -> dict[str, Any]:
    return {"id": one.id, "kind": one.kind, "label": one.label, "enabled": one.enabled, "mode": one.mode}


def _facts(parts: "Parts", one: "UpstreamProvider") -> dict[str, Any]:
    from idp.upstream.registry import file_fields, secret_fields

    hidden, files = secret_fields(one.kind), file_fields(one.kind)
    settings = {
        name: "(secret)" if name in hidden else f"({len(value)} characters)" if name in files else value
        for name, value in one.settings.items()
    }
    return {
        **_summary(one),
        "may_create": one.may_create,
        "create_domains": list(one.create_domains),
        "trusted_domains": list(one.trusted_domains),
        "settings": settings,
        **_addresses(parts, one),
        "created_at": when(one.created_at),
    }


def _notes(parts: "Parts", one: "UpstreamProvider") -> list[str]:
    """What would otherwise be found out by the first sign-in that fails."""
    from idp.base.errors import Refused

    try:
        notes: list[str] = getattr(parts.kinds.open(one), "notes", list)()
    except Refused as refused:
        return [f"It cannot be used yet: {refused.reason}."]
    return notes


def _addresses(parts: "Parts", one: "UpstreamProvider") -> dict[str, str]:
    """Ours, for the upstream's administrator."""
    base = f"{parts.installation.issuer}/upstream/{one.id}"
    if one.kind in ("saml", "adfs"):
        return {"entity_id": f"{base}/metadata", "sp_metadata": f"{base}/metadata", "acs": f"{base}/acs"}
    return {"redirect_uri": f"{base}/callback"}


def _text(parts: "Parts", one: "UpstreamProvider") -> str:
    ours = _addresses(parts, one)
    if "sp_metadata" in ours:
        return f"{one.label} ({one.kind}) is added. Give this metadata of ours to it:\n{ours['sp_metadata']}"
    return f"{one.label} ({one.kind}) is added. Register this redirect URI there:\n{ours['redirect_uri']}"
