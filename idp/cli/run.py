"""`idp run`: everything on one machine, in one command. Checks and prepares, then becomes the supervisor.

Leaves keeping the processes alive to idp.cli.supervise.
"""

import json
import os
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from idp.cli.certificate import Pair, pair_for
from idp.cli.common import Command, note, shared
from idp.cli.serve import SECTIONS, address, check, server_command

if TYPE_CHECKING:
    from idp.base.config import Settings

NAMES = {"idp": "The identity provider", "api": "The companion API", "streams": "The companion API for streams"}


@click.command("run", cls=Command)
@click.option("--host", help="Address that all of it listens on.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the identity provider.")
@click.option("--api-port", type=click.IntRange(1, 65535), help="Port of the companion API.")
@click.option("--streams-port", type=click.IntRange(0, 65535), help="Port of its streams (WebSocket, events); 0: none.")
@click.option("--tls", is_flag=True, help="Serve https and HTTP/2, with a certificate of our own if none is set.")
def run(host: str | None, port: int | None, api_port: int | None, streams_port: int | None, tls: bool) -> None:
    """Start the identity provider and the companion API on this machine.

    Makes the data folder, all keys and all secrets at the first start, and prints the link with which you set it up.
    Stop with Ctrl-C.
    """
    chosen = shared()
    given = {"server.host": host, "api.host": host, "server.port": port, "api.port": api_port}
    given["api.streams_port"] = streams_port
    given["server.tls"] = tls or None
    chosen.overrides |= {name: value for name, value in given.items() if value is not None}
    settings = chosen.settings()
    halves = [half for half in SECTIONS if half != "streams" or settings.api.streams_port]
    if len({address(half, settings) for half in halves}) < len(halves):
        raise click.UsageError(
            "They cannot use the same port: choose other ones with --port, --api-port and --streams-port"
        )
    for half in halves:
        check(half, settings)
    from idp.cli.first_run import prepare

    issuer, link = prepare(settings)
    pair = pair_for(settings, urlsplit(issuer).hostname or "")
    _warn_of_other_names(pair, issuer)
    told = _api_environment(settings, issuer)
    plan = {
        "children": [_child(half, settings, pair, {} if half == "idp" else told) for half in halves],
        "greeting": _greeting(settings, pair, issuer, link),
        "follow_issuer": not (settings.issuer or settings.api.issuer),
    }
    note("Starting …")
    _become_supervisor(plan, chosen.environment())


def _warn_of_other_names(pair: Pair | None, issuer: str) -> None:
    host = urlsplit(issuer).hostname or ""
    if pair is not None and not pair.covers(host):
        note(f"The certificate is for {', '.join(pair.names)} and not for {host}: set issuer to one of its names.")


def _child(half: str, settings: "Settings", pair: Pair | None, environment: dict[str, str]) -> dict[str, object]:
    listens, port = address(half, settings)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listens, listens)  # noqa: S104
    command = server_command(half, settings, pair, supervised=True)
    child = {"name": NAMES[half], "command": command, "environment": environment, "host": host, "port": port}
    if pair is None:
        return child
    return child | {"certificate": str(pair.certificate), "shown_for": pair.names[0].replace("*", "any")}


def _api_environment(settings: "Settings", issuer: str) -> dict[str, str]:
    from idp.cli.first_run import COMPANION, companion_secret_file

    told = {"IDP_API__ISSUER": settings.api.issuer or issuer}
    if not settings.api.introspection_client_id:
        told["IDP_API__INTROSPECTION_CLIENT_ID"] = COMPANION
        told["IDP_API__INTROSPECTION_CLIENT_SECRET_FILE"] = str(companion_secret_file(settings))
    return told


def _greeting(settings: "Settings", pair: Pair | None, issuer: str, link: str | None) -> str:
    own = pair.certificate if pair is not None and pair.own else None
    if shared().json:
        said = {"issuer": issuer, "api": settings.api_url, "setup_link": link, "data": str(settings.data_dir)}
        said |= {"streams": settings.streams_url} if settings.streams_url else {}
        return json.dumps(said | ({"certificate": str(own)} if own else {}))
    lines = [
        "",
        "Sheaf is running.",
        "",
        f"  Identity provider   {issuer}",
        f"  Companion API       {settings.api_url}",
        *([f"  Its streams         {settings.streams_url}"] if settings.streams_url else []),
        f"  Data folder         {settings.data_dir}",
        *([f"  Certificate         {own} (our own: let your browser trust it)"] if own else []),
        "",
    ]
    if link:
        lines += [*box("Set it up now: open this link. It works once, for 24 hours.", "", link), ""]
    return "\n".join([*lines, "Stop with Ctrl-C."])


def box(*lines: str) -> list[str]:
    """Lines in a frame, in ASCII where the terminal cannot do better."""
    plain = "utf" not in (sys.stdout.encoding or "").lower()
    across, side, corners = ("-", "|", "++++") if plain else ("─", "│", "┌┐└┘")
    width = max(map(len, lines)) + 2
    inner = [f"{side} {line:<{width - 2}} {side}" for line in lines]
    return [corners[0] + across * width + corners[1], *inner, corners[2] + across * width + corners[3]]


def _become_supervisor(plan: dict[str, object], environment: dict[str, str]) -> None:
    """Replaces this process. The plan goes through a pipe: it holds the set-up link, which no `ps` may show."""
    read, write = os.pipe()
    os.set_inheritable(read, True)
    content = json.dumps(plan).encode()
    assert len(content) < 32_768, "the plan must fit into the pipe: nobody reads yet"
    os.write(write, content)
    os.close(write)
    sys.stdout.flush()
    sys.stderr.flush()
    words = [sys.executable, "-P", "-m", "idp.cli.supervise", str(read)]
    os.execve(sys.executable, words, environment)  # noqa: S606
