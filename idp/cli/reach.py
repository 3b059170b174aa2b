"""How the command line reaches the companion: with a token of somebody's own, as every client does.

Where the token comes from: a file, the environment, or, on the machine that holds the keys, a user to act as. Leaves the commands
to idp.cli.docs and idp.cli.queues.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import ACTOR, Decorated, installation, shared

if TYPE_CHECKING:
    from idp.base.config import Settings

TIMEOUT_SECONDS = 30.0
MAX_ANSWER_BYTES = 33_554_432  # a page of documents, escaped
TOKEN_VARIABLE = "SHEAF_TOKEN"  # noqa: S105  (the name of a variable)


@dataclass(frozen=True, slots=True)
class Reach:
    """url: of the companion. user: as whom, when the token was made for this command."""

    settings: "Settings"
    url: str
    token: str = field(repr=False)
    user: str | None = None

    def call(self, operation: str, members: Mapping[str, Any]) -> Any:
        """The answer of an operation. Raises Refused as the companion refuses."""
        from idp.base.errors import Refused
        from idp.base.net import NetPolicy, Unreachable, fetch

        url = f"{self.url}/commands/{operation}"
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        # Whoever types the address may reach it, wherever it is.
        policy = NetPolicy(True, TIMEOUT_SECONDS, MAX_ANSWER_BYTES, self.settings.tls_certificate)
        try:
            answer = fetch("POST", url, policy, headers=headers, body=json.dumps(members).encode())
        except Unreachable as error:
            message = f"The companion does not answer at {self.url}. Is it running? (idp run, or idp serve api)"
            raise Refused("companion_unreachable", message, status=503, reason=error.reason) from None
        try:
            body = json.loads(answer.body or b"{}")
        except ValueError:
            raise Refused(
                "not_the_companion", f"What answers at {self.url} is not the companion.", status=502
            ) from None
        if answer.status >= 400:
            said = f"{body.get('detail', 'It was refused.')} ({body.get('code')}, trace {body.get('trace')})"
            raise Refused(str(body.get("code", "refused")), said, status=answer.status)
        return body

    def pages(self, operation: str, members: Mapping[str, Any], of: str, mark: str = "cursor") -> Iterator[Any]:
        """What all pages hold under the name `of`. mark: the member with which the next one is asked for."""
        from idp.base.errors import Refused

        next_, by = None, self
        while True:
            asked = {**members, **({mark: next_} if next_ else {})}
            try:
                answer = by.call(operation, asked)
            except Refused as refused:
                if refused.status != 401 or self.user is None:
                    raise
                by = replace(self, token=_acting_as(self.user))  # all pages can take longer than a token lives
                answer = by.call(operation, asked)
            yield from answer[of]
            next_ = answer[mark]
            if next_ is None:
                return


def reaching(command: Decorated) -> Decorated:
    """The options that say where the companion is and whose token it gets."""
    for option in (
        click.option("--api", "url", metavar="URL", help="The companion. Default: that of this installation."),
        click.option("--token-file", type=click.Path(exists=True, dir_okay=False), help="File with an access token."),
        click.option("--as", "user", metavar="NAME", help="Act as this user, from the machine that holds the keys."),
    ):
        command = option(command)
    return command


def reach(url: str | None, token_file: str | None, user: str | None) -> Reach:
    settings = shared().settings()
    where = (url or settings.api_url).rstrip("/")
    if user is not None:
        return Reach(settings, where, _acting_as(user), user)
    token = Path(token_file).read_text().strip() if token_file else os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        raise click.UsageError(f"Say as whom: --as NAME, --token-file FILE, or {TOKEN_VARIABLE} in the environment")
    return Reach(settings, where, token)


def _acting_as(username: str) -> str:
    from idp.base.claims import API_SCOPES
    from idp.cli.users import find_user

    with installation() as parts:
        return parts.companion_tokens.for_shell(find_user(parts, username), API_SCOPES, actor=ACTOR)


def read_json(text: str | None) -> Any:
    """What was given, `-` for standard input. Raises UsageError."""
    raw = sys.stdin.read() if text == "-" else text
    try:
        return json.loads(raw) if raw is not None else None
    except ValueError as error:
        raise click.UsageError(f"This is not JSON: {error}") from None


def tell(answer: object) -> None:
    """One JSON value a line, for people and programs alike."""
    click.echo(json.dumps(answer, ensure_ascii=False))
