"""`idp user merge`, `split`, `changes`, `undo`, `invite` and what belongs to them. Leaves every rule to idp.services.

idp.cli.main puts them into the group of idp.cli.users.
"""

from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import ACTOR, Command, Group, installation, show, when
from idp.cli.users import find_user, login_at

if TYPE_CHECKING:
    from idp.domain.link_change import Invitation, LinkChange
    from idp.http.parts import Parts


@click.command("merge", cls=Command)
@click.argument("username", metavar="NAME")
@click.argument("other", metavar="OTHER")
def merge(username: str, other: str) -> None:
    """Join the account OTHER to NAME, which stays.

    Every login of OTHER opens NAME from then on, with the `sub`, roles and second factor of NAME. OTHER is disabled, and its
    sessions and tokens end. Can be undone for 30 days; both owners are told by mail.
    """
    with installation() as parts:
        kept, gone = find_user(parts, username), find_user(parts, other)
        change = parts.changes.merge(kept, gone, actor=ACTOR)
        show(
            _change(parts, change), f"{gone.username} is joined to {kept.username}. To undo: idp user undo {change.id}"
        )


@click.command("split", cls=Command)
@click.argument("username", metavar="NAME")
@click.argument("provider")
@click.argument("subject", required=False)
def split(username: str, provider: str, subject: str | None) -> None:
    """Split a login off a user: it gets a user of its own, and NAME is signed out everywhere.

    SUBJECT may be left out when there is only one login of PROVIDER. Can be undone for 30 days.
    """
    with installation() as parts:
        found = find_user(parts, username)
        login = login_at(parts, found, provider, subject)
        change, made = parts.changes.split(found, (login.id,), actor=ACTOR)
        text = f"The login is split off and belongs to {made.username} now. To undo: idp user undo {change.id}"
        show(_change(parts, change), text)


@click.command("changes", cls=Command)
@click.argument("username", metavar="NAME")
def changes(username: str) -> None:
    """List changes of a user's logins in the last 30 days."""
    with installation() as parts:
        show([_change(parts, one) for one in parts.changes.of(find_user(parts, username).id)])


@click.command("undo", cls=Command)
@click.argument("change_id", metavar="CHANGE")
def undo(change_id: str) -> None:
    """Undo a merge, a split, a link or an unlink of the last 30 days. See: idp user changes NAME"""
    with installation() as parts:
        undone = parts.changes.undo(parts.changes.get(change_id), actor=ACTOR)
        show(_change(parts, undone), f"The change is undone: {undone.what}.")


@click.command("auto-link", cls=Command)
@click.argument("username", metavar="NAME")
@click.argument("choice", type=click.Choice(["allow", "never"]))
def auto_link(username: str, choice: str) -> None:
    """Say whether a login may be joined to this user without a proof of their own."""
    with installation() as parts:
        never = choice == "never"
        changed = parts.users.set_never_auto_link(find_user(parts, username), never, actor=ACTOR)
        text = f"{changed.username} {'is never linked by itself' if never else 'may be linked by a trusted address'}."
        show({"username": changed.username, "never_auto_link": changed.never_auto_link}, text)


@click.command("administrator", cls=Command)
@click.argument("username", metavar="NAME")
@click.argument("choice", type=click.Choice(["on", "off"]))
def administrator(username: str, choice: str) -> None:
    """Make a user an administrator, or no longer."""
    with installation() as parts:
        changed = parts.users.set_administrator(find_user(parts, username), choice == "on", actor=ACTOR)
        text = f"{changed.username} is {'an' if changed.is_administrator else 'no'} administrator."
        show({"username": changed.username, "administrator": changed.is_administrator}, text)


@click.command("remove", cls=Command)
@click.argument("username", metavar="NAME")
def remove(username: str) -> None:
    """Remove a user for good, with logins, factors, consents, tokens and sessions. Cannot be undone."""
    with installation() as parts:
        found = find_user(parts, username)
        parts.remove_user.remove(found, actor=ACTOR)
        show({"id": found.id, "username": found.username}, f"{found.username} is removed.")


