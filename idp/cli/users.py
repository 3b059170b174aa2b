"""`idp user …`: people and the upstream logins linked to them. Leaves every rule to idp.services."""

from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import ACTOR, group, installation, options, read_stdin_line, show, when
from idp.cli.fields import claims_of

if TYPE_CHECKING:
    from idp.domain.upstream import FederatedLogin
    from idp.domain.user import User
    from idp.http.parts import Parts


_attributes = options(
    click.option("--role", "roles", multiple=True, metavar="ROLE", help="Role of the user, for scope roles and APIs."),
    click.option("--group", "groups", multiple=True, metavar="GROUP", help="Group of the user, for scope groups."),
    click.option(
        "--claim",
        "claims",
        multiple=True,
        metavar="NAME=VALUE",
        help="Claim about the user, such as given_name=Ada. Of your own as well; JSON values are taken as such.",
    ),
)


@group("user")
def user() -> None:
    """Add, list, disable and link people."""


@user.command("add")
@click.argument("username", metavar="NAME")
@click.option("--email", required=True, help="E-mail address. Given by you, so it counts as verified.")
@click.option("--name", "full_name", default="", help='Full name, for example "Ada Lovelace".')
@click.option("--admin", is_flag=True, help="Make this user an administrator.")
@click.option("--password-stdin", is_flag=True, help="Read a password from standard input (one line). Default: none.")
@click.option("--totp", is_flag=True, help="Enrol a second factor at once and print its secret.")
@_attributes
def add(
    username: str,
    email: str,
    full_name: str,
    admin: bool,
    password_stdin: bool,
    totp: bool,
    roles: tuple[str, ...],
    groups: tuple[str, ...],
    claims: tuple[str, ...],
) -> None:
    """Add a user.

    Without a password the user signs in through an upstream. The second factor is usually enrolled by the user at the
    first sign-in; --totp does it here and prints secret and recovery codes, this once.
    """
    password = read_stdin_line("password") if password_stdin else None
    with installation() as parts:
        made = parts.users.add(
            username,
            email=email,
            name=full_name,
            administrator=admin,
            password=password,
            email_verified=True,
            roles=roles,
            groups=groups,
            claims={name: value for name, value in claims_of(claims).items() if value is not None},
            actor=ACTOR,
        )
        show(_with_factor(parts, made, totp))


def _with_factor(parts: "Parts", made: "User", totp: bool) -> dict[str, Any]:
    result: dict[str, Any] = {"id": made.id, "username": made.username}
    if not totp:
        return {**result, "totp_secret": None, "totp_uri": None, "recovery_codes": []}
    enrolment, codes = parts.factors.enrol_for(made, actor=ACTOR)
    return {**result, "totp_secret": enrolment.secret, "totp_uri": enrolment.uri, "recovery_codes": list(codes)}


@user.command("edit")
@click.argument("username", metavar="NAME")
@click.option("--email", help="New e-mail address. Given by you, so it counts as verified.")
@click.option("--name", "full_name", help="New full name.")
@_attributes
@click.option("--no-groups", is_flag=True, help="Take the user out of all groups.")
@click.option("--no-roles", is_flag=True, help="Take all roles away (not that of administrators).")
def edit(
    username: str,
    email: str | None,
    full_name: str | None,
    roles: tuple[str, ...],
    groups: tuple[str, ...],
    claims: tuple[str, ...],
    no_groups: bool,
    no_roles: bool,
) -> None:
    """Change what apps learn about a user. What is given replaces what was; --claim NAME= takes a claim away."""
    given = claims_of(claims)
    if not (given or email or full_name or roles or groups or no_groups or no_roles):
        raise click.UsageError("Say what to change, for example --claim given_name=Ada")
    if (groups and no_groups) or (roles and no_roles):
        raise click.UsageError("--no-groups and --group, --no-roles and --role contradict each other")
    with installation() as parts:
        changed = parts.users.edit(
            find_user(parts, username),
            name=full_name,
            email=email,
            roles=roles if roles or no_roles else None,
            groups=groups if groups or no_groups else None,
            claims=given or None,
            actor=ACTOR,
        )
        show(_facts(parts, changed))


@user.command("list")
def list_users() -> None:
    """List all users."""
    with installation() as parts:
        show([_summary(parts, one) for one in parts.users.all(limit=100_000)])


@user.command("show")
@click.argument("username", metavar="NAME")
def show_user(username: str) -> None:
    """Show a user: factor, linked logins, sessions. NAME is a user name or an e-mail address."""
    with installation() as parts:
        found = find_user(parts, username)
        logins = [_login(one) for one in parts.links.of(found.id)]
        facts = {
            **_facts(parts, found),
            "created_at": when(found.created_at),
            "password": found.password_hash is not None,
            "recovery_codes_left": parts.factors.recovery_codes_left(found.id),
            "sessions": len(parts.sessions.of(found.id)),
            "logins": logins,
        }
        show(facts)


