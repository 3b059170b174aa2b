"""`idp setup-link`: a fresh one-time set-up link; the one before dies. Leaves the three screens to idp.web.setup_pages."""

import click

from idp.cli.common import Command, installation, show


@click.command("setup-link", cls=Command)
def setup_link() -> None:
    """Print a fresh set-up link; the old one dies.

    It works once, for 24 hours, as long as there is no administrator.
    """
    with installation() as parts:
        link = f"{parts.installation.issuer}/setup/{parts.set_up.fresh_link()}"
    show({"setup_link": link}, link)
