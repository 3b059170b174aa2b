"""`idp user sign-ins NAME`: how somebody's last sign-ins ended. Leaves the story of one of them to `idp explain`."""

import click

from idp.base.errors import Refused
from idp.cli.common import Command, installation, show


@click.command("sign-ins", cls=Command)
@click.argument("username", metavar="NAME")
@click.option("--refused", is_flag=True, help="Only those that were refused.")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="So many at most.")
def sign_ins(username: str, refused: bool, limit: int) -> None:
    """List the last sign-ins of a user, the newest first. What happened in one of them: idp explain CODE"""
    from idp.services.explain_sign_in import Names, facts_of

    with installation() as parts:
        found = parts.users.by_login(username)
        if found is None:
            raise Refused("unknown_user", f"There is no user {username!r}. See: idp user list")
        records = parts.records.of_user(found.id, 200)
        chosen = [one for one in records if not (refused and one.outcome != "refused")][:limit]
        names = Names(parts.users.get, parts.upstreams.get)
        show([_line(facts_of(one, names)) for one in chosen])


def _line(facts: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in facts.items() if name not in ("user", "user_id")}
