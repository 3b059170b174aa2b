"""`idp explain CODE`: why something was refused, or how a sign-in ended, found by the short code that the page showed.

Leaves what is kept to idp.services.tell_why, and deciding once more to replay_sign_in.
"""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from idp.base.errors import Refused
from idp.cli.common import Command, installation, note, printable, shared, show
from idp.cli.saml import INDENT, in_words

if TYPE_CHECKING:
    from idp.domain.decision import SignInRecord
    from idp.http.parts import Parts

_APART = ("steps", "names", "said", "checks", "cure", "replay")  # not among the lines at the top


@click.command("explain", cls=Command)
@click.argument("code")
@click.option("--replay", is_flag=True, help="Decide it once more by the rules of today. Changes nothing.")
@click.option(
    "--set",
    "rules",
    multiple=True,
    metavar="KEY=VALUE",
    help="With --replay: try this setting of the upstream, or never_auto_link_roles. It is not stored.",
)
def explain(code: str, replay: bool, rules: tuple[str, ...]) -> None:
    """Say why a request was refused, and how a sign-in was decided. CODE stands on the error page, in the answer and in the log.

    Example: idp explain 7KQ4MZ02 --replay --set trusted_domains=example.org
    """
    from idp.cli.fields import pairs
    from idp.services import tell_why
    from idp.services.explain_sign_in import Names

    edited = pairs(rules)
    if edited and not replay:
        raise click.UsageError("--set goes with --replay")
    with installation() as parts:
        kept = tell_why.find(code, parts.traces, parts.records, parts.saml_messages)
        if kept is None:
            days = parts.settings.log.trace_days
            raise Refused(
                "unknown_trace",
                f"No such code. Codes of the companion API, and those older than {days} days, stand in the log only.",
            )
        found = tell_why.document(kept, Names(parts.users.get, parts.upstreams.get))
        if replay:
            found["replay"] = _replayed(parts, kept.record, edited)
    if shared().json:
        show(found)
    else:
        _tell(found)


def _tell(found: Mapping[str, Any]) -> None:
    show({name: _shown(value) for name, value in found.items() if name not in _APART and value})
    if found.get("cure"):
        click.echo("\n" + fill(found["cure"], 110))
    if found.get("steps"):
        click.echo("\n".join(["", *(_step(one, found["names"]) for one in found["steps"])]))
    elif "checks" in found:
        click.echo(in_words(found["checks"]))
    if found.get("replay"):
        click.echo("")
        show(_columns(found["replay"]))
    if found.get("message"):
        note(f"What it said: idp saml show {found['message']}")


def _shown(value: object) -> object:
    return printable(value) if isinstance(value, str) else value


def _step(one: Mapping[str, Any], names: Mapping[str, str]) -> str:
    bad = one["result"] in ("failed", "refused", "wrong") or one["facts"].get("action") == "refuse"
    checked = one["step"] in ("check", "saml_check")
    mark = "FAILED" if bad else "ok    " if checked else "      "
    hidden = ("code",) if checked else ("why", "reason") if one["step"] == "outcome" else ()
    facts = [
        f"{name}={names.get(value, value)}"
        for name, value in one["facts"].items()
        if name not in hidden and value not in one["what"]
    ]
    line = f"{mark}  {printable(one['what'])}"
    lines = [f"{line}  ({printable(', '.join(facts))})" if facts else line]
    if one.get("cure"):
        lines.append(fill(one["cure"], 110, initial_indent=INDENT, subsequent_indent=INDENT))
    return "\n".join(lines)


# ---------------------------------------------------------------- replay


def _replayed(parts: "Parts", record: "SignInRecord | None", given: Mapping[str, str]) -> dict[str, Any]:
    """Raises Refused(no_replay | unknown_setting | invalid_setting)."""
    from idp.services.replay_sign_in import Replays
    from idp.upstream.edited_rules import edited

    roles = parts.settings.linking.never_auto_link_roles
    replays = Replays(parts.links, parts.invitations, parts.upstreams, parts.apps, roles)
    tried = edited(*replays.rules(record), given) if given else None
    sides = replays.compare(record, tried)
    return {name: {**side.plainly(), "user": _name(parts, side.user_id)} for name, side in sides.items()}


def _name(parts: "Parts", user_id: str) -> str | None:
    found = parts.users.get(user_id) if user_id else None
    return found.username if found is not None else user_id or None


def _columns(sides: Mapping[str, Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """One line for each thing, one column for each side."""
    names = [name for name in next(iter(sides.values())) if name != "user_id"]
    return [{"": name, **{side: values[name] for side, values in sides.items()}} for name in names]
