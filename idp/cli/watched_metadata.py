"""`idp sp watch|refresh|diff|adopt|discard …` and the same for upstreams: metadata that are watched where a peer publishes them.

Leaves every rule to idp.services.metadata.watch.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import ACTOR, Command, Group, installation, printable, show, when
from idp.cli.service_providers import pem_of, source_options, watch_facts

if TYPE_CHECKING:
    from idp.http.parts import Parts
    from idp.services.metadata.compare import Pending

DAY = 86_400


def add_to(sp: Group, upstream: Group) -> None:
    """The one place that says which group has which of these commands."""
    sp.add_command(watch)
    sp.add_command(unwatch)
    for found, prefix, name in ((sp, "sp:", "ENTITY_ID"), (upstream, "upstream:", "ID")):
        for make in (_refresh, _diff, _adopt, _discard):
            found.add_command(make(prefix, name))


@click.command("watch", cls=Command)
@click.argument("entity_id", metavar="ENTITY_ID")
@click.argument("url", metavar="URL")
@source_options
@click.option(
    "--every", type=click.IntRange(1, 720), default=24, show_default=True, help="Look again so many hours later."
)
def watch(entity_id: str, url: str, certificates: tuple[Path, ...], adopt: Any, every: int) -> None:
    """Look at this address for new metadata of a SAML app, now and on schedule.

    With --adopt auto, changed keys and addresses are taken over only if --certificate says who must have signed them.
    """
    pinned = pem_of(certificates)
    with installation() as parts:
        parts.metadata_watch.watch(
            f"sp:{entity_id}", url, certificates=pinned, adopt=adopt, every_seconds=every * 3600, actor=ACTOR
        )
        _look(parts, f"sp:{entity_id}")


@click.command("unwatch", cls=Command)
@click.argument("entity_id", metavar="ENTITY_ID")
def unwatch(entity_id: str) -> None:
    """Look no longer; the app keeps the metadata that it has."""
    with installation() as parts:
        parts.metadata_watch.unwatch(f"sp:{entity_id}", actor=ACTOR)
        show(
            {"entity_id": entity_id, "watched": False}, f"The metadata of {printable(entity_id)} are watched no longer."
        )


def _refresh(prefix: str, name: str) -> click.Command:
    @click.command("refresh", cls=Command)
    @click.argument("peer", metavar=name)
    def refresh(peer: str) -> None:
        """Look for new metadata now, where they are watched."""
        with installation() as parts:
            _look(parts, prefix + peer)

    return refresh


def _look(parts: "Parts", peer: str) -> None:
    found = parts.metadata_watch.look(peer, actor=ACTOR)
    waiting = parts.metadata_watch.pending(peer)
    facts = {**(watch_facts(found) or {}), "changes": _changes(waiting)}
    show(facts, _words(waiting) if waiting else f"Nothing waits. Next look: {when(found.next_at)}")


def _diff(prefix: str, name: str) -> click.Command:
    @click.command("diff", cls=Command)
    @click.argument("peer", metavar=name)
    def diff(peer: str) -> None:
        """Show what the new metadata that wait would change."""
        with installation() as parts:
            waiting = _waiting(parts, prefix + peer)
            show({"digest": waiting.digest, "changes": _changes(waiting)}, _words(waiting))

    return diff


def _adopt(prefix: str, name: str) -> click.Command:
    @click.command("adopt", cls=Command)
    @click.argument("peer", metavar=name)
    @click.option("--digest", help="Only if it is this copy, as `diff` shows it.")
    def adopt(peer: str, digest: str | None) -> None:
        """Take over the new metadata that wait."""
        with installation() as parts:
            waiting = _waiting(parts, prefix + peer)
            done = parts.metadata_watch.adopt(prefix + peer, digest=digest or waiting.digest, actor=ACTOR)
            show({**(watch_facts(done) or {}), "changed": list(done.last_change)}, _lines("Adopted:", done.last_change))

    return adopt


def _discard(prefix: str, name: str) -> click.Command:
    @click.command("discard", cls=Command)
    @click.argument("peer", metavar=name)
    @click.option("--digest", help="Only if it is this copy, as `diff` shows it.")
    def discard(peer: str, digest: str | None) -> None:
        """Do not take over the new metadata that wait. They are not offered again until they say something else."""
        with installation() as parts:
            waiting = _waiting(parts, prefix + peer)
            done = parts.metadata_watch.discard(prefix + peer, digest=digest or waiting.digest, actor=ACTOR)
            show(watch_facts(done) or {}, "Discarded.")

    return discard


def _waiting(parts: "Parts", peer: str) -> "Pending":
    from idp.base.errors import Refused

    waiting = parts.metadata_watch.pending(peer)
    if waiting is None:
        raise Refused("nothing_pending", "No new metadata wait here. Look for some: idp sp refresh ENTITY_ID")
    return waiting


def _changes(waiting: "Pending | None") -> list[dict[str, Any]]:
    found = waiting.changes if waiting is not None else ()
    return [{"part": one.part, "gone": list(one.gone), "new": list(one.new), "grave": one.grave} for one in found]


def _words(waiting: "Pending") -> str:
    lines = [line for one in waiting.changes for line in one.lines()]
    problem = f"It cannot be adopted: {waiting.problem}" if waiting.problem else ""
    return _lines("New metadata wait, and would change:", [*lines, *([problem] if problem else [])])


def _lines(head: str, lines: "tuple[str, ...] | list[str]") -> str:
    return "\n".join([head, *(f"  {printable(line)}" for line in lines)])
