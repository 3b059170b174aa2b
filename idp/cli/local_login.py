"""`idp local-login …` and `idp break-glass …`: turning local login off, and the ways back in. Leaves every rule to idp.services."""

import re
from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import ACTOR, Group, installation, note, show, when

if TYPE_CHECKING:
    from idp.domain.local_login import BreakGlass
    from idp.domain.user import User
    from idp.http.parts import Parts

_TTL = re.compile(r"(\d{1,6})([smhd]?)\Z")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_CURES = {
    "federated_proof": "An administrator signs in through an upstream, with second step, as it is configured now.",
    "way_user": "Give an administrator a password: idp user password NAME --password-stdin",
    "way_proof": "Run this command on the server, or show that a way back in works: idp break-glass --prove",
}


@click.group("local-login", cls=Group)
def local_login() -> None:
    """Passwords of our own: on, on trial off, or off. Nobody is locked out by it."""


@local_login.command("status")
def status() -> None:
    """Show whether passwords count, for whom all the same, and what turning them off still needs."""
    with installation() as parts:
        show(_facts(parts))


@local_login.command("off")
def off() -> None:
    """Turn local login off, on trial: it comes back by itself unless an administrator confirms it on the page.

    Needs an administrator who has just signed in through an upstream, with second step.
    """
    with installation() as parts:
        switch = parts.turn_local_login.turn_off(actor=ACTOR, on_shell=True)
        page = f"{parts.installation.issuer}/admin/local-login"
        show(_facts(parts))
    note(
        f"Local login is off on trial until {when(switch.reverts_at)}; then it comes back by itself.\n"
        f"To keep it off, sign in once more through an upstream and confirm: {page}"
    )


@local_login.command("on")
def on() -> None:
    """Turn local login on again, at once and for everybody."""
    with installation() as parts:
        parts.turn_local_login.turn_on(actor=ACTOR)
        show(_facts(parts))
        if not parts.settings.local_login:
            note(
                "The setting local_login still says false; it has no effect by itself. Take it out to end the warnings."
            )


@local_login.command("exceptions")
@click.option(
    "--user", "usernames", multiple=True, metavar="NAME", help="User who may go on with a password; repeat for more."
)
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="Role whose people may; repeat for more.")
@click.option("--clear", is_flag=True, help="No exceptions any more.")
def exceptions(usernames: tuple[str, ...], roles: tuple[str, ...], clear: bool) -> None:
    """Show who may use a password although local login is off, or set that list. What is given replaces what was."""
    if clear and (usernames or roles):
        raise click.UsageError("--clear and names contradict each other")
    with installation() as parts:
        if clear or usernames or roles:
            users = [_find(parts, name) for name in usernames]
            parts.turn_local_login.set_exceptions(users, roles, actor=ACTOR)
        switch = parts.local_login.switch()
        show({"users": _names(parts, switch.users), "roles": list(switch.roles)})


@click.group("break-glass", cls=Group, invoke_without_command=True)
@click.option(
    "--ttl",
    default=None,
    metavar="TIME",
    help="How long: 90s, 15m, 2h. Default: local_login_change.break_glass_seconds.",
)
@click.option(
    "--reason", default=None, metavar="TEXT", help="Why. Stands in the audit log and in the mail to all administrators."
)
@click.option(
    "--user", "usernames", multiple=True, metavar="NAME", help="Only for this administrator; repeat for more."
)
@click.option(
    "--prove", is_flag=True, help="Open nothing: print a word for the page, which shows that this command works."
)
@click.pass_context
def break_glass(
    context: click.Context, ttl: str | None, reason: str | None, usernames: tuple[str, ...], prove: bool
) -> None:
    """Open local login for administrators for a short time, although it is off. It closes by itself."""
    if context.invoked_subcommand is not None:
        if ttl or reason or usernames or prove:
            raise click.UsageError(f"`idp break-glass {context.invoked_subcommand}` takes no options of this kind")
        return
    if prove:
        if ttl or reason or usernames:
            raise click.UsageError("--prove opens nothing: it takes no other options")
        _prove()
        return
    if not reason:
        raise click.UsageError('Say why, for example --reason "the directory is down"')
    with installation() as parts:
        opened = parts.break_glass.open(reason, seconds=_seconds(ttl), usernames=usernames, actor=ACTOR)
        show(_opened(parts, opened))
        address = f"{parts.installation.issuer}/sign-in"
        mailed, needless = parts.mails.works, parts.local_login.switch().state == "on"
    note(f"Sign in with password and second step: {address}\nClose it when you are done: idp break-glass close")
    if needless:
        note("Local login is on: everybody can sign in with a password anyway.")
    if not mailed:
        note(
            "warning: No mail server is configured (mail.url): the other administrators hear of this by the banner only."
        )


