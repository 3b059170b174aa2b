"""`idp sp …`: SAML service providers. Leaves reading metadata to idp.protocols.saml.metadata, rules to idp.services.manage_apps."""

import sys
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import ACTOR, group, installation, show, when

if TYPE_CHECKING:
    from idp.domain.relying import ServiceProvider
    from idp.http.parts import Parts

_FIXED = ("id", "metadata", "created_at", "version")
_SETTINGS = ("name", "name_id_format", "sign_response", "encrypt", "second_factor_required")
MAX_METADATA_BYTES = 1_048_576


@group("sp")
def sp() -> None:
    """Apps that use SAML (service providers)."""


@sp.command("add")
@click.argument("source", metavar="METADATA_FILE_OR_URL")
@click.option("--set", "more", multiple=True, metavar="KEY=VALUE", help="A setting, see above; repeat for more.")
def add(source: str, more: tuple[str, ...]) -> None:
    """Add an app from its SAML metadata, or bring new metadata of a known one, whose settings stay. `-` reads standard input.

    Settings: name, name_id_format (persistent, transient, email, unspecified), sign_response (true, false), encrypt
    (never, when_possible, always), second_factor_required (true, false), attributes.NAME=FIELD.

    Example: idp sp add https://app.example.org/metadata --set name=Wiki --set attributes.mail=email
    """
    from idp.cli.fields import pairs
    from idp.protocols.saml.metadata import service_provider_from_metadata

    settings = pairs(more, allowed=lambda name: name in _SETTINGS or name.startswith("attributes."))
    with installation() as parts:
        found = service_provider_from_metadata(_read(parts, source), parts.clock(), **settings)
        before = parts.apps.service_provider(found.id)
        found = _with_kept_settings(found, before, settings) if before else found
        show(_facts(parts.apps.put_service_provider(found, actor=ACTOR)))


def _with_kept_settings(
    found: "ServiceProvider", before: "ServiceProvider", given: dict[str, str]
) -> "ServiceProvider":
    """Fresh metadata of a known app leaves its settings alone: a refresh must not weaken what was decided about it."""
    kept = {name: getattr(before, name) for name in _SETTINGS if name not in given}
    if not any(name.startswith("attributes.") for name in given):
        kept["attributes"] = before.attributes
    return replace(found, **kept)


def _read(parts: "Parts", source: str) -> bytes:
    """The metadata. Raises Refused(metadata_unreachable)."""
    from idp.base.errors import Refused

    if source == "-":
        return sys.stdin.buffer.read(MAX_METADATA_BYTES + 1)
    if not source.startswith(("http://", "https://")):
        try:
            with Path(source).open("rb") as file:
                return file.read(MAX_METADATA_BYTES + 1)
        except OSError as error:
            raise click.UsageError(f"The file {source} cannot be read ({error.strerror})") from None
    from idp.base.net import Unreachable, fetch, policy_for

    try:
        answer = fetch("GET", source, policy_for(parts.settings.net, parts.installation.issuer))
    except Unreachable as why:
        raise Refused(
            "metadata_unreachable", f"The metadata cannot be fetched: {why}. Save it to a file and name that."
        ) from None
    if answer.status != 200:
        raise Refused("metadata_unreachable", f"{source} answers {answer.status} instead of metadata. Check the URL.")
    return answer.body


@sp.command("list")
def list_sps() -> None:
    """List all SAML apps."""
    with installation() as parts:
        show([{"entity_id": one.id, "name": one.name} for one in parts.apps.service_providers()])


@sp.command("show")
@click.argument("entity_id", metavar="ENTITY_ID")
def show_sp(entity_id: str) -> None:
    """Show a SAML app."""
    from idp.base.errors import Refused

    with installation() as parts:
        found = parts.apps.service_provider(entity_id)
        if found is None:
            raise Refused("unknown_service_provider", f"There is no service provider {entity_id!r}. See: idp sp list")
        show({**_facts(found), "metadata": found.metadata})


@sp.command("remove")
@click.argument("entity_id", metavar="ENTITY_ID")
def remove(entity_id: str) -> None:
    """Remove a SAML app."""
    with installation() as parts:
        parts.apps.remove_service_provider(entity_id, actor=ACTOR)
        show({"entity_id": entity_id, "removed": True}, f"{entity_id} is removed.")


def _facts(one: "ServiceProvider") -> dict[str, Any]:
    stored = {f.name: getattr(one, f.name) for f in dataclass_fields(one) if f.name not in _FIXED}
    return {"entity_id": one.id, **stored, "created_at": when(one.created_at)}
