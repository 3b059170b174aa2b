"""The command `idp`: its group of commands, and the one place where errors become a line and an exit code.

0 done · 1 refused or something is wrong · 2 wrong use or wrong settings. Leaves each command to its own module.
"""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from idp.cli import (
    apps,
    docs,
    doctor,
    explain,
    federations,
    keys,
    local_login,
    people,
    preview,
    queues,
    registration,
    run,
    saml,
    scopes,
    serve,
    service_providers,
    setup,
    sign_ins,
    upstreams,
    users,
    watched_metadata,
)
from idp.cli.common import Group
from idp.cli.failures import explained, say


def _version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        from idp import __version__

        click.echo(f"Sheaf {__version__}")
        context.exit()


@click.group(
    "idp",
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Every command takes --config, --data and --json.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
def cli() -> None:
    """Sheaf: many logins, one identity. Start with: idp run"""


for command in (
    run.run,
    serve.serve,
    setup.setup_link,
    doctor.doctor,
    users.user,
    apps.client,
    registration.registration,
    scopes.scope,
    service_providers.sp,
    federations.federation,
    saml.saml,
    upstreams.upstream,
    local_login.local_login,
    local_login.break_glass,
    keys.keys,
    docs.docs,
    queues.queue,
    explain.explain,
):
    cli.add_command(command)
apps.client.add_command(preview.preview)
users.user.add_command(sign_ins.sign_ins)
people.add_to(users.user)
watched_metadata.add_to(service_providers.sp, upstreams.upstream)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point of the `idp` command. Never shows a stack trace, unless IDP_DEBUG asks for it."""
    os.umask(0o077)  # whatever a command makes is its owner's alone
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        result = cli.main(words, prog_name="idp", standalone_mode=False)
        _flush()
    except click.exceptions.NoArgsIsHelpError as wanted:
        wanted.show()
        sys.exit(2)
    except Exception as error:
        if os.environ.get("IDP_DEBUG"):
            raise
        failure = explained(error)
        say(failure, as_json="--json" in words)
        sys.exit(failure.exit)
    sys.exit(result if isinstance(result, int) else 0)


def _flush() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
