"""`idp sp …`: SAML service providers. Leaves where their metadata come from to idp.cli.watched_metadata, settings to
idp.services.sp_settings, every rule to idp.services.check_sp, and storing to manage_apps."""

import sys
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import ACTOR, group, installation, options, printable, shared, show, when

if TYPE_CHECKING:
    from idp.domain.relying import ServiceProvider
    from idp.domain.saml import MetadataWatch
    from idp.http.parts import Parts
    from idp.services.release_saml import Preview

_FIXED = ("id", "metadata", "created_at", "version")
MAX_METADATA_BYTES = 1_048_576
_settings = click.option("--set", "more", multiple=True, metavar="KEY=VALUE", help="A setting; repeat for more.")
_entity = click.argument("entity_id", metavar="ENTITY_ID")
source_options = options(
    click.option(
        "--certificate",
        "certificates",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="PEM file of the certificate with whose key the metadata must be signed; repeat for more.",
    ),
    click.option(
        "--adopt",
        type=click.Choice(["ask", "auto"]),
        default="ask",
        show_default=True,
        help="A changed copy waits for `idp sp adopt`, or is taken over.",
    ),
)


@group("sp")
def sp() -> None:
    """Apps that use SAML (service providers)."""


@sp.command("add")
@click.argument("source", metavar="METADATA_FILE_OR_URL")
@_settings
@click.option("--watch", is_flag=True, help="Look at the URL again on schedule. See: idp sp watch")
@source_options
def add(source: str, more: tuple[str, ...], watch: bool, certificates: tuple[Path, ...], adopt: Any) -> None:
    """Add an app from its SAML metadata, or bring new metadata of a known one, whose settings stay. `-` reads standard input.

    Settings: name, name_id_format (persistent, transient, email, unspecified), sign_response (true, false), encrypt
    (never, when_possible, always), second_factor_required (true, false), attributes.NAME=FIELD and more: docs/saml.md.

    Example: idp sp add https://app.example.org/metadata --watch --set name=Wiki --set attributes.mail=email
    """
    from idp.cli.fields import pairs
    from idp.saml.sp_metadata import service_provider_from_metadata
    from idp.services.sp_settings import is_setting, with_settings

    if (watch or certificates) and not _is_url(source):
        raise click.UsageError("--watch and --certificate need a URL.")
    settings = pairs(more, allowed=is_setting)
    pinned = pem_of(certificates)
    with installation() as parts:
        if watch:
            parts.metadata_watch.check(source, pinned, adopt)
        found = service_provider_from_metadata(_read(parts, source, pinned), parts.clock())
        before = parts.apps.service_provider(found.id)
        found = replace(before, metadata=found.metadata, source_id="") if before else found
        stored = parts.apps.put_service_provider(with_settings(found, settings), actor=ACTOR)
        if watch:
            parts.metadata_watch.watch(f"sp:{stored.id}", source, certificates=pinned, adopt=adopt, actor=ACTOR)
        show(_facts(parts, stored))


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def pem_of(files: tuple[Path, ...]) -> list[str]:
    """Raises UsageError."""
    try:
        return [file.read_text("ascii") for file in files]
    except (OSError, UnicodeDecodeError):
        raise click.UsageError("A certificate file cannot be read as PEM.") from None


def _read(parts: "Parts", source: str, pinned: list[str]) -> bytes:
    """The metadata. Raises Refused(metadata_unreachable | metadata_url | metadata_unusable)."""
    if source == "-":
        return sys.stdin.buffer.read(MAX_METADATA_BYTES + 1)
    if _is_url(source):
        return parts.metadata_watch.fetch(source, pinned)
    try:
        with Path(source).open("rb") as file:
            return file.read(MAX_METADATA_BYTES + 1)
    except OSError as error:
        raise click.UsageError(f"The file {source} cannot be read ({error.strerror})") from None


@sp.command("list")
def list_sps() -> None:
    """List all SAML apps that are registered here; those of federations: idp federation show ID."""
    with installation() as parts:
        show([{"entity_id": one.id, "name": one.name} for one in parts.apps.service_providers()])


@sp.command("show")
@_entity
def show_sp(entity_id: str) -> None:
    """Show a SAML app: its settings, where its metadata come from, what they say; --json has the metadata themselves."""
    from idp.admin.sp_changes import summary_of

    with installation() as parts:
        found, known = _found(parts, entity_id)
        facts = {**_facts(parts, found), "notes": list(known.notes) if known else []}
        if shared().json:
            show({**facts, "metadata": found.metadata})
        else:
            show({**facts, **{f"metadata {part}": list(said) for part, said in summary_of(known).items()}})


