"""`idp explain CODE`: why something was refused, found by the short code that the page showed."""

import click

from idp.base.errors import Refused
from idp.cli.common import Command, installation, printable, show, when


@click.command("explain", cls=Command)
@click.argument("code")
def explain(code: str) -> None:
    """Say why a request was refused. CODE stands on the error page, in the answer and in the log."""
    with installation() as parts:
        trace = parts.traces.explain(code)
        days = parts.settings.log.trace_days
    if trace is None:
        raise Refused(
            "unknown_trace",
            f"No such code. Codes of the companion API, and those older than {days} days, stand in the log only.",
        )
    facts = {
        "trace": trace.id,
        "at": when(trace.at),
        "door": trace.door,
        "error": trace.code,
        "reason": printable(trace.reason),
        "detail": dict(trace.detail),
    }
    show(facts)
