"""`idp upstream …`: upstream providers. Leaves what settings a kind has to idp.upstream, storing to idp.services."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import ACTOR, group, installation, show, when

if TYPE_CHECKING:
    from idp.domain.upstream import UpstreamProvider
    from idp.http.parts import Parts

_SUMMARY = ("label", "enabled", "mode")
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
@click.option("--untested", is_flag=True, help="Although no test has passed with its present settings.")
def enable(provider_id: str, untested: bool) -> None:
    """Offer it. It must have passed a test (on its page for administrators) with its present settings."""
    _switch(provider_id, True, untested)


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
        parts.remove_upstream.remove(provider_id, actor=ACTOR)
        show({"id": provider_id, "removed": True}, f"{provider_id} is removed.")


def _switch(provider_id: str, enabled: bool, untested: bool = False) -> None:
    with installation() as parts:
        found = _find(parts, provider_id)
        show(_facts(parts, parts.upstream_tests.switch(found, enabled, actor=ACTOR, untested=untested)))


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
    return {"id": one.id, "kind": one.kind, **{name: getattr(one, name) for name in _SUMMARY}}


def _facts(parts: "Parts", one: "UpstreamProvider") -> dict[str, Any]:
    from idp.upstream.addresses import addresses
    from idp.upstream.common import Common
    from idp.upstream.registry import file_fields, secret_fields

    test = parts.upstream_tests.passed(one)
    hidden, files = secret_fields(one.kind), file_fields(one.kind)
    settings = {
        name: "(secret)" if name in hidden else f"({len(value)} characters)" if name in files else value
        for name, value in one.settings.items()
    }
    return {
        **_summary(one),
        **{name: _plain(name, getattr(one, name)) for name in Common.model_fields if name not in _SUMMARY},
        "settings": settings,
        **addresses(parts.installation.issuer, one),
        "tested_at": when(test.passed_at) if test is not None else None,
        "created_at": when(one.created_at),
    }


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return {theirs: list(ours) if isinstance(ours, tuple) else ours for theirs, ours in value.items()}
    return when(value) if name == "secret_expires_at" and value is not None else value


def _notes(parts: "Parts", one: "UpstreamProvider") -> list[str]:
    """What would otherwise be found out by the first sign-in that fails."""
    from idp.base.errors import Refused

    try:
        notes: list[str] = getattr(parts.kinds.open(one), "notes", list)()
    except Refused as refused:
        return [f"It cannot be used yet: {refused.reason}."]
    return notes


def _text(parts: "Parts", one: "UpstreamProvider") -> str:
    from idp.upstream.addresses import addresses

    ours = addresses(parts.installation.issuer, one)
    if "sp_metadata" in ours:
        return f"{one.label} ({one.kind}) is added. Give this metadata of ours to it:\n{ours['sp_metadata']}"
    if "redirect_uri" in ours:
        return f"{one.label} ({one.kind}) is added. Register this redirect URI there:\n{ours['redirect_uri']}"
    return f"{one.label} ({one.kind}) is added."
