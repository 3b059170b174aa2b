"""`idp explain CODE`: why something was refused, found by the short code that the page showed."""

import click

from idp.base.errors import Refused
from idp.cli.common import Command, installation, note, printable, shared, show, when
from idp.cli.saml import in_words


@click.command("explain", cls=Command)
@click.argument("code")
def explain(code: str) -> None:
    """Say why a request was refused. CODE stands on the error page, in the answer and in the log."""
    with installation() as parts:
        trace = parts.traces.explain(code)
        days = parts.settings.log.trace_days
        message = parts.saml_messages.of_trace(code)
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
    if message is None:
        show(facts)
        return
    from idp.services.explain_messages import explained

    checks = [explained(check) for check in message.checks]
    if shared().json:
        show({**facts, "message": message.id, "checks": checks})
        return
    show({**facts, "message": message.id})
    click.echo(in_words(checks))
    note(f"What it said: idp saml show {message.id}")