def _prove() -> None:
    with installation() as parts:
        users = parts.break_glass.administrators()
        word = parts.break_glass.word(actor=ACTOR)
        page = f"{parts.installation.issuer}/admin/local-login"
    show({"word": word, "opens_for": [one.username for one in users]}, word)
    note(f"Type this word within 15 minutes at {page}")
    if not users:
        note("warning: Break-glass would open for nobody: no administrator has a password.")


@break_glass.command("close")
def close() -> None:
    """Close it now. What was signed in by it ends."""
    with installation() as parts:
        closed = parts.break_glass.close(actor=ACTOR)
        parts.turn_local_login.settle()
    show({"closed": closed}, "Break-glass is closed." if closed else "Break-glass was not open.")


@break_glass.command("codes")
def codes() -> None:
    """Print a sheet of ten one-time codes for the page /break-glass, this once. The sheet before is worth nothing then."""
    with installation() as parts:
        made = parts.break_glass.new_codes(actor=ACTOR)
        page = f"{parts.installation.issuer}/break-glass"
    show({"codes": list(made), "page": page}, "\n".join(made))
    note(
        f"Print this and lock it away. Each code works once, at {page}, with user name, password and second step of an\n"
        "administrator. Show that the sheet is the right one: type one code in at /admin/local-login."
    )


def _facts(parts: "Parts") -> dict[str, Any]:
    switch, ready = parts.local_login.switch(), parts.turn_local_login.readiness(on_shell=True)
    return {
        "local_login": switch.state,
        "since": when(switch.changed_at or None),
        "by": _who(parts, switch.changed_by),
        "on_again_at": when(switch.reverts_at) if switch.state == "trial" else None,
        "setting": parts.settings.local_login,
        "setting_in_force": not parts.local_login.wish_unmet,
        "excepted_users": _names(parts, switch.users),
        "excepted_roles": list(switch.roles),
        "break_glass_open": [_opened(parts, one) for one in parts.local_login.opened()],
        "break_glass_for": [one.username for one in ready.users],
        "break_glass_codes_left": parts.break_glass.codes_left(),
        "break_glass_shown_at": when(ready.way.at) if ready.way else None,
        "federated_sign_in_at": when(ready.proof.at) if ready.proof else None,
        "still_missing": [_CURES[one] for one in ready.missing] if switch.state == "on" else [],
    }


def _opened(parts: "Parts", one: "BreakGlass") -> dict[str, Any]:
    return {"until": when(one.expires_at), "users": _names(parts, one.users), "reason": one.reason, "by": one.by}


def _names(parts: "Parts", ids: tuple[str, ...]) -> list[str]:
    found = ((id, parts.users.get(id)) for id in ids)
    return [user.username if user is not None else f"{id} (gone)" for id, user in found]


def _who(parts: "Parts", actor: str) -> str | None:
    """A user by name; what is none, as it is."""
    user = parts.users.get(actor) if actor else None
    return user.username if user is not None else actor or None


def _find(parts: "Parts", username: str) -> "User":
    from idp.base.errors import Refused

    found = parts.users.by_login(username)
    if found is None:
        raise Refused("unknown_user", f"There is no user {username!r}. See: idp user list")
    return found


def _seconds(ttl: str | None) -> float | None:
    if ttl is None:
        return None
    match = _TTL.match(ttl.strip())
    if match is None:
        raise click.UsageError("--ttl is a time such as 90s, 15m or 2h")
    return int(match[1]) * _UNITS[match[2]]