@sp.command("set")
@_entity
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
@_settings
def change(entity_id: str, words: tuple[str, ...], more: tuple[str, ...]) -> None:
    """Change settings of a SAML app; the others stay. One of a federation gets settings of its own.

    Example: idp sp set https://app.example.org/metadata encrypt=always attributes.groups=groups
    """
    from idp.cli.fields import pairs
    from idp.services.sp_settings import is_setting, with_settings

    given = pairs([*words, *more], allowed=is_setting)
    if not given:
        raise click.UsageError("Give at least one --set KEY=VALUE")
    with installation() as parts:
        found, _ = _found(parts, entity_id)
        show(_facts(parts, parts.apps.put_service_provider(with_settings(found, given), actor=ACTOR)))


@sp.command("enable")
@_entity
def enable(entity_id: str) -> None:
    """Let people sign in to it again."""
    _switch(entity_id, True)


@sp.command("disable")
@_entity
def disable(entity_id: str) -> None:
    """Refuse it; its settings stay."""
    _switch(entity_id, False)


def _switch(entity_id: str, enabled: bool) -> None:
    with installation() as parts:
        found, _ = _found(parts, entity_id)
        show(_facts(parts, parts.apps.put_service_provider(replace(found, enabled=enabled), actor=ACTOR)))


@sp.command("remove")
@_entity
def remove(entity_id: str) -> None:
    """Remove a SAML app. One of a federation loses the settings of its own."""
    with installation() as parts:
        parts.apps.remove_service_provider(entity_id, actor=ACTOR)
        show({"entity_id": entity_id, "removed": True}, f"{entity_id} is removed.")


@sp.command("preview")
@_entity
@click.argument("username", metavar="NAME")
def preview(entity_id: str, username: str) -> None:
    """Show what a SAML app would be told about a user. Nothing is sent."""
    from idp.base.errors import Refused
    from idp.services import release_saml

    with installation() as parts:
        found, view = _found(parts, entity_id)
        person = parts.users.by_login(username)
        if person is None:
            raise Refused("unknown_user", f"There is no user {username!r}. See: idp user list")
        told = release_saml.preview(found, view, person)
        show(_told(told), _told_text(told))


def _told(told: "Preview") -> dict[str, Any]:
    return {
        "name_id_format": told.name_id_format,
        "name_id": told.name_id,
        "name_id_why": told.name_id_why,
        "attributes": [
            {"name": one.name, "values": list(one.values), "left_out": list(one.left_out), "why": one.why}
            for one in told.attributes
        ],
        "wanted": [{"name": one.name, "required": one.required} for one in told.wanted],
    }


def _told_text(told: "Preview") -> str:
    name = told.name_id or ("-" + _why(told.name_id_why) if told.name_id_why else "(random)")
    lines = [f"NameID: {name}  {told.name_id_format}"]
    for one in told.attributes:
        said = (", ".join(one.values) or "-") + _why(one.why, one.left_out)
        lines.append(f"  {one.friendly_name or one.name}: {said}")
    lines += [f"  wanted{' and required' if one.required else ''}, not sent: {one.name}" for one in told.wanted]
    return "\n".join(printable(line) for line in lines)


def _why(why: str, left_out: tuple[str, ...] = ()) -> str:
    """Why there is no value, or not each of them, in the words of the page."""
    from idp.resources import catalogue

    if not why:
        return ""
    return f" ({' '.join([catalogue('en').get(f'admin_saml.why_{why}', why), ', '.join(left_out)]).strip()})"


def _found(parts: "Parts", entity_id: str) -> "tuple[ServiceProvider, Any]":
    """Also of a federation, and also one whose metadata can no longer be read (the view is None then)."""
    from idp.base.errors import Refused

    stored = parts.apps.service_provider(entity_id)
    try:
        known = parts.providers.get(entity_id)
    except Refused:
        known = None
    if stored is None and known is None:
        raise Refused("unknown_service_provider", f"There is no service provider {entity_id!r}. See: idp sp list")
    # What is stored, without what its federation fills in: that must not become a setting of its own.
    return stored or replace(known[0], attributes={}), known[1] if known else None  # type: ignore[index]


def _facts(parts: "Parts", one: "ServiceProvider") -> dict[str, Any]:
    stored = {f.name: getattr(one, f.name) for f in dataclass_fields(one) if f.name not in _FIXED}
    watch = parts.metadata_watch.of(f"sp:{one.id}")
    return {"entity_id": one.id, **stored, "watched": watch_facts(watch), "created_at": when(one.created_at)}


def watch_facts(watch: "MetadataWatch | None") -> dict[str, Any] | None:
    if watch is None:
        return None
    return {
        "url": watch.url,
        "adopt": watch.adopt,
        "signed": bool(watch.certificates),
        "checked_at": when(watch.checked_at),
        "adopted_at": when(watch.adopted_at),
        "valid_until": when(watch.valid_until),
        "next_at": when(watch.next_at),
        "pending": watch.pending is not None,
        "problem": watch.problem,
    }
