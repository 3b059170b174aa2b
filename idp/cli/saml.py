"""`idp saml …`: the message inspector. Leaves keeping messages to idp.services.saml_messages, decoding to idp.services.decode_saml."""

import sys
from collections.abc import Iterable, Mapping
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import group, installation, printable, shared, show

if TYPE_CHECKING:
    from idp.domain.saml import SamlMessage
    from idp.services.saml_messages import SamlMessages

MAX_INPUT = 2_097_152
INDENT = " " * 8


@group("saml")
def saml() -> None:
    """Look at SAML messages: what came and went, and why it was refused."""


@saml.command("messages")
@click.argument("peer", required=False, default="")
@click.option("--failed", is_flag=True, help="Only those that failed.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="So many at most.")
def messages(peer: str, failed: bool, limit: int) -> None:
    """List the newest messages, the newest first. PEER is an entityID, the id of an upstream, or `unknown`; without it, all."""
    from idp.services.explain_messages import facts

    with installation() as parts:
        kept = parts.saml_messages
        found = _of(kept, peer) if peer else kept.newest(1000)
    chosen = [one for one in found if not (failed and one.ok)][:limit]
    show([facts(one) for one in chosen])


def _of(kept: "SamlMessages", peer: str) -> "list[SamlMessage]":
    names = [peer, f"sp:{peer}", f"upstream:{peer}"]
    return next((found for name in names if (found := kept.of(name))), [])


@saml.command("show")
@click.argument("message_id", metavar="ID")
def show_message(message_id: str) -> None:
    """Show one message: every check that was made, with a proposed cure, and what it said."""
    from idp.base.errors import Refused
    from idp.saml.redact import indented
    from idp.services.explain_messages import explained, facts

    with installation() as parts:
        found = parts.saml_messages.get(message_id)
        hours = parts.settings.saml.message_hours
    if found is None:
        raise Refused("unknown_message", f"There is no such message (any more): they are kept for {hours} hours.")
    checks, text = [explained(check) for check in found.checks], indented(found.xml)
    if shared().json:
        show({**facts(found), "checks": checks, "xml": text})
        return
    show(facts(found))
    click.echo(in_words(checks, text))


def in_words(checks: Iterable[Mapping[str, Any]], text: str = "") -> str:
    """The checks, one a line, with the cures of those that failed; then the message, if there is one."""
    lines = [""]
    for check in checks:
        detail = f": {printable(check['detail'])}" if check["detail"] else ""
        lines.append(f"{'ok    ' if check['ok'] else 'FAILED'}  {check['what']}{detail}")
        if check.get("cure"):
            lines.append(fill(check["cure"], 110, initial_indent=INDENT, subsequent_indent=INDENT))
    return "\n".join([*lines, *(["", *map(printable, text.split("\n"))] if text else [])])


@saml.command("decode")
def decode() -> None:
    """Decode a message that was copied from somewhere: an address, a query, form fields, base64, XML. It comes on standard input.

    Says what can be checked of it now: who sent it, its signatures, for whom it is, how old it is. Nothing is used up.

    Example: idp saml decode < copied.txt
    """
    from idp.services.explain_messages import explained

    given = sys.stdin.buffer.read(MAX_INPUT + 1)
    with installation() as parts:
        found = parts.decode_saml.decode(given)
    checks = [explained(check) for check in found.checks]
    facts = {"kind": found.kind, "binding": found.binding, "peer": found.peer, "relay_state": found.relay_state}
    if shared().json:
        show({**facts, "checks": checks, "xml": found.xml})
        return
    show(facts)
    click.echo(in_words(checks, found.xml))
