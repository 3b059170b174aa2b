"""`idp serve idp|api|streams`: one process of Sheaf as a server of its own, for clusters and service managers.

Leaves all of them together to idp.cli.run, and the servers themselves to idp.cli.listen and idp.api.streams.
"""

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from idp.cli.certificate import Pair, pair_for
from idp.cli.common import Command, note, shared

if TYPE_CHECKING:
    from idp.base.config import Settings

APPLICATIONS = {"idp": "idp.app:serve", "api": "idp.api.app:app"}
SECTIONS = {"idp": "server", "api": "api", "streams": "api"}
PORTS = {"idp": "port", "api": "port", "streams": "streams_port"}
OPTIONS = {
    "idp": "--port",
    "api": "--api-port (idp run) or --port (idp serve api)",
    "streams": "--streams-port (idp run) or --port (idp serve streams)",
}


@click.command("serve", cls=Command)
@click.argument("half", metavar="idp|api|streams", type=click.Choice(list(SECTIONS)))
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--tls", is_flag=True, help="Serve https and HTTP/2, with a certificate of our own if none is set.")
@click.option("--supervised", is_flag=True, hidden=True, help="Stop when standard input ends.")
def serve(half: str, host: str | None, port: int | None, tls: bool, supervised: bool) -> None:
    """Serve one part: the identity provider, the companion API, or its streams (WebSocket, server-sent events, TCP, Unix
    socket).

    All together on one machine: idp run
    """
    section = SECTIONS[half]
    chosen = shared()
    chosen.overrides |= {f"{section}.{name}": value for name, value in (("host", host), (PORTS[half], port)) if value}
    chosen.overrides |= {"server.tls": True} if tls else {}
    settings = chosen.settings()
    check(half, settings)
    pair = pair_for(settings)
    if pair is not None and pair.own:
        note(f"Certificate of our own: {pair.certificate}")
    os.environ.update(chosen.environment())
    # Replaces this process by one that has nothing loaded but the server: that one stays in memory.
    command = server_command(half, settings, pair, supervised=supervised)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command[0], command)  # noqa: S606


def check(half: str, settings: "Settings") -> None:
    """What can be known to be wrong before anything starts. Raises Misconfigured."""
    from idp.base.embedded import ensure_folder
    from idp.services.installation import check_production

    if half == "idp":
        check_production(settings)
    ensure_folder(settings.data_dir)
    check_port(half, settings)


def check_port(half: str, settings: "Settings") -> None:
    """Raises Misconfigured when somebody else listens there."""
    from idp.base.errors import Misconfigured
    from idp.cli.listen import PortTaken, check_free

    host, port = address(half, settings)
    try:
        check_free(host, port)
    except PortTaken as error:
        raise Misconfigured(
            f"{SECTIONS[half]}.{PORTS[half]}",
            f"Cannot listen on {host} port {port}: {error.strerror}.",
            f"Stop what listens there, or choose another port with {OPTIONS[half]}.",
        ) from None


def address(half: str, settings: "Settings") -> tuple[str, int]:
    section: Any = getattr(settings, SECTIONS[half])
    return section.host, getattr(section, PORTS[half])


def server_command(half: str, settings: "Settings", pair: Pair | None, *, supervised: bool) -> list[str]:
    """The process that serves this half. -P: the current folder is no place to look for modules."""
    if half == "streams":
        return [sys.executable, "-P", "-m", "idp.api.streams", *(["supervised"] if supervised else [])]
    section: Any = getattr(settings, SECTIONS[half])
    words = [APPLICATIONS[half], section.host, str(section.port), str(section.workers), str(section.threads)]
    words += [f"certificate={pair.certificate}", f"key={pair.key}"] if pair is not None else []
    return [sys.executable, "-P", "-m", "idp.cli.listen", *words, *(["supervised"] if supervised else [])]
