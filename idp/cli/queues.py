"""`idp queue …`: queues of the companion from the shell, under the rights of whoever is named. Leaves every rule to the companion."""

from typing import Any

import click

from idp.cli.common import group
from idp.cli.reach import reach, reaching, read_json, tell


@group("queue")
def queue() -> None:
    """Send, take and look at messages of the companion's queues, as one of its users."""


@queue.command("declare")
@click.argument("name")
@click.argument("settings", metavar="[JSON]", required=False)
@reaching
def declare(name: str, settings: str | None, **where: Any) -> None:
    """Make a queue, or change its settings and ACL.

    JSON are its settings, such as '{"max_deliveries": 3}' or '{"kind": "work_items"}'. All of them: docs/queues.md
    """
    tell(reach(**where).call("queues.declare", {"name": name, **(read_json(settings) or {})}))


@queue.command("list")
@reaching
def list_queues(**where: Any) -> None:
    """List the queues and exchanges on which the user has a right, one line of JSON each."""
    for one in reach(**where).pages("queues.list", {}, "queues", mark="after"):
        tell(one)


@queue.command("show")
@click.argument("name")
@reaching
def show(name: str, **where: Any) -> None:
    """Print the settings of a queue and how many messages are in it."""
    tell(reach(**where).call("queues.get", {"name": name}))


@queue.command("publish")
@click.argument("name")
@click.argument("body", metavar="JSON|-")
@click.option("--priority", type=click.IntRange(0, 9), help="9 goes first.")
@click.option("--delay", "delay_seconds", type=click.IntRange(0), help="Not before so many seconds from now.")
@click.option("--key", "idempotency_key", metavar="KEY", help="The same command again has no second effect.")
@reaching
def publish(
    name: str,
    body: str,
    priority: int | None,
    delay_seconds: int | None,
    idempotency_key: str | None,
    url: str | None,
    token_file: str | None,
    user: str | None,
) -> None:
    """Send a message."""
    options = {"priority": priority, "delay_seconds": delay_seconds, "idempotency_key": idempotency_key}
    given = {name: value for name, value in options.items() if value is not None}
    tell(reach(url, token_file, user).call("queues.publish", {"name": name, "body": read_json(body), **given}))


@queue.command("take")
@click.argument("name")
@click.option("--lease", "lease_seconds", type=click.IntRange(1, 900), default=30, show_default=True, help="Seconds.")
@click.option("--dead", is_flag=True, help="From the dead letters.")
@click.option("--ack", is_flag=True, help="Ack it at once: it is gone when it is printed.")
@reaching
def take(name: str, lease_seconds: int, dead: bool, ack: bool, **where: Any) -> None:
    """Take the next message and print it; null when there is none.

    It is yours until its lease ends. Done with it: idp queue ack NAME RECEIPT
    """
    companion = reach(**where)
    message = companion.call("queues.take", {"name": name, "lease_seconds": lease_seconds, "dead": dead})["message"]
    tell(message)
    if ack and message is not None:
        companion.call("queues.ack", {"name": name, "receipt": message["receipt"]})


@queue.command("ack")
@click.argument("name")
@click.argument("receipt")
@reaching
def ack(name: str, receipt: str, **where: Any) -> None:
    """Done with a message that was taken."""
    reach(**where).call("queues.ack", {"name": name, "receipt": receipt})


@queue.command("reject")
@click.argument("name")
@click.argument("receipt")
@click.option("--reason", metavar="TEXT", help="To the dead letters. Without one it goes back to the queue.")
@reaching
def reject(name: str, receipt: str, reason: str | None, **where: Any) -> None:
    """Give a message back to the queue, or up."""
    how = {"requeue": True} if reason is None else {"requeue": False, "reason": reason}
    reach(**where).call("queues.reject", {"name": name, "receipt": receipt, **how})


@queue.command("inspect")
@click.argument("name")
@click.option("--dead", is_flag=True, help="The dead letters.")
@reaching
def inspect(name: str, dead: bool, **where: Any) -> None:
    """Look at messages without taking them."""
    tell(reach(**where).call("queues.inspect", {"name": name, "dead": dead}))


@queue.command("redrive")
@click.argument("name")
@reaching
def redrive(name: str, **where: Any) -> None:
    """Put dead letters back into the queue."""
    tell(reach(**where).call("queues.redrive", {"name": name}))


@queue.command("purge")
@click.argument("name")
@click.option("--dead", is_flag=True, help="The dead letters.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@reaching
def purge(name: str, dead: bool, yes: bool, **where: Any) -> None:
    """Delete all waiting messages of a queue."""
    if not yes:
        click.confirm(f"Delete all {'dead letters' if dead else 'messages'} of {name}?", abort=True)
    tell(reach(**where).call("queues.purge", {"name": name, "dead": dead}))


@queue.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@reaching
def delete(name: str, yes: bool, **where: Any) -> None:
    """Delete a queue with everything in it."""
    if not yes:
        click.confirm(f"Delete the queue {name} with everything in it?", abort=True)
    reach(**where).call("queues.delete", {"name": name})
