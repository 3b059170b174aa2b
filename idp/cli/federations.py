"""`idp federation …`: signed metadata of many service providers. Leaves every rule to idp.services.metadata.federations."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import ACTOR, group, installation, show, when
from idp.cli.service_providers import pem_of

if TYPE_CHECKING:
    from idp.domain.saml import MetadataSource
    from idp.http.parts import Parts

_certificate = click.option(
    "--certificate",
    "certificates",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PEM file of the certificate with whose key the federation signs; repeat for more.",
)
_every = click.option("--every", type=click.IntRange(1, 168), help="Load again so many hours later. Default: 6.")
_settings = click.option(
    "--set",
    "more",
    multiple=True,
    metavar="attributes.NAME=FIELD",
    help="What its service providers get; repeat for more.",
)
SHOWN = 200


@group("federation")
def federation() -> None:
    """Federations: thousands of SAML apps from one signed source."""


@federation.command("add")
@click.argument("source_id", metavar="ID")
@click.argument("url", metavar="URL")
@_certificate
@click.option(
    "--mdq", is_flag=True, help="URL is the base of a Metadata Query server: ask it for each app when it is needed."
)
@_every
@_settings
def add(
    source_id: str, url: str, certificates: tuple[Path, ...], mdq: bool, every: int | None, more: tuple[str, ...]
) -> None:
    """Trust the service providers of a federation, and load them.

    Example: idp federation add campus https://federation.example.edu/metadata.xml --certificate signer.pem
    --set attributes.mail=email
    """
    from idp.base.errors import Refused

    pinned = pem_of(certificates)
    with installation() as parts:
        parts.federations.add(
            source_id,
            "mdq" if mdq else "aggregate",
            url,
            certificates=pinned,
            attributes=_attributes({}, more),
            every_seconds=(every or 6) * 3600,
            actor=ACTOR,
        )
        try:
            loaded = parts.federations.refresh(source_id, actor=ACTOR, patience=300)
        except Refused as refused:
            raise Refused(refused.code, f"{source_id} is added, but not loaded yet. {refused.message}") from None
        show(_facts(loaded))


@federation.command("list")
def list_federations() -> None:
    """List all federations."""
    with installation() as parts:
        show([_summary(one) for one in parts.federations.all()])


@federation.command("show")
@click.argument("source_id", metavar="ID")
def show_federation(source_id: str) -> None:
    """Show a federation, and the first 200 of its service providers."""
    with installation() as parts:
        found = parts.federations.members(source_id, SHOWN)
        members = [f"{one.entity_id} ({one.name})" for one in found]
        show({**_facts(_found(parts, source_id)), "members": members})


@federation.command("find")
@click.argument("entity_id", metavar="ENTITY_ID")
def find(entity_id: str) -> None:
    """Is this service provider in a federation, and what do we know of it?"""
    from idp.base.errors import Refused

    with installation() as parts:
        found = parts.federations.entity(entity_id)
        if found is None:
            raise Refused("unknown_service_provider", "No federation has this service provider.")
        source, one = found
        show(
            {"entity_id": one.entity_id, "name": one.name, "federation": source.id, "valid_until": when(one.expires_at)}
        )


@federation.command("set")
@click.argument("source_id", metavar="ID")
@click.option("--url", help="Another address. Nothing of the old one is kept.")
@_certificate
@_every
@click.option("--enable/--disable", "enabled", default=None, help="Do its service providers count?")
@_settings
def change(
    source_id: str,
    url: str | None,
    certificates: tuple[Path, ...],
    every: int | None,
    enabled: bool | None,
    more: tuple[str, ...],
) -> None:
    """Change a federation; what is not named stays. attributes.NAME= takes an attribute away."""
    pinned = tuple(pem_of(certificates))
    with installation() as parts:
        before = _found(parts, source_id)
        changed = replace(
            before,
            url=url or before.url,
            certificates=pinned or before.certificates,
            every_seconds=every * 3600 if every else before.every_seconds,
            enabled=before.enabled if enabled is None else enabled,
            attributes=_attributes(dict(before.attributes), more),
        )
        show(_facts(parts.federations.change(changed, actor=ACTOR)))


@federation.command("refresh")
@click.argument("source_id", metavar="ID")
def refresh(source_id: str) -> None:
    """Load it now; of a Metadata Query server, forget what was kept."""
    with installation() as parts:
        show(_facts(parts.federations.refresh(source_id, actor=ACTOR, patience=300)))


@federation.command("remove")
@click.argument("source_id", metavar="ID")
def remove(source_id: str) -> None:
    """Remove a federation with all its service providers."""
    with installation() as parts:
        parts.federations.remove(source_id, actor=ACTOR)
        show({"id": source_id, "removed": True}, f"{source_id} is removed.")


def _attributes(known: dict[str, str], more: tuple[str, ...]) -> dict[str, str]:
    from idp.cli.fields import pairs

    for name, field in pairs(more, allowed=lambda one: one.startswith("attributes.")).items():
        known.pop(name.removeprefix("attributes."), None)
        if field:
            known[name.removeprefix("attributes.")] = field
    return known


def _found(parts: "Parts", source_id: str) -> "MetadataSource":
    from idp.base.errors import Refused

    found = parts.federations.get(source_id)
    if found is None:
        raise Refused("unknown_federation", f"There is no federation {source_id!r}. See: idp federation list")
    return found


def _summary(one: "MetadataSource") -> dict[str, Any]:
    return {"id": one.id, "kind": one.kind, "enabled": one.enabled, "entities": one.entities, "problem": one.problem}


def _facts(one: "MetadataSource") -> dict[str, Any]:
    return {
        **_summary(one),
        "url": one.url,
        "certificates": len(one.certificates),
        "attributes": dict(one.attributes),
        "every_hours": one.every_seconds // 3600,
        "loaded_at": when(one.loaded_at),
        "valid_until": when(one.valid_until),
        "next_at": when(one.next_at) if one.kind == "aggregate" else None,
    }