# ---------------------------------------------------------------- invitations


@click.command("invite", cls=Command)
@click.option(
    "--email", default="", help="Address of the new user. It counts as verified when an upstream vouches for it."
)
@click.option("--user", "username", help="Somebody who is here already, and gets one more login.")
@click.option(
    "--username", "new_name", default="", help="User name of the new user. Default: by what the upstream says."
)
@click.option("--name", "full_name", default="", help="Full name of the new user.")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="Role of the new user.")
@click.option("--group", "groups", multiple=True, metavar="GROUP", help="Group of the new user.")
@click.option("--provider", default="", help="The only upstream that the invitation is good for. Default: any.")
@click.option("--days", type=click.IntRange(1, 90), help="How long it is good. Default: linking.invitation_days.")
@click.option("--send", is_flag=True, help="Also send the link by mail.")
def invite(username: str | None, new_name: str, full_name: str, send: bool, **given: Any) -> None:
    """Make an invitation and print its link, this once: it opens the door for one login that nobody here has yet."""
    from idp.services.invitations import Asked, address_of, link_of

    if not (username or given["email"] or new_name or given["provider"]):
        raise click.UsageError("Say whom to invite, for example --email ada@example.org")
    with installation() as parts:
        found = find_user(parts, username) if username else None
        asked = Asked(
            found,
            given["email"],
            new_name,
            full_name,
            given["roles"],
            given["groups"],
            given["provider"],
            given["days"],
        )
        made, issuer = parts.invitations.make(asked, actor=ACTOR), parts.installation.issuer
        if send:
            to = address_of(found, given["email"])
            organisation = parts.settings.organisation
            made = parts.invitations.send(made, parts.mails, to=to, issuer=issuer, organisation=organisation)
        link = link_of(issuer, made.token)
        show({**_invitation(parts, made.invitation), "mailed": made.mailed, "link": link}, link)


@click.command("invitations", cls=Command)
def invitations() -> None:
    """List open invitations."""
    with installation() as parts:
        show([_invitation(parts, one) for one in parts.invitations.waiting()])


@click.command("withdraw", cls=Command)
@click.argument("invitation_id", metavar="INVITATION")
def withdraw(invitation_id: str) -> None:
    """Withdraw an open invitation. INVITATION is its id, or the beginning of it."""
    from idp.base.errors import Refused

    with installation() as parts:
        found = [one for one in parts.invitations.waiting() if one.id.startswith(invitation_id)]
        if len(found) != 1:
            raise Refused("unknown_invitation", "There is no such invitation. See: idp user invitations")
        parts.invitations.withdraw(found[0], actor=ACTOR)
        show(_invitation(parts, found[0]), "The invitation is withdrawn.")


def _change(parts: "Parts", one: "LinkChange") -> dict[str, Any]:
    other = parts.users.get(one.other_id) if one.other_id else None
    return {
        "id": one.id,
        "what": one.what,
        "at": when(one.at),
        "actor": one.actor,
        "other": other.username if other is not None else one.other_id,
        "logins": list(one.logins),
        "undone_at": when(one.undone_at),
        "undoable": one.undone_at is None and parts.changes.undoable(one) is None,
    }


def _invitation(parts: "Parts", one: "Invitation") -> dict[str, Any]:
    found = parts.users.get(one.user_id) if one.user_id else None
    return {
        "id": one.id[:12],
        "for": found.username if found is not None else one.email or one.username or one.name or None,
        "provider": one.provider_id,
        "roles": list(one.roles),
        "groups": list(one.groups),
        "expires_at": when(one.expires_at),
    }


def add_to(group: Group) -> None:
    for command in (
        *(merge, split, changes, undo, auto_link, administrator, remove),
        *(invite, invitations, withdraw),
    ):
        group.add_command(command)