@user.command("disable")
@click.argument("username", metavar="NAME")
def disable(username: str) -> None:
    """Shut a user out: ends all sessions and tokens, refuses every way in."""
    _set_disabled(username, True)


@user.command("enable")
@click.argument("username", metavar="NAME")
def enable(username: str) -> None:
    """Let a disabled user in again."""
    _set_disabled(username, False)


def _set_disabled(username: str, disabled: bool) -> None:
    with installation() as parts:
        changed = parts.users.set_disabled(find_user(parts, username), disabled, actor=ACTOR)
        show(_summary(parts, changed), f"{changed.username} is {'disabled' if disabled else 'enabled'}.")


@user.command("password")
@click.argument("username", metavar="NAME")
@click.option("--password-stdin", is_flag=True, required=True, help="Read the password from standard input (one line).")
def password(username: str, password_stdin: bool) -> None:
    """Set a password. Ends all sessions and tokens of the user."""
    with installation() as parts:
        found = parts.users.set_password(find_user(parts, username), read_stdin_line("password"), actor=ACTOR)
        show(_summary(parts, found), f"The password of {found.username} is set; all sessions are ended.")


@user.command("forget-totp")
@click.argument("username", metavar="NAME")
def forget_totp(username: str) -> None:
    """Remove a lost second factor; the user enrols a new one at the next sign-in."""
    with installation() as parts:
        found = find_user(parts, username)
        parts.factors.remove(found.id)
        parts.sessions.end_all(found.id, actor=ACTOR)
        show(_summary(parts, found), f"{found.username} has no second factor now; all sessions are ended.")


@user.command("link")
@click.argument("username", metavar="NAME")
@click.argument("provider")
@click.argument("subject", required=False)
@click.option("--issuer", help="Issuer that the upstream names in its logins. Default: the one in its settings.")
def link(username: str, provider: str, subject: str | None, issuer: str | None) -> None:
    """Link an upstream login to a user. SUBJECT is the user's identifier at the upstream PROVIDER."""
    from idp.base.errors import Refused
    from idp.domain.upstream import UpstreamIdentity
    from idp.upstream.registry import issuer_of

    if not subject:
        raise click.UsageError(
            "Give the SUBJECT: the identifier of this person at the upstream, never an e-mail address"
        )
    with installation() as parts:
        found, upstream = find_user(parts, username), parts.upstreams.get(provider)
        if upstream is None:
            raise Refused("unknown_upstream", f"There is no upstream {provider!r}. See: idp upstream list")
        issuer = issuer or issuer_of(upstream)
        if not issuer:
            raise click.UsageError("This upstream has no issuer in its settings; name it with --issuer")
        linked = parts.links.link(found, UpstreamIdentity(upstream.id, issuer, subject), actor=ACTOR)
        show({"username": found.username, **_login(linked)})


@user.command("unlink")
@click.argument("username", metavar="NAME")
@click.argument("provider")
@click.argument("subject", required=False)
def unlink(username: str, provider: str, subject: str | None) -> None:
    """Unlink an upstream login. SUBJECT may be left out when there is only one of PROVIDER."""
    with installation() as parts:
        found = find_user(parts, username)
        login = login_at(parts, found, provider, subject)
        parts.links.unlink(found, login.id, actor=ACTOR, local_login=parts.sign_in.local_login_allowed(found))
        show({"username": found.username, **_login(login)}, f"{provider} is unlinked from {found.username}.")


def login_at(parts: "Parts", found: "User", provider: str, subject: str | None) -> "FederatedLogin":
    """The one login of this user at this upstream. Raises Refused(unknown_login | several_logins)."""
    from idp.base.errors import Refused

    logins = [one for one in parts.links.of(found.id) if one.provider_id == provider and subject in (None, one.subject)]
    if not logins:
        raise Refused(
            "unknown_login",
            f"{found.username} has no such login at {provider!r}. See: idp user show {found.username}",
        )
    if len(logins) > 1:
        raise Refused("several_logins", f"{found.username} has several logins at {provider!r}: name the SUBJECT.")
    return logins[0]


def find_user(parts: "Parts", username: str) -> "User":
    from idp.base.errors import Refused

    found = parts.users.by_login(username)
    if found is None:
        raise Refused("unknown_user", f"There is no user {username!r}. See: idp user list")
    return found


def _summary(parts: "Parts", one: "User") -> dict[str, Any]:
    return {
        "id": one.id,
        "username": one.username,
        "email": one.email,
        "email_verified": one.email_verified,
        "name": one.name,
        "roles": list(one.roles),
        "disabled": one.disabled,
        "totp": parts.factors.has(one.id),
    }


def _facts(parts: "Parts", one: "User") -> dict[str, Any]:
    return {**_summary(parts, one), "groups": list(one.groups), "claims": dict(one.claims)}


def _login(login: "FederatedLogin") -> dict[str, Any]:
    return {
        "provider": login.provider_id,
        "issuer": login.issuer,
        "subject": login.subject,
        "email": login.email,
        "linked_at": when(login.linked_at),
        "last_used_at": when(login.last_used_at),
    }
